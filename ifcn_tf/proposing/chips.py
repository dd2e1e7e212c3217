"""Which part of a finer scale is looked at: the focus chips of AutoFocus (Najibi et al., ICCV 2019), one a scale."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from ifcn_tf.geometry import WindowGrid
from ifcn_tf.models.focus import POOLED

#: Among the features of a scale that is seen in part, which part: its first cell, and the first and end ones of those
#: whose windows are judged, (y, x) in the map of the whole: int32 [3, 2].
CHIP = "chip"
#: Chips are made of blocks of so many cells a side, of the features that they are told from.
BLOCK_CELLS = 4
#: Around the cells whose windows are judged so many more are computed: half a window, and what its border sees.
_MARGIN = 12
#: Chips begin at multiples of so many cells, as trunks halve images again after the stride of cells.
_ALIGNED = 4


class Focusing(NamedTuple):
    """What tells where to look: a `models.focus.Focus` in a graph."""

    network: Callable[[tf.Tensor], tf.Tensor]
    seen_from: int
    sides: tuple[int, ...]


class Chip(NamedTuple):
    """A part of an image of the pyramid, int32 [2] (y, x) each.

    Attributes:
        origin: its first cell.
        first, end: the cells whose windows are judged: from here on, and up to here.
        pixels, pixels_end: where it lies in the image [px], alike.
    """

    origin: tf.Tensor
    first: tf.Tensor
    end: tf.Tensor
    pixels: tf.Tensor
    pixels_end: tf.Tensor


def chip_of(blocks: tf.Tensor, seen_hw: tf.Tensor, size_hw: tf.Tensor, grid: WindowGrid) -> Chip:
    """The chip that shows some blocks.

    Args:
        blocks: int32 [2, 2], first and end block (y, x), of `densest`.
        seen_hw: size of the image whose features the blocks are of, int32 [2] [px].
        size_hw: size of the finer image, alike.
        grid: the windows.
    """
    cells = tf.stack(grid.map_hw(*tf.unstack(size_hw)))
    first = tf.minimum(blocks[0] * BLOCK_CELLS * size_hw // seen_hw, cells - 1)
    end = tf.minimum(-(-blocks[1] * BLOCK_CELLS * size_hw // seen_hw), cells)
    origin = tf.maximum(first - _MARGIN, 0) // _ALIGNED * _ALIGNED
    pixels_end = tf.minimum((end + _MARGIN) * grid.stride, size_hw)
    return Chip(origin, first, end, origin * grid.stride, pixels_end)


def blocks_of(heat: tf.Tensor) -> tf.Tensor:
    """Means over blocks: float32 [1, h, w, S], of the cells of a focus -> float32 [r, c, S]."""
    side = BLOCK_CELLS // POOLED
    return tf.nn.avg_pool2d(heat, side, side, "SAME")[0]


def densest(heat: tf.Tensor, threshold: float) -> tf.Tensor:
    """The rectangle of blocks where most is expected for its area: that of the highest sum of heat above a threshold.

    Its own mean is higher than the threshold, and so is that of whatever row or column of it might be left out at a
    side. Where no block's is, it is the hottest block.

    Args:
        heat: float32 [r, c], of each block.
        threshold: what the heat of a block has to be worth.

    Returns:
        int32 [2, 2], first and end block (y, x).
    """
    sums = tf.pad(tf.cumsum(tf.cumsum(heat - threshold, 0), 1), [[1, 0], [1, 0]])
    bands = _later_less_earlier(sums, 0)  # [top, bottom, end]
    gains = _later_less_earlier(bands, 2)  # [top, bottom, left, right]
    rows, columns = (_later_less_earlier(tf.range(size), 0) > 0 for size in tf.unstack(tf.shape(sums)))
    is_some = tf.expand_dims(tf.expand_dims(rows, 2), 3) & columns
    best = tf.argmax(tf.reshape(tf.where(is_some, gains, -math.inf), [-1]), output_type=tf.int32)
    places = []
    for size in reversed(tf.unstack(tf.shape(gains))):
        places.append(best % size)
        best //= size
    right, left, bottom, top = places
    return tf.stack([[top, left], [bottom, right]])


def _later_less_earlier(values: tf.Tensor, axis: int) -> tf.Tensor:
    """Of an axis two, [..., earlier, later, ...]: how much each value is larger than each other one."""
    return tf.expand_dims(values, axis) - tf.expand_dims(values, axis + 1)
