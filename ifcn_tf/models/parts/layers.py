"""Convolutions of the networks: Keras' own, written so that TensorFlow can run each as one fused kernel.

Keras adds the bias by broadcasting and dilates by way of space-to-batch. A `BiasAdd` is what TensorFlow fuses with the
convolution and its activation, and its kernels dilate by themselves.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("ifcn_tf")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, with equal weights and equal results, but faster.

    Training keeps space-to-batch, because outside of oneDNN a dilated kernel has no gradient on a CPU.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[B, H, W, C] -> [B, ceil(H / stride), ceil(W / stride), filters] with "same" padding."""
        return self.convolved(inputs, self.kernel, self.bias, training)

    def convolved(self, inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, training: bool | None) -> tf.Tensor:
        """As `call`, with another kernel [k, k, C, filters] and bias [filters]."""
        if training:
            outputs = self.convolution_op(inputs, kernel)
        else:
            outputs = tf.nn.conv2d(inputs, kernel, self.strides, self.padding.upper(), dilations=self.dilation_rate)
        return self.activation(tf.nn.bias_add(outputs, bias))


@keras.saving.register_keras_serializable("ifcn_tf")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` of "same" padding, with equal weights and equal results, but faster."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[B, H, W, C] -> [B, ceil(H / stride), ceil(W / stride), C]."""
        return self.convolved(inputs, self.kernel, self.bias, training)

    def convolved(self, inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, training: bool | None) -> tf.Tensor:
        """As `call`, with another kernel [k, k, C, 1] and bias [C]."""
        if training and self.strides == (1, 1) and min(self.kernel_size) > 3:
            outputs = _depthwise(inputs, tf.convert_to_tensor(kernel))
        else:
            outputs = tf.nn.depthwise_conv2d(inputs, kernel, [1, *self.strides, 1], "SAME")
        return self.activation(tf.nn.bias_add(outputs, bias))


@tf.custom_gradient
def _depthwise(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
    """Depthwise convolution [B, H, W, C] by [k, k, C, 1], k odd, whose kernel's gradient is made fast.

    That gradient is a depthwise convolution too, of the inputs by the gradient of the outputs. With k = 5 TensorFlow's
    own operation takes two to seven times as long on a CPU (two cores of Zen 5), with k = 3 less.
    """
    options = {"strides": [1, 1, 1, 1], "padding": "SAME"}

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_inputs = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
            input_sizes=tf.shape(inputs), filter=kernel, out_backprop=upstream, **options
        )
        return of_inputs, _kernel_gradient(inputs, upstream, kernel.shape[0] // 2)

    return tf.nn.depthwise_conv2d(inputs, kernel, **options), gradients


def _kernel_gradient(inputs: tf.Tensor, upstream: tf.Tensor, reach: int) -> tf.Tensor:
    """[B, H, W, C] of each -> [k, k, C, 1] with k = 2 reach + 1: images side by side as channels, then summed."""
    batch, channels = tf.shape(inputs)[0], tf.shape(inputs)[3]
    padded = tf.pad(inputs, [[0, 0], [reach, reach], [reach, reach], [0, 0]])
    padded, upstream = (
        tf.reshape(tf.transpose(x, [1, 2, 0, 3]), [*tf.unstack(tf.shape(x)[1:3]), batch * channels])
        for x in (padded, upstream)
    )
    each = tf.nn.depthwise_conv2d(padded[None], upstream[..., None], [1, 1, 1, 1], "VALID")
    side = 2 * reach + 1
    return tf.reduce_sum(tf.reshape(each, [side, side, batch, channels]), 2)[..., None]
