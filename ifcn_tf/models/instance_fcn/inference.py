"""InstanceFCN for inference: weights as constants, masks assembled only for the windows that are asked for."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from ifcn_tf.models.instance_fcn.assembler import assemble_blended
from ifcn_tf.models.parts.constant_weights import with_constant_weights

Tensors = dict[str, tf.Tensor]

#: Descriptors are means over every third cell of a window: neighbouring cells tell hardly more, at nine times the cost.
_STEP = 3


class InferenceModel:
    """A copy of an InstanceFCN's present weights, in the form that `Proposer` takes (its `WindowModel`).

    Args:
        model: image -> "score_maps", "objectness_map" and "trunk", the trunk's features; later changes of its weights
            do not reach this copy.
        k: relative positions a side.
        cells: side of a window [cells].
        blend_cells: see `ProposerConfig`.
    """

    def __init__(self, model: keras.Model, k: int, cells: int, blend_cells: int = 0) -> None:
        self._network = with_constant_weights(model)
        self._k, self._cells, self._blend_cells = k, cells, blend_cells

    def features(self, image: tf.Tensor) -> Tensors:
        """Image float32 [1, H, W, 3], RGB -> "score_maps" [1, h, w, k * k] and "objectness_logits" [1, h, w], float32.

        Map bin_y * k + bin_x scores "this cell is that part of an object"; objectness is of the window centred at a
        cell. "trunk" [1, h, w, C], in the precision of the network, is for `descriptors` and refiners.
        """
        maps = self._network(image)
        return {
            "score_maps": tf.cast(maps["score_maps"], tf.float32),
            "objectness_logits": tf.cast(maps["objectness_map"][..., 0], tf.float32),
            "trunk": maps["trunk"],
        }

    def objectness(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Windows int32 [N, 2] -> logits [N]."""
        return tf.gather_nd(features["objectness_logits"][0], windows)

    def masks(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Windows int32 [N, 2] -> logits [N, m, m]."""
        maps = features["score_maps"]
        return assemble_blended(maps, windows[None], self._k, self._cells, self._blend_cells)[0]

    def descriptors(self, features: Tensors, windows: tf.Tensor, mask_logits: tf.Tensor) -> tf.Tensor:
        """Windows int32 [N, 2] and their masks [N, m, m] -> means of the trunk's features, float32 [N, 3 C].

        Inside the mask and outside of it, each cell weighted by its probability, and at the window's centre. Cells
        outside the map count for nothing.
        """
        trunk, half = tf.squeeze(features["trunk"], 0), self._cells // 2
        steps = np.arange(half % _STEP, self._cells, _STEP)
        rows, columns = (sides.ravel() for sides in np.meshgrid(steps, steps, indexing="ij"))
        cells = windows[:, None] + (np.stack([rows, columns], 1) - half).astype(np.int32)  # [N, steps^2, 2]
        last = tf.shape(trunk)[:2] - 1
        on_map = tf.cast(tf.reduce_all((cells >= 0) & (cells <= last), -1), tf.float32)
        values = tf.gather_nd(trunk, tf.clip_by_value(cells, 0, last))
        masks = tf.reshape(mask_logits, [-1, self._cells**2])
        inside = tf.sigmoid(tf.gather(masks, rows * self._cells + columns, axis=1))
        weights = tf.stack([inside, 1 - inside], 1) * on_map[:, None]  # [N, 2, steps^2]
        sums = tf.cast(tf.cast(weights, values.dtype) @ values, tf.float32)
        means = tf.math.divide_no_nan(sums, tf.reduce_sum(weights, -1, keepdims=True))
        centre = tf.cast(tf.gather_nd(trunk, windows), tf.float32)
        return tf.concat([means[:, 0], means[:, 1], centre], 1)

    def in_windows(self, maps: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        """Maps [1, h, w, F] and windows int32 [N, 2] -> the cells of each, [N, m, m, F]; outside, the nearest one's."""
        offsets = tf.range(self._cells) - self._cells // 2
        _, height, width, _ = tf.unstack(tf.shape(maps))
        rows, columns = (
            tf.clip_by_value(windows[:, axis, None] + offsets, 0, last)
            for axis, last in enumerate((height - 1, width - 1))
        )
        return tf.gather(tf.reshape(maps, [-1, maps.shape[-1]]), rows[:, :, None] * width + columns[:, None, :])
