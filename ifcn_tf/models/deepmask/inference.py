"""DeepMask for inference: the layers that look at a window slide as convolutions, weights are constants (section 3.3).

A mask has thousands of logits. They are made of the windows that are asked for alone.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from ifcn_tf.models.parts.constant_weights import with_constant_weights

Tensors = dict[str, tf.Tensor]
#: Rows of windows whose codes are computed at a time: a window holds 100,000 numbers, which are laid out side by side.
_ROWS = 24


class InferenceModel:
    """A copy of a DeepMask's present weights, in the form that `Proposer` takes (its `WindowModel`).

    Args:
        model: image -> "mask_features" [B, h, w, C] and "objectness_map" [B, h + 1, w + 1, 1].
        coder: mask features -> codes of the windows that lie within, [B, h - cells + 1, w - cells + 1, D].
        decoder: codes [N, D] -> logits of the masks, [N, m * m].
        cells: side of a window [cells].
    """

    def __init__(self, model: keras.Model, coder: keras.Model, decoder: keras.Model, cells: int) -> None:
        self._network, self._coder, self._decoder = map(with_constant_weights, (model, coder, decoder))
        self._cells, self._code = cells, tf.TensorSpec([None, None, coder.output.shape[-1]], coder.output.dtype)

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
        codes = tf.gather_nd(self._codes(features["mask_features"]), windows)
        logits = tf.cast(self._decoder(codes), tf.float32)
        side = round(logits.shape[-1] ** 0.5)
        return tf.reshape(logits, [-1, side, side])

    def _codes(self, features: tf.Tensor) -> tf.Tensor:
        """Mask features [1, h, w, C] -> codes of the windows around all cells, [h or a few more, w, D]."""
        height, width = tf.unstack(tf.shape(features)[1:3])
        before, after = self._cells // 2, self._cells - self._cells // 2 - 1
        padded = tf.pad(features, [[0, 0], [before, after + _ROWS], [before, after], [0, 0]])

        def of_rows(first: tf.Tensor) -> tf.Tensor:
            return self._coder(padded[:, first : first + _ROWS + self._cells - 1])[0]

        codes = tf.map_fn(of_rows, tf.range(0, height, _ROWS), fn_output_signature=self._code, parallel_iterations=1)
        return tf.reshape(codes, [-1, width, self._code.shape[-1]])
