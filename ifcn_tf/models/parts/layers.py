"""The convolution layer of the network: Keras' own, written so that TensorFlow can run it as one fused kernel."""

from __future__ import annotations

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("ifcn_tf")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` of stride 1 and "same" padding, with equal weights and equal results, but faster.

    Keras adds the bias by broadcasting and dilates by way of space-to-batch. A `BiasAdd` is what TensorFlow fuses with
    the convolution and the ReLU, and its kernels dilate by themselves. Training keeps space-to-batch, because outside
    of oneDNN a dilated kernel has no gradient on a CPU.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[B, H, W, C] -> [B, H, W, filters]."""
        if training:
            outputs = self.convolution_op(inputs, self.kernel)
        else:
            outputs = tf.nn.conv2d(inputs, self.kernel, 1, "SAME", dilations=self.dilation_rate)
        return self.activation(tf.nn.bias_add(outputs, self.bias))
