"""Requests that TensorFlow Serving answers to itself before it takes others, so that the first one is fast.

Each size meets TensorFlow for the first time there: graphs are optimised, and kernels are prepared.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from ifcn_tf.data.sources.shapes import draw_scene
from ifcn_tf.files import UserError

try:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
except ImportError as error:
    raise UserError("exporting needs tensorflow-serving-api: pip install 'ifcn-tf[serving]'.") from error

#: Where the server looks, inside a version's folder.
REQUESTS = Path("assets.extra") / "tf_serving_warmup_requests"
#: Sizes of photographs (COCO's most frequent ones), and of one outside them [px].
SIZES_HW = ((480, 640), (640, 480), (427, 640), (375, 500), (300, 300))


def write_requests(folder: Path, model_name: str, signatures: tuple[str, ...]) -> None:
    """Writes warm-up requests into a version's folder: one of each of SIZES_HW, and one for each further signature.

    Args:
        folder: of the version.
        model_name: under which the server has the model.
        signatures: "serving_default" takes encoded images, all others pixels.
    """
    path = folder / REQUESTS
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, tensor in _tensors(signatures):
            writer.write(_log(model_name, name, tensor))


def _tensors(signatures: tuple[str, ...]) -> Iterator[tuple[str, tf.Tensor]]:
    """Signature names and their inputs."""
    scene = draw_scene(np.random.default_rng(0))[0]
    images = [tf.cast(tf.image.resize(scene, size), tf.uint8) for size in SIZES_HW]
    for name in signatures:
        if name == "serving_default":
            yield from ((name, tf.io.encode_jpeg(image)[None]) for image in images)
        else:
            yield name, images[0][None]


def _log(model_name: str, signature: str, tensor: tf.Tensor) -> bytes:
    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = model_name, signature
    input_name = "image_bytes" if tensor.dtype == tf.string else "image_tensor"
    request.inputs[input_name].CopyFrom(tf.make_tensor_proto(tensor))
    return log.SerializeToString()
