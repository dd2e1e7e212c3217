"""Requests that TensorFlow Serving answers to itself before it takes others, so that the first one is fast.

Each size meets TensorFlow for the first time there: graphs are optimised, and kernels are prepared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from ifcn_tf.annotations.shapes import draw_scene
from ifcn_tf.common.files import UserError

try:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
except ImportError as error:
    raise UserError("exporting needs tensorflow-serving-api: pip install 'ifcn-tf[serving]'.") from error

#: Where the server looks, inside a version's folder.
REQUESTS = Path("assets.extra") / "tf_serving_warmup_requests"
#: Sizes of photographs (COCO's most frequent ones), and of one outside them [px].
SIZES_HW = ((480, 640), (640, 480), (427, 640), (375, 500), (300, 300))


def write_requests(folder: Path, model_name: str, limits: Mapping[str, int]) -> None:
    """Writes warm-up requests into a version's folder: one of each of SIZES_HW, and one for each further signature.

    A server does not load a model that refuses one of them, so they keep to its limits.

    Args:
        folder: of the version.
        model_name: under which the server has the model.
        limits: largest image [px] of each signature; "serving_default" takes encoded images, all others pixels.
    """
    path = folder / REQUESTS
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, tensor in _tensors(limits):
            writer.write(_log(model_name, name, tensor))


def _tensors(limits: Mapping[str, int]) -> Iterator[tuple[str, tf.Tensor]]:
    """Signature names and their inputs."""
    scene = draw_scene(np.random.default_rng(0))[0]
    for name, limit in limits.items():
        images = (tf.cast(tf.image.resize(scene, _within(size, limit)), tf.uint8) for size in SIZES_HW)
        if name == "serving_default":
            yield from ((name, tf.io.encode_jpeg(image)[None]) for image in images)
        else:
            yield name, next(images)[None]


def _within(size_hw: tuple[int, int], max_pixels: int) -> tuple[int, int]:
    """The size itself, or a similar one of at most so many pixels."""
    height, width = size_hw
    ratio = min(1.0, math.sqrt(max_pixels / (height * width)))
    return max(1, int(height * ratio)), max(1, int(width * ratio))


def _log(model_name: str, signature: str, tensor: tf.Tensor) -> bytes:
    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = model_name, signature
    input_name = "image_bytes" if tensor.dtype == tf.string else "image_tensor"
    request.inputs[input_name].CopyFrom(tf.make_tensor_proto(tensor))
    return log.SerializeToString()
