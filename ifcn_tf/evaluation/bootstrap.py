"""How far an average recall would move with other images: the bootstrap over images (Efron, 1979)."""

from __future__ import annotations

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
