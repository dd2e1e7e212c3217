"""The numbers that papers report, from a table of objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ifcn_tf.evaluation.matching import SIZES, THRESHOLDS
from ifcn_tf.evaluation.table import ObjectTable

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


def average_recall(recalls: np.ndarray) -> float:
    """Mean over COCO's ten thresholds, without the last one of THRESHOLDS."""
    return float(recalls[:-1].mean())


def hosang_integral(recalls: np.ndarray) -> float:
    """2 * integral of recall over IoU from .5 to 1."""
    return float(2 * np.trapezoid(recalls, dx=_STEP))


def measure(
    table: ObjectTable, size: str, limits: Sequence[int], intervals: dict[int, tuple[float, float]]
) -> list[Measure]:
    """Measures of one size class at each number of proposals; `intervals` [%] of the AR, by number of proposals."""
    counted = table.counted[list(SIZES).index(size)]
    found = []
    for i, limit in enumerate(limits):
        recalls = 100 * table.recalls(size, limit)
        best = 100 * table.best_ious[counted, i].mean() if counted.any() else np.nan
        found.append(
            Measure(
                size,
                limit,
                int(counted.sum()),
                average_recall(recalls),
                intervals[limit],
                hosang_integral(recalls),
                tuple(recalls.tolist()),
                float(best),
            )
        )
    return found


@dataclasses.dataclass(frozen=True)
class Curve:
    """Average recall against the number of proposals (DeepMask, figure 4).

    Attributes:
        limits: numbers of proposals, evenly spaced on a logarithmic scale from 1 on.
        recalls: average recall at each [%].
        auc: its mean over that scale [%], DeepMask's AUC.
    """

    limits: tuple[int, ...]
    recalls: tuple[float, ...]
    auc: float


def curve(table: ObjectTable, size: str, most: int) -> Curve:
    """The curve of one size class up to `most` proposals."""
    limits = np.unique(np.geomspace(1, most, 61).round().astype(int))
    recalls = 100 * table.average_recall_curve(size, limits)
    scale = np.log(limits)
    auc = np.trapezoid(recalls, scale) / scale[-1] if most > 1 else recalls[0]
    return Curve(tuple(limits.tolist()), tuple(recalls.tolist()), float(auc))


def category_recalls(table: ObjectTable, categories: np.ndarray, limits: Sequence[int]) -> dict[str, list[float]]:
    """Average recall [%] of each category's objects at each number of proposals; categories: [O] names."""
    return {
        name: [100 * average_recall(table.recalls("all", limit, categories == name)) for limit in limits]
        for name in sorted(set(categories.tolist()))
    }
