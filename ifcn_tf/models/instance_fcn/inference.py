"""InstanceFCN for inference: weights as constants, masks assembled only for the windows that are asked for."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ifcn_tf.config.proposing import require_narrow_blend
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


def with_constant_weights(model: keras.Model) -> Callable[[Any], Any]:
    """Binds a model to a copy of its present weights, in the precision in which each layer computes.

    With variables TensorFlow casts and re-orders all weights on every call; constants it prepares once. The model keeps
    its float32 variables.

    Args:
        model: a built functional model.

    Returns:
        A function with the inputs and outputs of `model`, for inference, to be called inside a `tf.function`.
    """
    # A real copy: an eager read may share the variable's memory, and would then see later changes.
    copies = {
        id(variable): tf.constant(np.array(variable), layer.compute_dtype)
        for layer in model.layers
        for variable in layer.weights
    }
    kernels = {key: value.numpy() for key, value in copies.items() if value.shape.rank > 1}
    biases = {key: tf.Variable(value, trainable=False) for key, value in copies.items() if value.shape.rank == 1}
    of_graph: weakref.WeakKeyDictionary[tf.Graph, dict[int, tf.Tensor]] = weakref.WeakKeyDictionary()

    def weights(variables: list[keras.Variable]) -> list[tf.Tensor]:
        # Kernels become constants of the graph, one for all calls in it. Biases are variables: constant folding
        # rewrites a constant bias such that it is no longer fused with its convolution, a third of the speed lost.
        graph = tf.compat.v1.get_default_graph()
        if graph not in of_graph:
            of_graph[graph] = {key: tf.constant(value) for key, value in kernels.items()}
        return [of_graph[graph][id(v)] if id(v) in kernels else tf.convert_to_tensor(biases[id(v)]) for v in variables]

    def call(inputs: Any) -> Any:
        trainable, frozen = weights(model.trainable_variables), weights(model.non_trainable_variables)
        return model.stateless_call(trainable, frozen, inputs, training=False)[0]

    return call
