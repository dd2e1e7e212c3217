"""Masks at image size, as run lengths: made from window logits without ever painting a full-size canvas.

Run lengths are COCO's (column by column, compressed by pycocotools): {"size": [H, W], "counts": str}.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.masks.rle import Rle

#: Pixel columns worked on at a time; bounds the memory of `paste`, whatever the number of masks.
_COLUMNS_A_CHUNK = 20_000


def paste(
    mask_logits: np.ndarray, windows_yxyx: np.ndarray, size_hw: tuple[int, int], threshold: float = 0.4
) -> list[Rle]:
    """Brings window masks to image size.

    A pixel belongs to the mask where the logits, interpolated bilinearly between cell centres at the pixel's centre,
    reach the threshold. Along a column of pixels that is a piecewise linear function, so each run of the mask begins
    and ends where it crosses the threshold: the run lengths follow from the crossings, and no pixel is visited.
    Beyond the outermost cell centres of the window or of the image, the nearest cell holds.

    Args:
        mask_logits: float [N, m, m].
        windows_yxyx: float [N, 4], where each mask lies [px]; windows may overhang the image, cut off there.
        size_hw: image size [px].
        threshold: probability from which on a pixel belongs to the mask.

    Returns:
        N masks of size `size_hw`; one may be empty.
    """
    mask_logits, cut = np.asarray(mask_logits, np.float32), np.float32(logit(threshold))
    grid = _PixelGrid(np.asarray(windows_yxyx, np.float64), mask_logits.shape[1], size_hw)
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        pasted = pool.map(lambda chunk: _paste_chunk(mask_logits[chunk] - cut, grid.select(chunk)), grid.chunks())
        return [rle for rles in pasted for rle in rles]


#: Mean probabilities are kept this far from 0 and 1, so that their logits stay finite.
PROBABILITY_MARGIN = 1e-4


def logit(probability: float) -> float:
    """The logit whose sigmoid is a probability between 0 and 1."""
    return math.log(probability / (1 - probability))


def logits(probabilities: np.ndarray) -> np.ndarray:
    """`logit` of each probability, float64; of 0 and 1 about -87 and 17, the ends of what float32 resolves."""
    clipped = np.clip(np.asarray(probabilities, np.float64), np.finfo(np.float32).tiny, 1 - 2.0**-24)
    return np.log(clipped) - np.log1p(-clipped)


def crop(mask: np.ndarray, window_yxyx: Sequence[float], cells: int) -> np.ndarray:
    """Share of each cell of a window that a mask covers: the exact average over the cell's area.

    Args:
        mask: bool [H, W].
        window_yxyx: the window [px]; it may overhang the mask, which is empty there.
        cells: cells a side of the window.

    Returns:
        float64 [cells, cells] in 0..1.
    """
    top, left, bottom, right = window_yxyx
    integral = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
    integral[1:, 1:] = mask.cumsum(0).cumsum(1)
    rows = _interpolate(integral, np.linspace(top, bottom, cells + 1))
    sums = _interpolate(rows.T, np.linspace(left, right, cells + 1)).T
    return np.diff(np.diff(sums, axis=0), axis=1) / ((bottom - top) * (right - left) / cells**2)


def _interpolate(table: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Rows of `table` at real-valued positions, linearly between its rows and constant beyond them."""
    positions = np.clip(positions, 0, len(table) - 1)
    lower = np.minimum(positions.astype(int), len(table) - 2)
    share = (positions - lower)[:, None]
    return table[lower] * (1 - share) + table[lower + 1] * share


class _PixelGrid:
    """Where the pixels of an image fall in windows of m x m cells, for N windows at once."""

    def __init__(self, windows_yxyx: np.ndarray, resolution: int, size_hw: tuple[int, int]) -> None:
        self.windows_yxyx, self.resolution, self.size_hw = windows_yxyx, resolution, size_hw
        self.origin = windows_yxyx[:, :2]
        self.cell = (windows_yxyx[:, 2:] - self.origin) / resolution  # [px]
        # Pixels whose centre lies in the window and which exist: first and end, [N, 2].
        self.first = np.clip(np.ceil(self.origin - 0.5), 0, size_hw).astype(np.int64)
        self.end = np.clip(np.ceil(windows_yxyx[:, 2:] - 0.5), self.first, size_hw).astype(np.int64)

    def select(self, chunk: slice) -> _PixelGrid:
        """The same for some of the windows."""
        return _PixelGrid(self.windows_yxyx[chunk], self.resolution, self.size_hw)

    def chunks(self) -> Iterator[slice]:
        """Slices of windows with about _COLUMNS_A_CHUNK pixel columns each."""
        columns = np.cumsum(self.end[:, 1] - self.first[:, 1])
        start = 0
        while start < len(columns):
            done = columns[start - 1] if start else 0
            stop = max(int(np.searchsorted(columns, done + _COLUMNS_A_CHUNK, "right")), start + 1)
            yield slice(start, stop)
            start = stop

    def replace_cells_outside(self, values: np.ndarray) -> None:
        """Gives cells that lie wholly outside the image the value of the nearest cell that does not, in place."""
        tolerance = 1e-3  # cells; windows are rounded to float32
        last = self.resolution - 1
        lowest = np.clip(np.floor(-self.origin / self.cell + tolerance), 0, last).astype(int)
        highest = np.clip(np.ceil((self.size_hw - self.origin) / self.cell - tolerance) - 1, 0, last).astype(int)
        overhang = np.flatnonzero(np.any((lowest > 0) | (highest < last), axis=1))
        rows, columns = (
            np.clip(np.arange(self.resolution), lowest[overhang, axis, None], highest[overhang, axis, None])
            for axis in (0, 1)
        )
        values[overhang] = values[overhang[:, None, None], rows[:, :, None], columns[:, None, :]]


def _paste_chunk(values: np.ndarray, grid: _PixelGrid) -> list[Rle]:
    """Run lengths of masks, of values that are positive inside [n, m, m], which it changes."""
    height, width = grid.size_hw
    grid.replace_cells_outside(values)
    mask, x, column = _columns(values, grid)
    # Events: where a column enters or leaves its mask. Event i lies between cells i - 1 and i, event 0 at the window's
    # first row of pixels and event m at its end. In row-major order they alternate: enter, leave, enter, leave.
    inside = np.zeros((len(column), grid.resolution + 2), bool)
    np.greater_equal(column, 0, out=inside[:, 1:-1])
    # One-dimensional, since NumPy finds what is not zero in a matrix in two to four times the time.
    event_column, event = np.divmod(np.flatnonzero(inside[:, 1:] != inside[:, :-1]), grid.resolution + 1)
    event_mask = mask[event_column]
    enters = inside[event_column, event + 1]
    before = column[event_column, np.maximum(event - 1, 0)]
    after = column[event_column, np.minimum(event, grid.resolution - 1)]
    crossing = event - 0.5 + before / np.where(before == after, 1, before - after)  # [cells]
    y = grid.origin[event_mask, 0] + crossing * grid.cell[event_mask, 0] - 0.5  # in units in which pixel r is at r
    row = np.where(enters, np.ceil(y), np.floor(y) + 1).astype(np.int64)
    first, end = grid.first[event_mask, 0], grid.end[event_mask, 0]
    row = np.where(event == 0, first, np.where(event == grid.resolution, end, np.clip(row, first, end)))
    return _encode(event_mask, x[event_column] * height + row, len(values), height, width)


def _columns(values: np.ndarray, grid: _PixelGrid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixel columns that can hold a part of a mask: mask [C], x [C], values down the cells [C, m]."""
    widths = grid.end[:, 1] - grid.first[:, 1]
    mask = np.repeat(np.arange(len(values)), widths)
    x = np.arange(len(mask)) - np.repeat(np.cumsum(widths) - widths, widths) + grid.first[mask, 1]
    cell = np.clip((x + 0.5 - grid.origin[mask, 1]) / grid.cell[mask, 1] - 0.5, 0, grid.resolution - 1)
    left = np.minimum(cell.astype(np.int64), grid.resolution - 2)
    occupied = np.any(values >= 0, axis=1)
    used = np.flatnonzero(occupied[mask, left] | occupied[mask, left + 1])
    mask, x, left, share = mask[used], x[used], left[used], (cell[used] - left[used]).astype(np.float32)[:, None]
    by_column = np.ascontiguousarray(values.transpose(0, 2, 1)).reshape(-1, grid.resolution)
    at = mask * grid.resolution + left
    column, change = by_column[at], by_column[at + 1]
    change -= column
    change *= share
    column += change
    return mask, x, column


def _encode(mask: np.ndarray, position: np.ndarray, num_masks: int, height: int, width: int) -> list[Rle]:
    """Run lengths from the sorted positions (x * height + y) at which masks begin and end."""
    # Of several events at one position of one mask pairs cancel: an empty run, or two runs that touch.
    area = height * width
    first_of_run = np.flatnonzero(np.diff(mask * (area + 1) + position, prepend=-1))
    odd = np.diff(first_of_run, append=len(position)) % 2 == 1
    kept = first_of_run[odd]
    ends = np.searchsorted(mask[kept], np.arange(num_masks), "right")
    # Runs lie between events; the last one of each mask ends with the image, and the first begins with it.
    events = np.insert(position[kept], ends, area)
    counts = np.diff(events, prepend=0)
    ends += np.arange(1, num_masks + 1)
    counts[ends[:-1]] = events[ends[:-1]]
    return [_compressed(runs, height, width) for runs in np.split(counts, ends[:-1])]


def _compressed(counts: np.ndarray, height: int, width: int) -> Rle:
    if counts[-1] == 0:  # the mask reaches the last pixel
        counts = counts[:-1]
    rle = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return Rle(size=[height, width], counts=rle["counts"].decode())
