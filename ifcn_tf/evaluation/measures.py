"""The numbers that papers report, from a table of objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ifcn_tf.evaluation.matching import THRESHOLDS
from ifcn_tf.evaluation.table import SIZE_NUMBER, ObjectTable

#: IoU thresholds per unit of IoU.
_STEP = 0.05


@dataclasses.dataclass(frozen=True)
class Measure:
    """What N proposals an image recall of one size class; percentages, NaN where there is no object.

    Attributes:
        size: a name of SIZES.
        limit: number of proposals, N.
        objects: number of objects.
        ar: average recall over COCO's ten thresholds.
        ar_interval: lower and upper end of its bootstrap interval.
        hosang: twice the integral of recall over IoU .5 to 1 (Hosang et al., 2015), by the trapezoidal rule.
        recalls: recall at each of THRESHOLDS.
        mean_best_iou: mean over objects of the highest IoU with any of the N proposals, matched or not.
    """

    size: str
    limit: int
    objects: int
    ar: float
    ar_interval: tuple[float, float]
    hosang: float
    recalls: tuple[float, ...]
    mean_best_iou: float

    def recall_at(self, iou: float) -> float:
        """Recall at one of THRESHOLDS."""
        return self.recalls[int(np.abs(THRESHOLDS - iou).argmin())]


def percent(part: Any, whole: int) -> Any:
    """100 * part / whole, rounded once, of a number or an array; NaN of nothing."""
    return 100 * part / whole if whole else part * np.nan


def measure(
    table: ObjectTable, size: str, limits: Sequence[int], intervals: dict[int, tuple[float, float]]
) -> list[Measure]:
    """Measures of one size class at each number of proposals; `intervals` [%] of the AR, by number of proposals."""
    return [_measure(table, size, i, limit, intervals[limit]) for i, limit in enumerate(limits)]


def _measure(table: ObjectTable, size: str, number: int, limit: int, ar_interval: tuple[float, float]) -> Measure:
    recalled, objects = table.recalled(size, limit)
    recalls = percent(recalled, objects)
    best_ious = table.best_ious[table.counted[SIZE_NUMBER[size]], number]
    return Measure(
        size=size,
        limit=limit,
        objects=objects,
        ar=_average(recalled, objects),
        ar_interval=ar_interval,
        hosang=float(2 * np.trapezoid(recalls, dx=_STEP)),
        recalls=tuple(recalls.tolist()),
        mean_best_iou=float(percent(best_ious.sum(), objects)),
    )


def _average(recalled: np.ndarray, objects: int) -> float:
    """Average recall [%] over COCO's ten thresholds, without the last one of THRESHOLDS."""
    return float(percent(recalled[:-1].sum(), 10 * objects))


@dataclasses.dataclass(frozen=True)
class Curve:
    """Average recall against the number of proposals (DeepMask, figure 4).

    Attributes:
        limits: numbers of proposals, evenly spaced on a logarithmic scale from 1 on.
        recalls: average recall at each [%].
        auc: its mean over that scale [%], DeepMask's AUC.
        auc_interval: lower and upper end of its bootstrap interval.
    """

    limits: tuple[int, ...]
    recalls: tuple[float, ...]
    auc: float
    auc_interval: tuple[float, float]


def curve(table: ObjectTable, size: str, most: int, auc_interval: tuple[float, float]) -> Curve:
    """The curve of one size class up to `most` proposals, with the interval of its AUC [%]."""
    limits = _limits(most)
    recalled, objects = table.recalled_up_to(size, limits)
    recalls = percent(recalled, 10 * objects)
    return Curve(tuple(limits.tolist()), tuple(recalls.tolist()), float(_mean(recalls, limits)), auc_interval)


def auc_hits(table: ObjectTable, size: str, most: int, num_images: int) -> np.ndarray:
    """What each image adds to the AUC: its hits (`ObjectTable.hits`), the mean over the scale; float64 [num_images]."""
    limits = _limits(most)
    return _mean(np.stack([table.hits(size, limit, num_images) for limit in limits]), limits)


def _limits(most: int) -> np.ndarray:
    return np.unique(np.geomspace(1, most, 61).round().astype(int))


def _mean(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Mean of values [limits, ...] over the logarithmic scale of numbers of proposals."""
    scale = np.log(limits)
    return np.trapezoid(values, scale, axis=0) / scale[-1] if len(limits) > 1 else values[0]


def category_recalls(table: ObjectTable, categories: np.ndarray, limits: Sequence[int]) -> dict[str, list[float]]:
    """Average recall [%] of each category's objects at each number of proposals; categories: [O] names, "" of none."""
    return {
        name: [_average(*table.recalled("all", limit, categories == name)) for limit in limits]
        for name in sorted(set(categories.tolist()) - {""})
    }
