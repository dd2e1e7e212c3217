"""Convolutions of the networks: Keras' own, written so that TensorFlow can run each as one fused kernel.

Keras adds the bias by broadcasting and dilates by way of space-to-batch. A `BiasAdd` is what TensorFlow fuses with the
convolution and its activation, and its kernels dilate by themselves.
"""

from __future__ import annotations

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("ifcn_tf")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` of "same" padding, with equal weights and equal results, but faster.

    Training keeps space-to-batch, because outside of oneDNN a dilated kernel has no gradient on a CPU.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[B, H, W, C] -> [B, ceil(H / stride), ceil(W / stride), filters]."""
        return self.convolved(inputs, self.kernel, self.bias, training)

    def convolved(self, inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, training: bool | None) -> tf.Tensor:
        """As `call`, with another kernel [k, k, C, filters] and bias [filters]."""
        if training:
            outputs = self.convolution_op(inputs, kernel)
        else:
            outputs = tf.nn.conv2d(inputs, kernel, self.strides, "SAME", dilations=self.dilation_rate)
        return self.activation(tf.nn.bias_add(outputs, bias))


@keras.saving.register_keras_serializable("ifcn_tf")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` of "same" padding, with equal weights and equal results, but faster."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[B, H, W, C] -> [B, ceil(H / stride), ceil(W / stride), C]."""
        return self.convolved(inputs, self.kernel, self.bias, training)

    def convolved(self, inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, training: bool | None) -> tf.Tensor:
        """As `call`, with another kernel [k, k, C, 1] and bias [C]."""
        outputs = tf.nn.depthwise_conv2d(inputs, kernel, [1, *self.strides, 1], "SAME")
        return self.activation(tf.nn.bias_add(outputs, bias))
