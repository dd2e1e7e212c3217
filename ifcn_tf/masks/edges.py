"""Window masks that follow the edges of the picture, with operators alone, so that arrays and tensors both work.

The guided filter (He, Sun and Tang, ECCV 2010) takes a mask, in the neighbourhood of each cell, for a linear function
of the colours. It is fitted on the cells of the mask and evaluated at finer samples, as in "Fast Guided Filter" (He and
Sun, arXiv:1505.00996), so most of the work is that of the coarse grid. Where the colours say nothing about the mask, it
stays as the network predicts it, which the filter itself would blur.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from operator import add
from typing import Any

import numpy as np

#: Side of a neighbourhood is 2 RADIUS + 1 [cells].
RADIUS = 2
#: Variance of a colour (0..1) that is noise: smaller differences explain no mask.
_NOISE = 3e-4
#: Variance of a probability that is none.
_FLAT = 1e-4
#: Share of a mask's variance that the colours must explain to count as much as the prediction.
_EXPLAINED = 0.05


def fit_to_colours(probabilities: Any, colours: Sequence[Any]) -> tuple[Any, Any]:
    """The masks that colours suggest.

    Args:
        probabilities: float32 [n, m, m], the masks as predicted.
        colours: float32 [n, s m, s m] in 0..1 for each of red, green and blue: s x s samples of the picture a cell.

    Returns:
        The masks at the samples as the colours around have them, and how much they count beside the prediction (0..1),
        both float32 [n, s m, s m]. The masks may leave 0..1 a little.
    """
    cells = probabilities.shape[-1]
    samples = colours[0].shape[-1] // cells
    seen = [_resample(colour, _averages(cells, samples)) for colour in colours]
    mean = partial(_resample, matrix=_neighbourhoods(cells))
    means, mean_mask = [mean(colour) for colour in seen], mean(probabilities)
    covariances = [mean(colour * probabilities) - m * mean_mask for colour, m in zip(seen, means, strict=True)]
    variances = [
        [mean(seen[i] * seen[j]) - means[i] * means[j] + (_NOISE if i == j else 0.0) for j in range(len(seen))]
        for i in range(len(seen))
    ]
    slopes = _solve(variances, covariances)
    explained = _dot(slopes, covariances) / (mean(probabilities * probabilities) - mean_mask * mean_mask + _FLAT)
    blur = partial(_resample, matrix=interpolation(cells, samples) @ _neighbourhoods(cells))
    fitted = _dot([blur(slope) for slope in slopes], colours) + blur(mean_mask - _dot(slopes, means))
    return fitted, blur(explained / (explained + _EXPLAINED))


def enlarge(maps: Any, samples: int) -> Any:
    """Maps [n, m, m], interpolated bilinearly between cell centres to `samples` values a cell: [n, s m, s m].

    Beyond the outermost centres the nearest cell holds, as in `paste`, to which the finer maps of an odd number of
    samples are the same masks.
    """
    return _resample(maps, interpolation(maps.shape[-1], samples))


def interpolation(cells: int, samples: int) -> np.ndarray:
    """Shares of cells in samples along one axis, float32 [samples * cells, cells]: linear between cell centres."""
    position = np.clip((np.arange(samples * cells) + 0.5) / samples - 0.5, 0, cells - 1)
    return np.maximum(1 - abs(position[:, None] - np.arange(cells)), 0).astype(np.float32)


def _averages(cells: int, samples: int) -> np.ndarray:
    """Shares of samples in cells along one axis, float32 [cells, samples * cells]."""
    return np.repeat(np.eye(cells, dtype=np.float32), samples, 1) / samples


def _neighbourhoods(cells: int) -> np.ndarray:
    """Shares of cells in the neighbourhood of each, along one axis, float32 [cells, cells]."""
    near = abs(np.arange(cells)[:, None] - np.arange(cells)) <= RADIUS
    return (near / near.sum(1, keepdims=True)).astype(np.float32)


def _resample(maps: Any, matrix: np.ndarray) -> Any:
    """Maps [n, a, a] with a matrix [b, a] along both axes: [n, b, b]."""
    return matrix @ maps @ matrix.T


def _dot(first: Sequence[Any], second: Sequence[Any]) -> Any:
    return reduce(add, (a * b for a, b in zip(first, second, strict=True)))


def _solve(matrix: list[list[Any]], values: list[Any]) -> list[Any]:
    """Solves a positive definite system of equations for each cell, by elimination; maps in place of numbers."""
    size, rows = len(values), [[*row, value] for row, value in zip(matrix, values, strict=True)]
    for k in range(size):
        for i in range(k + 1, size):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    solution: list[Any] = []
    for k in reversed(range(size)):
        known = sum(a * x for a, x in zip(rows[k][k + 1 : size], solution, strict=True))
        solution.insert(0, (rows[k][size] - known) / rows[k][k])
    return solution
