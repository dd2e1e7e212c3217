"""Weights as constants of a graph, for inference."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ifcn_tf.models.parts.normalized import for_inference

#: Kernels of more numbers stay variables: a constant is copied with its graph, several times while that is prepared.
_LARGEST = 2**24


def with_constant_weights(model: keras.Model) -> Callable[[Any], Any]:
    """Binds a model to a copy of its present weights, in the precision in which each layer computes.

    Normalisation is folded into its convolutions. With variables TensorFlow casts and re-orders all weights on every
    call; constants it prepares once. The largest stay variables. The model keeps its float32 variables.

    Args:
        model: a built functional model.

    Returns:
        A function with the inputs and outputs of `model`, for inference, to be called inside a `tf.function`.
    """
    network = for_inference(model)
    # A real copy: an eager read may share the variable's memory, and would then see later changes.
    copies = {id(variable): np.array(variable) for variable in network.weights}
    kernels = {key: value for key, value in copies.items() if value.ndim > 1 and value.size <= _LARGEST}
    others = {key: tf.Variable(value, trainable=False) for key, value in copies.items() if key not in kernels}
    of_graph: weakref.WeakKeyDictionary[tf.Graph, dict[int, tf.Tensor]] = weakref.WeakKeyDictionary()

    def weights(variables: list[keras.Variable]) -> list[tf.Tensor]:
        # Kernels become constants of the graph, one for all calls in it. Biases are variables: constant folding
        # rewrites a constant bias such that it is no longer fused with its convolution, a third of the speed lost.
        graph = tf.compat.v1.get_default_graph()
        if graph not in of_graph:
            of_graph[graph] = {key: tf.constant(value) for key, value in kernels.items()}
        return [of_graph[graph][id(v)] if id(v) in kernels else tf.convert_to_tensor(others[id(v)]) for v in variables]

    # Traced once for all scales of a graph, which inlines it. Keras has no code for autograph to rewrite.
    run = tf.function(
        lambda *arguments: network.stateless_call(*arguments, training=False)[0], autograph=False, reduce_retracing=True
    )

    def call(inputs: Any) -> Any:
        return run(weights(network.trainable_variables), weights(network.non_trainable_variables), inputs)

    return call
