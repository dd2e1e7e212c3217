"""Average recall of object proposals, as the papers measure it: of any method, from COCO results.

truth = read_coco("instances_val2017.json")
evaluation = evaluate(read_results("proposals.json", truth.sizes, truth.ids_of_names), truth, "mine")
evaluation.kinds["mask"].measures["all"][1].ar  # AR@100 [%]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from ifcn_tf.common.ids import examples
from ifcn_tf.common.progress import ProgressBar
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.bootstrap import interval, resample, resampled_recalls
from ifcn_tf.evaluation.matching import SIZES, Case, Matcher, match_with_pycocotools
from ifcn_tf.evaluation.measures import Curve, Measure, category_recalls, curve, measure
from ifcn_tf.evaluation.table import ObjectTable
from ifcn_tf.evaluation.truth import Truth, TruthImage
from ifcn_tf.results.reader import ImageResults, Results

#: Images matched at a time.
_CHUNK = 50


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
    kinds = ("mask", "box") if results.has_masks else ("box",)
    tables: dict[str, list[ObjectTable]] = {kind: [] for kind in kinds}
    duplicates = 0
    for chunk in _chunks(truth, results, config.num_proposals[-1], name):
        duplicates += sum(found.duplicates for _, _, found in chunk)
        for kind in kinds:
            tables[kind] += match_chunk(chunk, kind, config.num_proposals, matcher)
    evaluated = {kind: _evaluate_kind(ObjectTable.concatenate(tables[kind]), truth, config) for kind in kinds}
    counts = results.counts()
    total = sum(counts[image.image_id] for image in truth.images)
    return Evaluation(name, evaluated, total, notes_on(results, truth, config.num_proposals, duplicates))


#: Image number, image and its results.
_Item = tuple[int, TruthImage, ImageResults]


def _chunks(truth: Truth, results: Results, most: int, name: str) -> Iterator[list[_Item]]:
    """The images that have objects, a few at a time, each with its best proposals."""
    with_objects = [(i, image) for i, image in enumerate(truth.images) if len(image.rles)]
    with ProgressBar(f"matching {name}", len(with_objects)) as bar:
        for start in range(0, len(with_objects), _CHUNK):
            batch = with_objects[start : start + _CHUNK]
            yield [(i, image, results.of(image.image_id).best(most)) for i, image in batch]
            bar.advance(len(batch))


def match_chunk(chunk: Sequence[_Item], kind: str, limits: Sequence[int], matcher: Matcher) -> list[ObjectTable]:
    """One table for each image of a chunk; `kind` is "mask" or "box"."""
    cases = [
        Case(image.rles, image.areas, image.crowd, found.rles)
        if kind == "mask"
        else Case(image.boxes_xywh, image.areas, image.crowd, found.boxes_xywh)
        for _, image, found in chunk
    ]
    return [
        ObjectTable.of_image(number, case.areas, case.crowd, match, limits)
        for (number, _, _), case, match in zip(chunk, cases, matcher(cases), strict=True)
    ]


def _evaluate_kind(table: ObjectTable, truth: Truth, config: EvaluationConfig) -> KindEvaluation:
    num_images = len(truth.images)
    draws = resample(num_images, config.resamples, config.seed)

    def intervals(size: str) -> dict[int, tuple[float, float]]:
        objects = table.objects(size, num_images)
        hits = {limit: table.hits(size, limit, num_images) for limit in config.num_proposals}
        return {n: interval(resampled_recalls(draws, h, objects), config.confidence) for n, h in hits.items()}

    return KindEvaluation(
        table,
        {size: measure(table, size, config.num_proposals, intervals(size)) for size in SIZES},
        {size: curve(table, size, config.num_proposals[-1]) for size in SIZES},
        category_recalls(table, _categories(truth), config.num_proposals),
    )


def _categories(truth: Truth) -> np.ndarray:
    """Category of every object, in the table's order."""
    return np.array(
        [
            name
            for image in truth.images
            for name, crowd in zip(image.categories, image.crowd, strict=False)
            if not crowd
        ]
    )


@dataclasses.dataclass(frozen=True)
class KindEvaluation:
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
        num_proposals: of all images evaluated, before any limit.
        notes: what a reader should know, in sentences.
    """

    name: str
    kinds: dict[str, KindEvaluation]
    num_proposals: int
    notes: list[str]


def notes_on(results: Results, truth: Truth, limits: Sequence[int], duplicates: int) -> list[str]:
    """Sentences about missing images, too few proposals and duplicates; none if there is nothing to say."""
    counts = results.counts()
    evaluated = {image.image_id: counts[image.image_id] for image in truth.images}
    notes = []
    if outside := len(results) - sum(evaluated.values()):
        notes.append(f"{outside} proposals are of images that are not evaluated, and were left out")
    if missing := [image_id for image_id, count in evaluated.items() if not count]:
        notes.append(f"{len(missing)} of {len(evaluated)} images have no proposal at all ({examples(missing)})")
    for limit in limits:
        if few := [count for count in evaluated.values() if count < limit]:
            notes.append(
                f"{len(few)} of {len(evaluated)} images have fewer than {limit} proposals (fewest: {min(few)})"
            )
    if duplicates:
        notes.append(f"{duplicates} proposals repeat another one, mask, box and score, and were left out")
    return notes
