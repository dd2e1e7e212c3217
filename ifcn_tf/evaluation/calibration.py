"""Whether scores are what they say: the IoU with an object that is to be expected of a proposal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

#: A proposal of which a crowd covers this share counts as neither good nor bad, as in COCO's evaluation.
CROWD_SHARE = 0.5
#: A tenth with more proposals than this is drawn.
FEW = 50
_TENTHS = 10


def best_ious(ious: np.ndarray, crowd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How good the proposals of an image are.

    Args:
        ious: float [D, G] with its objects; of a crowd, the part of the proposal that lies in it.
        crowd: bool [G], which objects are crowds.

    Returns:
        Highest IoU with an object, float64 [D], 0 where there is none; whether the proposal counts, bool [D]: a crowd
        does not cover half of it.
    """
    best, covered = (ious[:, chosen].max(1, initial=0.0) for chosen in (~crowd, crowd))
    return best, covered < CROWD_SHARE


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Proposals by tenths of their scores, [0, .1) and so on; the last one has 1 too.

    Attributes:
        counts: int64 [10], proposals.
        scores: float64 [10], their mean score, NaN where there is none.
        ious: float64 [10], mean of their highest IoU with an object, likewise.
    """

    counts: np.ndarray
    scores: np.ndarray
    ious: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, ious: np.ndarray) -> Calibration:
        """Of proposals with scores in 0..1, float [D], and their highest IoUs, float [D]."""
        tenth = np.minimum((scores * _TENTHS).astype(int), _TENTHS - 1)
        counts = np.bincount(tenth, minlength=_TENTHS)
        with np.errstate(invalid="ignore"):
            means = [np.bincount(tenth, values, _TENTHS) / counts for values in (scores, ious)]
        return cls(counts, *means)

    @property
    def error(self) -> float:
        """Expected calibration error: how far mean score and mean IoU of a tenth lie apart, averaged over proposals."""
        return float(np.nansum(self.counts * abs(self.scores - self.ious)) / max(self.counts.sum(), 1))

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, the tenths without proposals left out."""
        rows = zip(self.counts.tolist(), self.scores.tolist(), self.ious.tolist(), strict=True)
        tenths = [
            {"from": i / _TENTHS, "proposals": count, "mean_score": round(score, 6), "mean_iou": round(iou, 6)}
            for i, (count, score, iou) in enumerate(rows)
            if count
        ]
        return {"expected_calibration_error": round(self.error, 6), "tenths": tenths}


def calibration(judged: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[Calibration | None, list[str]]:
    """The calibration of the proposals of many images.

    Args:
        judged: of each image the scores and highest IoUs of the proposals that count, float [D] both.

    Returns:
        The calibration, or None and a note why there is none.
    """
    scores, ious = (np.concatenate([pair[i] for pair in judged]) for i in (0, 1))
    if not len(scores):
        return None, ["no proposal counts: no reliability plot"]
    outside = scores[(scores < 0) | (scores > 1)]
    if not len(outside):
        return Calibration.of(scores, ious), []
    note = f"{len(outside)} of {len(scores)} scores lie outside of 0..1, such as {outside[0]:.9g}: no reliability plot"
    return None, [note]
