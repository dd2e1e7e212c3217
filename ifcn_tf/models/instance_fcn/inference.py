"""InstanceFCN for inference: weights as constants, masks assembled only for the windows that are asked for."""

from __future__ import annotations

import keras
import tensorflow as tf

from ifcn_tf.config.network import require_narrow_blend
from ifcn_tf.models.constant_weights import with_constant_weights
from ifcn_tf.models.instance_fcn.assembler import assemble_blended

Tensors = dict[str, tf.Tensor]


class InferenceModel:
    """A copy of an InstanceFCN's present weights, in the form that `Proposer` takes (its `WindowModel`).

    Args:
        model: `build_instance_fcn`'s model; later changes of its weights do not reach this copy.
        blend_cells: see `ProposerConfig`.

    Raises:
        UserError: relative positions are too narrow for blend_cells.

    Attributes:
        window_cells: side of a window [cells].
    """

    def __init__(self, model: keras.Model, blend_cells: int = 0) -> None:
        names = ("score_maps", "objectness_map")
        maps = {name: model.get_layer(name).output for name in names}
        self._network = with_constant_weights(keras.Model(model.input["image"], maps))
        assembler = model.get_layer("mask_logits")
        self._k, self.window_cells, self._blend_cells = assembler.k, assembler.cells, blend_cells
        require_narrow_blend(blend_cells, self._k, self.window_cells)

    def features(self, image: tf.Tensor) -> Tensors:
        """float32 [1, H, W, 3] -> {"score_maps": [1, h, w, k * k], "objectness_map": [1, h, w, 1]}, float32 logits."""
        return {name: tf.cast(maps, tf.float32) for name, maps in self._network(image).items()}

    def objectness(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Windows int32 [N, 2] -> logits [N]."""
        return tf.gather_nd(features["objectness_map"][0, ..., 0], windows)

    def masks(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Windows int32 [N, 2] -> logits [N, m, m]."""
        maps = features["score_maps"]
        return assemble_blended(maps, windows[None], self._k, self.window_cells, self._blend_cells)[0]
