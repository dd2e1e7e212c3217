"""Convolutions with a normalisation that stays, and models that it is folded in."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.models.parts.constant_weights import with_constant_weights
from ifcn_tf.models.parts.layers import Conv2D, DepthwiseConv2D
from ifcn_tf.models.parts.normalized import Normalized, NormalizedConv2D, NormalizedDepthwiseConv2D, for_inference

STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")
IMAGE = np.random.default_rng(0).normal(0, 3, (2, 18, 13, 4)).astype(np.float32)


def randomize(model, seed=0):
    random = np.random.default_rng(seed)
    for layer in (layer for layer in model.layers if layer.weights):
        layer.set_weights([random.uniform(0.1, 1, w.shape) * random.choice([-1, 1], w.shape) for w in layer.weights])
        if isinstance(layer, Normalized):
            layer.moving_variance.assign(abs(layer.moving_variance))


def model_of_both(dtype="float32"):
    image = keras.Input((None, None, 4))
    x = NormalizedConv2D(6, 3, strides=2, activation="relu6", dtype=dtype, name="convolution")(image)
    x = NormalizedDepthwiseConv2D(5, dtype=dtype, name="depthwise")(x)
    model = keras.Model(image, {"plain": Conv2D(2, 1, padding="same", dtype=dtype, name="plain")(x), "depthwise": x})
    randomize(model)
    return model


def keras_own(model):
    """The same of Keras' layers."""
    image = keras.Input((None, None, 4))
    x = keras.layers.Conv2D(6, 3, 2, padding="same", use_bias=False, name="convolution")(image)
    x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(epsilon=1e-3, name="convolution_norm")(x))
    x = keras.layers.DepthwiseConv2D(5, padding="same", use_bias=False, name="depthwise")(x)
    x = keras.layers.BatchNormalization(epsilon=1e-3, name="depthwise_norm")(x)
    theirs = keras.Model(image, x)
    for name in ("convolution", "depthwise"):
        kernel, *statistics = model.get_layer(name).get_weights()
        theirs.get_layer(name).set_weights([kernel])
        theirs.get_layer(f"{name}_norm").set_weights(statistics)
    return theirs


@pytest.mark.parametrize("training", [False, True])
def test_they_are_keras_convolution_and_batch_normalization(training):
    model = model_of_both()
    ours = model(IMAGE, training=training)["depthwise"]
    assert ours.shape == (2, 9, 7, 6)
    np.testing.assert_allclose(ours, keras_own(model)(IMAGE), rtol=1e-4, atol=1e-4)


def test_the_plain_depthwise_convolution_is_keras_own():
    ours = DepthwiseConv2D(3, strides=2, padding="same", activation="relu6")
    theirs = keras.layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu6")
    theirs.build(IMAGE.shape)
    ours.build(IMAGE.shape)
    theirs.set_weights([theirs.get_weights()[0], np.linspace(-2, 9, 4)])
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(IMAGE), theirs(IMAGE), rtol=1e-5, atol=1e-5)


def test_a_fold_by_hand():
    """1 x 1 kernel 3, mean 5, variance 4 - epsilon, gamma 8, beta 1: (3 x - 5) / 2 * 8 + 1 = 12 x - 19."""
    layer = NormalizedConv2D(1, 1)
    layer.build((None, None, None, 1))
    layer.set_weights([np.full((1, 1, 1, 1), 3.0), *np.array([[8.0], [1.0], [5.0], [4 - 1e-3]])])
    kernel, bias = layer.folded()
    assert (float(kernel[0, 0, 0, 0]), float(bias[0])) == (pytest.approx(12), pytest.approx(-19))
    assert float(layer(np.full((1, 1, 1, 1), 2.0))[0, 0, 0, 0]) == pytest.approx(5)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("mixed_bfloat16", 2e-2)])
def test_for_inference_it_has_the_same_results_and_names_of_plain_layers(dtype, tolerance):
    model = model_of_both(dtype)
    plain, expected = for_inference(model), model(IMAGE)
    for name, value in plain(IMAGE).items():
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(
            tf.cast(value, tf.float32) / scale, tf.cast(expected[name], tf.float32) / scale, atol=tolerance
        )
    names = [layer.name for layer in model.layers if layer.weights]
    assert [layer.name for layer in plain.layers if layer.weights] == names == ["convolution", "depthwise", "plain"]
    assert {v.path for v in plain.weights} == {f"{name}/{v}" for name in names for v in ("kernel", "bias")}
    assert {v.dtype for v in plain.weights} == {dtype.removeprefix("mixed_")}


def test_what_is_for_inference_is_a_copy():
    model = model_of_both()
    plain = for_inference(model)
    before = plain(IMAGE)["plain"]
    randomize(model, seed=1)
    assert not np.allclose(model(IMAGE)["plain"], before)
    np.testing.assert_array_equal(plain(IMAGE)["plain"], before)


def test_a_model_that_is_plain_already_is_left_as_it_is():
    image = keras.Input((None, None, 3))
    plain, mixed = (keras.Model(image, Conv2D(2, 3, dtype=dtype)(image)) for dtype in ("float32", "mixed_bfloat16"))
    assert for_inference(plain) is plain
    assert for_inference(mixed) is not mixed


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_for_inference_every_kernel_is_a_constant_and_nothing_is_normalised(dtype):
    constant = with_constant_weights(model_of_both(dtype))
    graph = tf.function(constant).get_concrete_function(tf.TensorSpec([1, None, None, 4])).graph
    (call,) = (o for o in graph.get_operations() if o.type.endswith("PartitionedCall"))
    assert [source_of(value).type for value in call.inputs if value.shape.rank == 4].count("Const") == 3
    operations = graph._get_function(call.get_attr("f").name).graph.get_operations()
    assert not {"Rsqrt", "FusedBatchNormV3", "Mul"} & {o.type for o in operations}
    assert [o.type for o in operations].count("BiasAdd") == 3


def source_of(tensor):
    operation = tensor.op
    return source_of(operation.inputs[0]) if operation.type == "Identity" else operation


def test_only_kernels_are_trained_whatever_is_frozen():
    model = model_of_both()
    for trainable in (False, True, False, True):
        model.get_layer("convolution").trainable = trainable
        names = {variable.path for variable in model.trainable_variables}
        assert names == {"depthwise/kernel", "plain/kernel", "plain/bias"} | (
            {"convolution/kernel"} if trainable else set()
        )
    model.trainable = True
    assert not {v.path.split("/")[1] for v in model.trainable_variables} & set(STATISTICS)


def test_kernels_learn_through_the_scale():
    """The gradient of a kernel is what the normalised output's is, times the scale."""
    layer = NormalizedConv2D(1, 1)
    layer.build((None, None, None, 1))
    layer.set_weights([np.ones((1, 1, 1, 1)), *np.array([[6.0], [1.0], [5.0], [4 - 1e-3]])])
    with tf.GradientTape() as tape:
        output = tf.reduce_sum(layer(np.full((1, 2, 2, 1), 7.0, np.float32), training=True))
    assert float(tape.gradient(output, layer.kernel.value)[0, 0, 0, 0]) == pytest.approx(4 * 7 * 6 / 2)
