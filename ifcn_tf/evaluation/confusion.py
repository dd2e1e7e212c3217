"""How right the classes of pixels are: FCN's four measures, of one confusion matrix (Long et al., section 5)."""

from __future__ import annotations

import numpy as np

from ifcn_tf.common.classes import VOID


def confusion(truth: np.ndarray, found: np.ndarray, count: int) -> np.ndarray:
    """Counts pixels by their true and their found class.

    Args:
        truth: integers [H, W], each below `count`, or VOID, which counts nowhere.
        found: integers [H, W], each below `count` where the truth is not VOID.
        count: number of classes.

    Returns:
        int64 [count, count], true classes by rows.
    """
    counted = truth != VOID
    pairs = truth[counted].astype(np.int64) * count + found[counted]
    return np.bincount(pairs, minlength=count**2).reshape(count, count)


def class_ius(matrices: np.ndarray) -> np.ndarray:
    """IU of each class [%], float64 [..., count], of confusion matrices [..., count, count].

    Intersection over union: right pixels, over those that are of the class in truth or by the answer. NaN where there
    are none.
    """
    right, true, found = _sums(matrices)
    return _percent(right, true + found - right)


def class_accuracies(matrices: np.ndarray) -> np.ndarray:
    """Share of each class's true pixels that is right [%], float64 [..., count]; NaN of a class that has none."""
    right, true, _ = _sums(matrices)
    return _percent(right, true)


def pixel_measures(matrices: np.ndarray) -> dict[str, np.ndarray]:
    """FCN's measures [%] of confusion matrices [..., count, count], each over one whole set of images.

    Returns:
        float64 [...] each, NaN where no pixel counts: "pixel_accuracy", the share of right pixels; "mean_accuracy" and
        "mean_iu", means over the classes that have pixels; "weighted_iu", the mean IU over pixels.
    """
    right, true, _ = _sums(matrices)
    ius, pixels = class_ius(matrices), true.sum(-1)
    return {
        "pixel_accuracy": _percent(right.sum(-1), pixels),
        "mean_accuracy": _mean(class_accuracies(matrices)),
        "mean_iu": _mean(ius),
        "weighted_iu": _percent((true * np.nan_to_num(ius) / 100).sum(-1), pixels),
    }


def _sums(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of each class that are right, that are of it in truth, and by the answer: [..., count] each."""
    return np.diagonal(matrices, axis1=-2, axis2=-1), matrices.sum(-1), matrices.sum(-2)


def _percent(parts: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return 100 * parts / whole


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over the last axis, NaN left out, NaN of nothing else."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(-1) / known.sum(-1)
