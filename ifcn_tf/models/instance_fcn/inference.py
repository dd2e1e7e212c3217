"""InstanceFCN for inference: weights as constants, masks assembled only for the windows that are asked for."""

from __future__ import annotations

import keras
import tensorflow as tf

from ifcn_tf.models.instance_fcn.assembler import assemble_blended
from ifcn_tf.models.parts.constant_weights import with_constant_weights

Tensors = dict[str, tf.Tensor]


class InferenceModel:
    """A copy of an InstanceFCN's present weights, in the form that `Proposer` takes (its `WindowModel`).

    Args:
        map_model: image -> "score_maps" and "objectness_map"; later changes of its weights do not reach this copy.
        k: relative positions a side.
        cells: side of a window [cells].
        blend_cells: see `ProposerConfig`.
    """

    def __init__(self, map_model: keras.Model, k: int, cells: int, blend_cells: int = 0) -> None:
        self._network = with_constant_weights(map_model)
        self._k, self._cells, self._blend_cells = k, cells, blend_cells

    def features(self, image: tf.Tensor) -> Tensors:
        """Image float32 [1, H, W, 3], RGB -> "score_maps" [1, h, w, k * k] and "objectness_logits" [1, h, w], float32.

        Map bin_y * k + bin_x scores "this cell is that part of an object"; objectness is of the window centred at a
        cell.
        """
        maps = self._network(image)
        return {
            "score_maps": tf.cast(maps["score_maps"], tf.float32),
            "objectness_logits": tf.cast(maps["objectness_map"][..., 0], tf.float32),
        }

    def objectness(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Windows int32 [N, 2] -> logits [N]."""
        return tf.gather_nd(features["objectness_logits"][0], windows)

    def masks(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Windows int32 [N, 2] -> logits [N, m, m]."""
        maps = features["score_maps"]
        return assemble_blended(maps, windows[None], self._k, self._cells, self._blend_cells)[0]
