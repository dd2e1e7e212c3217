"""Instances with names: mean average precision of masks, mAP^r (Hariharan et al., ECCV 2014)."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ifcn_tf.annotations.example import Example
from ifcn_tf.common.files import UserError
from ifcn_tf.common.ids import examples
from ifcn_tf.common.progress import track
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.average_precision import Detections
from ifcn_tf.evaluation.bootstrap import interval, resample
from ifcn_tf.evaluation.matching import Case, coco_dataset, coco_detections, pairwise_ious
from ifcn_tf.evaluation.truth import Truth
from ifcn_tf.results.reader import ImageResults, Results

#: IoUs from which on a mask is right (table 4).
IOUS = (0.5, 0.7)
#: Ways to average precision: MNC's evaluation takes the first, that of SDS the second.
AVERAGES = ("11 points", "area")
#: Resamples whose curves are in memory at a time.
_BLOCK = 50


@dataclasses.dataclass(frozen=True)
class InstanceEvaluation:
    """How well instances with names are found.

    Attributes:
        name: of the method.
        categories: names of the categories that have objects, in the order of their ids.
        objects: int64 [categories].
        precisions: float64 [ways, IoUs, categories], average precision [%]; ways and IoUs as AVERAGES and IOUS.
        intervals: float64 [ways, IoUs, 2], ends of the bootstrap intervals of the means over categories [%].
        coco: COCO's AP over IoU .5 to .95, as pycocotools computes it [%].
    """

    name: str
    categories: tuple[str, ...]
    objects: np.ndarray
    precisions: np.ndarray
    intervals: np.ndarray
    coco: float

    @property
    def means(self) -> np.ndarray:
        """mAP^r [%], float64 [ways, IoUs]."""
        return self.precisions.mean(2)


def evaluate_instances(results: Results, truth: Truth, name: str, config: EvaluationConfig) -> InstanceEvaluation:
    """Measures instances with names.

    Args:
        results: masks with categories.
        truth: images, objects with categories, and the categories' names.
        name: of the method, for tables.
        config: of the bootstrap over images.

    Raises:
        UserError: boxes without masks, results of a category that the truth does not know, or a truth whose objects
            have no categories.
    """
    categories = _categories(truth)
    if not results.has_masks:
        raise UserError(f"{name} holds boxes only: instances are measured by their masks.")
    found = [results.of(image.image_id) for image in track(truth.images, len(truth.images), f"reading {name}")]
    _require_known(found, truth, name)
    draws = resample(len(truth.images), config.resamples, config.seed)
    once = np.ones((1, len(truth.images)), np.int64)
    precisions = np.zeros((len(AVERAGES), len(IOUS), len(categories)))
    resampled = np.zeros((*precisions.shape, config.resamples))
    for number, category in enumerate(track(categories, len(categories), f"matching {name}")):
        for i, detections in enumerate(match_category(found, truth.images, category)):
            precisions[:, i, number] = detections.average_precisions(once)[:, 0]
            blocks = [draws[start : start + _BLOCK] for start in range(0, len(draws), _BLOCK)]
            resampled[:, i, number] = np.concatenate([detections.average_precisions(block) for block in blocks], 1)
    with np.errstate(invalid="ignore"):
        means = np.nansum(resampled, 2) / (~np.isnan(resampled)).sum(2)
    ends = [[interval(100 * values, config.confidence) for values in way] for way in means]
    names = tuple(truth.categories[category] for category in categories)
    coco = coco_average_precision(found, truth.images)
    return InstanceEvaluation(name, names, _objects(truth, categories), 100 * precisions, np.array(ends), coco)


def _categories(truth: Truth) -> list[int]:
    """Ids of the categories that have objects; raises UserError where objects have none, or none is known."""
    held = {item.category_id for image in truth.images for item in image.objects if not item.is_crowd}
    if unknown := sorted(held - set(truth.categories)):
        raise UserError(
            f"{truth.source} has objects of unknown categories ({examples(unknown)}): name them to measure instances."
        )
    return sorted(held)


def _require_known(found: Sequence[ImageResults], truth: Truth, name: str) -> None:
    unknown = sorted({int(i) for image in found for i in np.unique(image.category_ids)} - set(truth.categories))
    if unknown:
        known = examples(sorted(truth.categories))
        raise UserError(f"{name} has results of unknown categories ({examples(unknown)}); known are {known}.")


def _objects(truth: Truth, categories: Sequence[int]) -> np.ndarray:
    held = [item.category_id for image in truth.images for item in image.objects if not item.is_crowd]
    return np.array([held.count(category) for category in categories])


def match_category(found: Sequence[ImageResults], images: Sequence[Example], category: int) -> list[Detections]:
    """Matches the results of one category as PASCAL VOC does, at each of IOUS.

    The best comes first, over all images. Each belongs to the object of highest IoU, and is right if that suffices and
    the object is not taken.

    Args:
        found: of each image.
        images: with their objects.
        category: id.
    """
    chosen = [results.of_category(category) for results in found]
    parts = [_of_category(image, category) for image in images]
    matched = [_match_image(*pair) for pair in zip(chosen, parts, strict=True)]  # each: correct, counts [IoUs, D]
    scores = np.concatenate([results.scores for results in chosen])
    order = np.argsort(-scores, kind="stable")
    image = np.repeat(np.arange(len(images)), [len(results) for results in chosen])[order]
    objects = np.array([int((~part.crowd).sum()) for part in parts])
    correct, counts = (np.concatenate(columns, 1)[:, order] for columns in zip(*matched, strict=True))
    return [Detections(image, *pair, objects) for pair in zip(correct, counts, strict=True)]


def _of_category(image: Example, category: int) -> Example:
    objects = tuple(item for item in image.objects if item.category_id == category)
    return dataclasses.replace(image, objects=objects)


def _match_image(results: ImageResults, image: Example) -> tuple[np.ndarray, np.ndarray]:
    """Which results of a category are right, and which of them count, bool [IoUs, D] each."""
    ious = pairwise_ious(Case(image, results.rles))
    correct, counts = np.zeros((2, len(IOUS), len(results)), bool)
    order = np.argsort(-results.scores, kind="stable")
    best, covered = (ious[:, chosen].max(1, initial=0.0) for chosen in (~image.crowd, image.crowd))
    nearest = np.where(image.crowd, -1.0, ious).argmax(1) if len(image.objects) else np.zeros(len(results), int)
    for i, iou in enumerate(IOUS):
        fits = order[best[order] >= iou]
        _, first = np.unique(nearest[fits], return_index=True)
        correct[i, fits[first]] = True
        counts[i] = (best >= iou) | (covered < iou)
    return correct, counts


def coco_average_precision(found: Sequence[ImageResults], images: Sequence[Example]) -> float:
    """COCO's AP [%] over categories and IoUs of .5 to .95, at 100 results an image; NaN without an object."""
    cases = [Case(image, results.rles) for image, results in zip(images, found, strict=True)]
    dataset = coco_dataset(cases, [[item.category_id for item in image.objects] for image in images])
    detections: list[dict[str, Any]] = coco_detections(cases, [range(len(results)) for results in found])
    scores, ids = (np.concatenate([getattr(r, name) for r in found]).tolist() for name in ("scores", "category_ids"))
    for detection, score, category in zip(detections, scores, ids, strict=True):
        detection.update(score=score, category_id=category)
    if not detections:
        return 0.0 if dataset["annotations"] else float("nan")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dataset
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(detections), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return 100 * float(evaluation.stats[0])
