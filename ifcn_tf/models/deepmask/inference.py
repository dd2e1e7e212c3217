"""DeepMask for inference: the layers that look at a window slide as convolutions, weights are constants (section 3.3).

A mask has thousands of logits. They are made of the windows that are asked for alone.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from ifcn_tf.models.parts.constant_weights import with_constant_weights

Tensors = dict[str, tf.Tensor]


class InferenceModel:
    """A copy of a DeepMask's present weights, in the form that `Proposer` takes (its `WindowModel`).

    Args:
        model: image -> "mask_features" [B, h, w, C] and "objectness_map" [B, h + 1, w + 1, 1].
        coder: mask features -> codes of the windows around all cells, [B, h + 1, w + 1, D].
        decoder: codes [N, D] -> logits of the masks, [N, m * m].
    """

    def __init__(self, model: keras.Model, coder: keras.Model, decoder: keras.Model) -> None:
        self._network, self._coder, self._decoder = map(with_constant_weights, (model, coder, decoder))

    def features(self, image: tf.Tensor) -> Tensors:
        """Image float32 [1, H, W, 3], RGB -> "mask_features" [1, h, w, C] and "objectness_logits" [1, h, w], float32.

        Mask features are what a mask is made of; objectness is of the window centred at a cell.
        """
        maps = self._network(image)
        return {
            "mask_features": tf.cast(maps["mask_features"], tf.float32),
            "objectness_logits": tf.cast(maps["objectness_map"][:, :-1, :-1, 0], tf.float32),
        }

    def objectness(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Windows int32 [N, 2] -> logits [N]."""
        return tf.gather_nd(features["objectness_logits"][0], windows)

    def masks(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Windows int32 [N, 2] -> logits [N, m, m]."""
        codes = tf.gather_nd(self._coder(features["mask_features"])[0], windows)
        logits = tf.cast(self._decoder(codes), tf.float32)
        side = round(logits.shape[-1] ** 0.5)
        return tf.reshape(logits, [-1, side, side])
