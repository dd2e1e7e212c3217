"""How far an average recall would move with other images: the bootstrap over images (Efron, 1979)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def resample(num_images: int, resamples: int, seed: int) -> np.ndarray:
    """How often each image is drawn in each resample: int64 [resamples, num_images], every row sums to num_images."""
    return np.random.default_rng(seed).multinomial(num_images, np.full(num_images, 1 / num_images), resamples)


def resampled_recalls(draws: np.ndarray, hits: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Average recall [%] of every resample, float64 [resamples]; NaN where a resample holds no object.

    Args:
        draws: [resamples, images], from `resample`.
        hits: int [images], recalled objects summed over the ten thresholds.
        objects: int [images].
    """
    with np.errstate(invalid="ignore"):
        return 100 * (draws @ hits) / (10 * (draws @ objects))


def interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """The middle part of resampled values that holds `confidence` of them (percentile interval); NaN of none."""
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan, np.nan
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def p_value(values: np.ndarray) -> float:
    """Of "there is no difference", two-sided, by resampled differences: twice the share of them on the rarer side of 0.

    Below 1 - c it says what the interval of confidence c says that leaves out 0. One resample more is counted on either
    side, so that it is never 0 (Davison and Hinkley, 1997). NaN of none.
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan
    rarer = min(int((values <= 0).sum()), int((values >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(values) + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of several comparisons, corrected for their number (Holm, 1979), in the same order.

    The smallest of m counts m times, the next m - 1 times and so on, and none less than one before it.
    """
    order = np.argsort(p_values, kind="stable")
    counted = np.asarray(p_values, np.float64)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.maximum.accumulate(counted).clip(max=1)
    return corrected.tolist()
