"""Average recall of object proposals, as the papers measure it: of any method, from COCO results.

truth = read_coco("instances_val2017.json")
evaluation = evaluate(read_results("proposals.json", truth.sizes, truth.ids_of_names), truth, "mine")
evaluation.kinds["mask"].measures["all"][1].ar  # AR@100 [%]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from ifcn_tf.annotations.example import Example
from ifcn_tf.common.ids import ImageId, examples
from ifcn_tf.common.progress import ProgressBar
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.bootstrap import interval, resample, resampled_recalls
from ifcn_tf.evaluation.calibration import Calibration, best_ious, calibration
from ifcn_tf.evaluation.matching import SIZES, Case, Match, Matcher, match_with_pycocotools
from ifcn_tf.evaluation.measures import Curve, Measure, auc_hits, category_recalls, curve, measure
from ifcn_tf.evaluation.table import ObjectTable
from ifcn_tf.evaluation.truth import Truth
from ifcn_tf.results.reader import ImageResults, Results

#: Images matched at a time.
_CHUNK = 50


@dataclasses.dataclass(frozen=True)
class KindRecall:
    """The recall of masks, or of boxes.

    Attributes:
        table: every object with the rank at which it is recalled.
        measures: for each of SIZES, one at each number of proposals.
        curves: for each of SIZES.
        categories: average recall [%] at each number of proposals, by category; empty if the truth has none.
    """

    table: ObjectTable
    measures: dict[str, list[Measure]]
    curves: dict[str, Curve]
    categories: dict[str, list[float]]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What one method's proposals recall.

    Attributes:
        name: of the method.
        kinds: "mask" (absent if the results are boxes only) and "box".
        num_proposals: of all images of the truth, before any limit.
        notes: what a reader should know, in sentences.
        calibration: of the scores of masks, or of boxes where there are no masks; None of scores outside of 0..1.
    """

    name: str
    kinds: dict[str, KindRecall]
    num_proposals: int
    notes: list[str]
    calibration: Calibration | None


def evaluate(
    results: Results,
    truth: Truth,
    name: str,
    config: EvaluationConfig | None = None,
    matcher: Matcher = match_with_pycocotools,
) -> Evaluation:
    """Measures what proposals recall.

    Args:
        results: the proposals; those of images that are known but not evaluated are left out.
        truth: the images and their objects, at least one.
        name: of the method, for tables and plots.
        config: numbers of proposals and the bootstrap.
        matcher: pycocotools, or a faster one that gives the same numbers.
    """
    config = config or EvaluationConfig()
    truth.require_objects()
    tables: dict[str, list[ObjectTable]] = {kind: [] for kind in (("mask", "box") if results.has_masks else ("box",))}
    most, repeated = config.num_proposals[-1], 0
    judged = [_judged_bad(results.of(image.image_id).best(most)) for image in truth.images if not image.objects]
    for chunk in _chunks(truth, results, most, name):
        repeated += sum(found.repeated for _, _, found in chunk)
        matches = {kind: _match_chunk(chunk, kind, matcher) for kind in tables}
        for kind, found in matches.items():
            tables[kind] += _tables(chunk, found, config.num_proposals)
        judged += map(_judged, chunk, next(iter(matches.values())))
    kinds = {kind: _recall(ObjectTable.concatenate(parts), truth, config) for kind, parts in tables.items()}
    counts = results.counts()
    of_images = {image.image_id: counts[image.image_id] for image in truth.images}
    calibrated, why_not = calibration(judged)
    notes = [*_notes(of_images, len(results), repeated, config.num_proposals), *why_not]
    return Evaluation(name, kinds, sum(of_images.values()), notes, calibrated)


#: Image number, image and its results.
_Item = tuple[int, Example, ImageResults]


def _chunks(truth: Truth, results: Results, most: int, name: str) -> Iterator[list[_Item]]:
    """The images that have objects, a few at a time, each with its best proposals."""
    with_objects = [(i, image) for i, image in enumerate(truth.images) if image.objects]
    with ProgressBar(f"matching {name}", len(with_objects)) as bar:
        for start in range(0, len(with_objects), _CHUNK):
            batch = with_objects[start : start + _CHUNK]
            yield [(i, image, results.of(image.image_id).best(most)) for i, image in batch]
            bar.advance(len(batch))


def _match_chunk(chunk: Sequence[_Item], kind: str, matcher: Matcher) -> list[Match]:
    """The match of each image of a chunk; `kind` is "mask" or "box"."""
    return matcher([Case(image, found.rles if kind == "mask" else found.boxes_xywh) for _, image, found in chunk])


def _tables(chunk: Sequence[_Item], matches: Sequence[Match], limits: Sequence[int]) -> list[ObjectTable]:
    """One table for each image of a chunk."""
    return [
        ObjectTable.of_image(number, image, match, limits)
        for (number, image, _), match in zip(chunk, matches, strict=True)
    ]


def _judged(item: _Item, match: Match) -> tuple[np.ndarray, np.ndarray]:
    """Scores and highest IoUs of the proposals of an image that count."""
    _, image, found = item
    best, counts = best_ious(match.ious, image.crowd)
    return found.scores[counts], best[counts]


def _judged_bad(found: ImageResults) -> tuple[np.ndarray, np.ndarray]:
    """As `_judged`, where the image has no object."""
    return found.scores, np.zeros(len(found))


def _recall(table: ObjectTable, truth: Truth, config: EvaluationConfig) -> KindRecall:
    num_images, most = len(truth.images), config.num_proposals[-1]
    draws = resample(num_images, config.resamples, config.seed)

    def interval_of(hits: np.ndarray, size: str) -> tuple[float, float]:
        return interval(resampled_recalls(draws, hits, table.objects(size, num_images)), config.confidence)

    def intervals(size: str) -> dict[int, tuple[float, float]]:
        return {limit: interval_of(table.hits(size, limit, num_images), size) for limit in config.num_proposals}

    return KindRecall(
        table,
        {size: measure(table, size, config.num_proposals, intervals(size)) for size in SIZES},
        {size: curve(table, size, most, interval_of(auc_hits(table, size, most, num_images), size)) for size in SIZES},
        category_recalls(table, _categories(truth), config.num_proposals),
    )


def _categories(truth: Truth) -> np.ndarray:
    """The category of every object by name, "" where it has none, in the table's order."""
    objects = (item for image in truth.images for item in image.objects if not item.is_crowd)
    return np.array([truth.categories.get(item.category_id, "") for item in objects])


#: Of fewer images a bootstrap interval says little.
_FEW_IMAGES = 20


def _notes(counts: dict[ImageId, int], total: int, repeated: int, limits: Sequence[int]) -> list[str]:
    """What a reader of the numbers should know.

    Args:
        counts: numbers of proposals of the images that are evaluated.
        total: of all proposals.
        repeated: how many of them repeat another one.
        limits: the numbers of proposals at which recall is measured.
    """
    notes = []
    if len(counts) < _FEW_IMAGES:
        notes.append(f"intervals of {len(counts)} image(s) are too narrow: resamples of so few are too much alike")
    if outside := total - sum(counts.values()):
        notes.append(f"{outside} proposals are of images that are not evaluated, and were left out")
    if missing := [image_id for image_id, count in counts.items() if not count]:
        notes.append(f"{len(missing)} of {len(counts)} images have no proposal at all ({examples(missing)})")
    for limit in limits:
        if few := [count for count in counts.values() if count < limit]:
            notes.append(f"{len(few)} of {len(counts)} images have fewer than {limit} proposals (fewest: {min(few)})")
    if repeated:
        notes.append(f"{repeated} proposals repeat another one, mask, box and score; each of them counts")
    return notes
