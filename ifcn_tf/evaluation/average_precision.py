"""Average precision of ranked detections, as PASCAL VOC measures it, also of resampled images."""

from __future__ import annotations

import dataclasses

import numpy as np

#: Recalls at which the 11-point average takes precision (VOC until 2009).
_ELEVEN = np.linspace(0, 1, 11)
#: Recalls are sums of whole numbers, divided: one that should equal another may lie so far below it.
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Detections:
    """What was said of one category in all images, best score first.

    Attributes:
        image: int64 [D], number of the image of each.
        correct: bool [D], whether it is matched to an object.
        counts: bool [D]; one that lies in a crowd is neither right nor wrong.
        objects: int64 [images], objects of the category.
    """

    image: np.ndarray
    correct: np.ndarray
    counts: np.ndarray
    objects: np.ndarray

    def average_precisions(self, draws: np.ndarray) -> np.ndarray:
        """Average precision where images count several times: by 11 points, and as the area under the curve.

        Precision at a recall is the highest at this or any higher one (Everingham et al., IJCV 2010 and 2015).

        Args:
            draws: int [R, images], how often each image counts.

        Returns:
            float64 [2, R] in 0..1, in this order; NaN where no object is drawn.
        """
        weights = draws[:, self.image] * self.counts
        found, made = np.cumsum(weights * self.correct, 1), np.cumsum(weights, 1)
        objects = (draws @ self.objects)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = found / objects
        precision = np.divide(found, made, out=np.zeros(made.shape), where=made > 0)
        best = np.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]
        area = (np.diff(recall, prepend=0.0, axis=1) * best).sum(1)
        eleven = np.mean([_at_recall(recall, best, level) for level in _ELEVEN], 0)
        return np.where(objects[:, 0] > 0, [eleven, area], np.nan)


def _at_recall(recall: np.ndarray, best: np.ndarray, level: float) -> np.ndarray:
    """Highest precision [R] at a recall of `level` or more, of rising recalls [R, D]; 0 where none is as high."""
    return np.where(recall >= level - _ROUNDING, best, 0.0).max(1, initial=0.0)
