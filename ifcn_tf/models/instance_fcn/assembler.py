"""The instance assembling module (section 3.1): copies a window's mask together from k * k score maps.

A plain FCN has one map that says "object here", in which touching objects melt into one. InstanceFCN has k * k maps,
each of which says "this is the upper left (middle, lower right ...) part of an object". A window of m x m cells is cut
into k x k parts, and each part copies the map of its relative position, at the very place where the window lies. With
k = 2 and a window of 4 x 4 cells the numbers of the maps that are copied are

    0 0 1 1
    0 0 1 1
    2 2 3 3
    2 2 3 3

A cell that two windows share thus has a different answer in each: the right part of one object, the left of the other.

There is no parameter and no interpolation. `assemble` is the paper's, which training uses: one gather. Inference uses
`assemble_blended`, whose masks are the same where it is told to blend nothing.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ifcn_tf.geometry import OUTSIDE_LOGIT, blended_bins, position_bins


@tf.function(autograph=False, reduce_retracing=True)
def assemble(score_maps: tf.Tensor, windows: tf.Tensor, k: int, cells: int) -> tf.Tensor:
    """Assembles the mask logits of windows.

    Cell (i, j) of the window centred at (y, x) copies score map bin(i) * k + bin(j) at (y - cells // 2 + i,
    x - cells // 2 + j).

    Args:
        score_maps: float [B, h, w, k * k], logits.
        windows: int32 [B, N, 2], centre cells (y, x), each on the map: 0 <= y < h, 0 <= x < w.
        k: relative positions a side.
        cells: side of a window [cells].

    Returns:
        float [B, N, cells, cells], dtype of `score_maps`; cells outside the map hold OUTSIDE_LOGIT.
    """
    bins = position_bins(k, cells)
    return _copy(tf.transpose(score_maps, [0, 3, 1, 2]), windows, k, bins, bins)


def assemble_blended(score_maps: tf.Tensor, windows: tf.Tensor, k: int, cells: int, radius: int) -> tf.Tensor:
    """As `assemble`, but near a border between relative positions the maps of both sides are averaged.

    A mask then is the mean over the bins of windows shifted by up to `radius` cells along each axis, which removes the
    seams between neighbouring parts; not in the paper. The masks of `radius` 0 are those of `assemble`.
    """
    if not radius:
        return assemble(score_maps, windows, k, cells)
    # The maps are averaged once, each way in which a cell does, and not each window's cells.
    shares = np.zeros((cells, k), np.float32)
    for bins, share in blended_bins(k, cells, radius):
        np.add.at(shares, (np.arange(cells), bins), share)
    ways, way = np.unique(shares, axis=0, return_inverse=True)
    products = np.einsum("ap,bq->abpq", ways, ways).reshape(-1, k * k)
    batch, height, width, channels = tf.unstack(tf.shape(score_maps))
    blended = tf.matmul(products, tf.reshape(score_maps, [batch, height * width, channels]), transpose_b=True)
    return _copy(tf.reshape(blended, [batch, len(products), height, width]), windows, len(ways), way, way)


def _copy(maps: tf.Tensor, windows: tf.Tensor, k: int, row_bins: np.ndarray, column_bins: np.ndarray) -> tf.Tensor:
    """Copies the cells of windows from the maps of the given relative positions, int [cells] along each axis.

    The maps, [B, k * k, h, w], lie one after the other, so that the cells of a part are neighbours in memory.
    """
    cells = len(row_bins)
    margin = cells // 2
    border = [[0, 0], [0, 0], [margin, margin], [margin, margin]]
    # The border of OUTSIDE_LOGIT makes a window's top left cell (y, x) of the padded map, and no cell a special case.
    padded = tf.pad(maps, border, constant_values=OUTSIDE_LOGIT)
    batch, count, height, width = tf.unstack(tf.shape(padded))
    rows = np.arange(cells)
    # Offset of each cell from the window's top left one, in the padded maps laid out flat: [cells * cells].
    cell_offsets = tf.reshape(
        ((row_bins[:, None] * k + column_bins[None, :]) * height + rows[:, None]) * width + rows[None, :], [-1]
    )
    y, x = windows[..., 0], windows[..., 1]
    corners = (tf.range(batch)[:, None] * count * height + y) * width + x  # [B, N]
    values = tf.gather(tf.reshape(padded, [-1]), tf.expand_dims(corners, -1) + cell_offsets)
    return tf.reshape(values, [batch, tf.shape(windows)[1], cells, cells])


@keras.saving.register_keras_serializable("ifcn_tf")
class Assembler(keras.layers.Layer):
    """Keras layer around `assemble`: (score_maps [B, h, w, k * k], windows [B, N, 2]) -> [B, N, cells, cells].

    Args:
        k: relative positions a side.
        cells: side of a window [cells].
    """

    def __init__(self, k: int, cells: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k, self.cells = k, cells

    def call(self, score_maps: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        """See `assemble`."""
        return assemble(score_maps, windows, self.k, self.cells)

    def compute_output_shape(self, score_maps_shape: tuple, windows_shape: tuple) -> tuple:
        """[B, N, cells, cells]."""
        return (*windows_shape[:2], self.cells, self.cells)

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild this layer."""
        return {**super().get_config(), "k": self.k, "cells": self.cells}
