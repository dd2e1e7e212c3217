"""From a photograph to the class of each pixel: `load_segmenter("model.weights.h5").segment("photo.jpg")`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.config.network import Precision, require_segmentation
from ifcn_tf.config.segmenting import SegmenterConfig
from ifcn_tf.geometry import resized_hw
from ifcn_tf.images.files import MAX_PIXELS, checked_pixels
from ifcn_tf.images.tensors import read_image, resize
from ifcn_tf.models.method import Method, build_network
from ifcn_tf.models.parts.constant_weights import with_constant_weights
from ifcn_tf.models.weights import load_weights, read_network_config, read_segmenter_config

#: An image, RGB.
IMAGE = tf.TensorSpec([None, None, 3], tf.uint8, "image")


class Segmenter:
    """Names the class of each pixel of photographs; `load_segmenter` makes one.

    Args:
        network: of which the present weights are copied; its map is "scores", logits of the image's size.
        config: the size at which the network sees an image.
        max_pixels: larger image files are refused.

    Attributes:
        names: of the classes, from 0 on.
    """

    def __init__(self, network: Method, config: SegmenterConfig, max_pixels: int = MAX_PIXELS) -> None:
        self.names = require_segmentation(network.config).classes
        self._network, self._config, self._max_pixels = with_constant_weights(network.map_model), config, max_pixels
        self._graphs = {
            "classes": tf.function(self.classes, [IMAGE]),
            "probabilities": tf.function(lambda image: tf.nn.softmax(self.scores(image)), [IMAGE]),
        }

    def segment(self, image: str | Path | np.ndarray) -> np.ndarray:
        """Names the class of each pixel.

        Args:
            image: a file (see `images.tensors.read_image`), or uint8 [H, W, 3], RGB.

        Returns:
            uint8 [H, W], numbers of `names`.

        Raises:
            UserError: the file cannot be read, or the array is no such image.
        """
        return self._run("classes", image)

    def probabilities(self, image: str | Path | np.ndarray) -> np.ndarray:
        """How likely each class is at each pixel, float32 [H, W, classes]; arguments and errors of `segment`."""
        return self._run("probabilities", image)

    def read(self, path: Path) -> np.ndarray:
        """Reads an image file: uint8 [H, W, 3], upright; raises BadImageError when it cannot."""
        return read_image(path, self._max_pixels)

    def scores(self, image: tf.Tensor) -> tf.Tensor:
        """In a graph: image uint8 [H, W, 3] -> logits float32 [H, W, classes]."""
        height, width = tf.unstack(tf.shape(image, tf.int64)[:2])
        shorter = self._config.shorter_side or tf.minimum(height, width)
        seen = resize(image, *resized_hw(height, width, shorter, self._config.longer_side_limit))
        scores = self._network(seen[None])["scores"]
        return tf.image.resize(scores, tf.shape(image)[:2])[0]

    def classes(self, image: tf.Tensor) -> tf.Tensor:
        """In a graph: image uint8 [H, W, 3] -> the likeliest class of each pixel, uint8 [H, W]."""
        return tf.cast(tf.argmax(self.scores(image), -1, output_type=tf.int32), tf.uint8)

    def _run(self, name: str, image: str | Path | np.ndarray) -> np.ndarray:
        pixels = self.read(Path(image)) if isinstance(image, str | Path) else checked_pixels(image)
        try:
            return self._graphs[name](tf.constant(pixels)).numpy()
        except tf.errors.OpError as error:  # such as no memory for this size
            raise BadImageError(f"segmenting failed on an image of {pixels.shape[:2]} px: {error.message}.") from error


def load_segmenter(
    weights: str | Path, *, precision: Precision = "auto", max_pixels: int = MAX_PIXELS, **settings: Any
) -> Segmenter:
    """Loads a network that names the class of each pixel.

    Args:
        weights: a `*.weights.h5` file; architecture and settings are read from the `config.json` beside it.
        precision: "auto", "float32" or "bfloat16".
        max_pixels: larger image files are refused.
        **settings: fields of `SegmenterConfig`, such as shorter_side=500.

    Raises:
        UserError: a file or setting that cannot be used; says which and why.
    """
    return Segmenter(*load_segmentation(Path(weights), precision, **settings), max_pixels)


def load_segmentation(weights: Path, precision: Precision, **settings: Any) -> tuple[Method, SegmenterConfig]:
    """The network behind `load_segmenter`, and the settings of its segmenter; arguments and errors are those."""
    architecture = read_network_config(weights)
    try:
        require_segmentation(architecture)
    except UserError as error:
        raise UserError(f"{weights}: {error}") from error
    network = build_network(architecture, precision)
    load_weights(network, weights)
    stated = read_segmenter_config(weights).to_dict()
    return network, SegmenterConfig.from_dict({**stated, **settings})
