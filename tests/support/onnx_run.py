"""A function of tensors, converted to ONNX and run by ONNX Runtime."""

import onnxruntime
import tensorflow as tf

from ifcn_tf.engines.onnx_graph import converted
from ifcn_tf.engines.onnx_parts import model_of


def on_onnxruntime(function, *signature):
    """The function, of arrays and to arrays; it gives a dict, and `signature` names its arguments."""
    session = onnxruntime.InferenceSession(model_of(converted(function, signature)).SerializeToString())
    names = [output.name for output in session.get_outputs()]

    def run(*arrays):
        given = {spec.name: array for spec, array in zip(signature, arrays, strict=True)}
        return dict(zip(names, session.run(names, given), strict=True))

    return run


def assert_same_features(network, config, images):
    """The features of a network, of float32 images [1, H, W, 3], after its conversion."""
    model = network.window_model(config)
    run = on_onnxruntime(model.features, tf.TensorSpec([1, None, None, 3], tf.float32, "image"))
    for image in images:
        found, expected = run(image), model.features(tf.constant(image))
        for name in expected:
            tf.debugging.assert_near(found[name], expected[name], rtol=1e-3, atol=1e-4, message=name)
