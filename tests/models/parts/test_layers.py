"""Convolution of our own, and the arithmetic that a machine gets."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.models.parts.layers import Conv2D, DepthwiseConv2D
from ifcn_tf.models.parts.precision import dtype_policy


def test_convolution_equals_keras_own_in_training_and_inference():
    ours = Conv2D(6, 3, padding="same", dilation_rate=2, activation="relu")
    keras_own = keras.layers.Conv2D(6, 3, padding="same", dilation_rate=2, activation="relu")
    x = tf.constant(np.random.default_rng(0).normal(0, 50, (2, 17, 12, 4)).astype(np.float32))
    keras_own.build(x.shape)
    ours.build(x.shape)
    ours.set_weights([keras_own.get_weights()[0], np.linspace(-9, 9, 6)])
    keras_own.set_weights(ours.get_weights())
    for training in (False, True):
        np.testing.assert_allclose(ours(x, training=training), keras_own(x), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("side", "strides"), [(3, 1), (5, 1), (5, 2)])
def test_depthwise_convolution_and_its_gradients_equal_keras_own(side, strides):
    ours, keras_own = (
        layer(side, strides=strides, padding="same", activation="relu6")
        for layer in (DepthwiseConv2D, keras.layers.DepthwiseConv2D)
    )
    random = np.random.default_rng(0)
    x, upstream = (tf.constant(random.normal(0, 3, (2, 9, 12, 4)).astype(np.float32)) for _ in range(2))
    gradients = []
    for layer in (ours, keras_own):
        layer.build(x.shape)
        layer.set_weights(
            [random.normal(size=(side, side, 4, 1)) if layer is ours else ours.get_weights()[0], np.ones(4)]
        )
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
            total = tf.reduce_sum(outputs * upstream[:, : outputs.shape[1], : outputs.shape[2]])
        gradients.append([outputs, *tape.gradient(total, [x, *layer.trainable_variables])])
    for of_ours, of_keras in zip(*gradients, strict=True):
        np.testing.assert_allclose(of_ours, of_keras, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("cpu_flags", "capabilities", "expected"),
    [
        ("fpu avx512f", [], "float32"),
        ("fpu avx512_bf16", [], "mixed_bfloat16"),
        ("fpu amx_bf16", [], "mixed_bfloat16"),
        ("fpu", [(8, 0), (9, 0)], "mixed_bfloat16"),
        ("fpu amx_bf16", [(7, 5)], "float32"),
        ("fpu amx_bf16", [(9, 0), (7, 0)], "float32"),
    ],
)
def test_auto_precision_follows_the_machine(monkeypatch, cpu_flags, capabilities, expected):
    details = [{"compute_capability": capability} for capability in capabilities]
    monkeypatch.setattr(Path, "read_text", lambda self: f"model name : a processor\nflags : {cpu_flags}\n")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: details)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: device)
    assert dtype_policy("auto") == expected


def test_the_name_of_a_precision():
    assert dtype_policy("bfloat16") == "mixed_bfloat16"
    with pytest.raises(UserError, match="precision must be"):
        dtype_policy("float16")
