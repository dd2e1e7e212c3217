"""`proposing.edges` in NumPy: masks that follow the edges of the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from ifcn_tf.engines.onnx_images import resize
from ifcn_tf.masks.edges import enlarge, fit_to_colours
from ifcn_tf.masks.paste import PROBABILITY_MARGIN


def follow_edges(
    mask_logits: np.ndarray,
    places: np.ndarray,
    image: np.ndarray,
    pyramid_hw: Sequence[tuple[int, int]],
    window_px: int,
    samples: int,
) -> np.ndarray:
    """`proposing.edges.follow_edges`: float32 [n, m, m] and int [n, 3] -> float32 [n, samples m, samples m]."""
    cells = mask_logits.shape[-1]
    scale, sizes = places[:, 0], np.array(pyramid_hw)
    held = _hold(mask_logits, places[:, 1:] * cells // window_px, -(-sizes * cells // window_px)[scale])
    grids = np.maximum((2 * sizes * cells * samples + window_px) // (2 * window_px), 1)
    colours = _colours(image, grids, scale, places[:, 1:] * cells * samples // window_px, cells * samples)
    fitted, trust = fit_to_colours(special.expit(held), colours)
    fitted = np.clip(fitted, PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
    return trust * special.logit(fitted) + (1 - trust) * enlarge(held, samples)


def _hold(mask_logits: np.ndarray, first: np.ndarray, size_hw: np.ndarray) -> np.ndarray:
    rows, columns = (_inside(first, size_hw, axis, mask_logits.shape[-1]) - first[:, axis, None] for axis in (0, 1))
    return mask_logits[np.arange(len(mask_logits))[:, None, None], rows[:, :, None], columns[:, None]]


def _colours(
    image: np.ndarray, grids_hw: np.ndarray, scale: np.ndarray, first: np.ndarray, count: int
) -> list[np.ndarray]:
    pixels = np.concatenate([resize(image, *size).reshape(-1, 3) for size in grids_hw])
    starts, size_hw = np.cumsum(grids_hw.prod(1)) - grids_hw.prod(1), grids_hw[scale]
    rows, columns = (_inside(first, size_hw, axis, count) for axis in (0, 1))
    row_starts = starts[scale, None] + rows * size_hw[:, 1, None]
    return list(np.moveaxis((pixels / 255)[row_starts[:, :, None] + columns[:, None]], -1, 0))


def _inside(first: np.ndarray, size_hw: np.ndarray, axis: int, count: int) -> np.ndarray:
    return np.clip(first[:, axis, None] + np.arange(count), 0, size_hw[:, axis, None] - 1)
