"""What a server runs of a network that names the class of each pixel; in stock TensorFlow operations alone."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.config.segmenting import SegmenterConfig
from ifcn_tf.images.tensors import MAX_PIXELS
from ifcn_tf.models.method import Method
from ifcn_tf.saved_model.conditions import provided
from ifcn_tf.saved_model.image_bytes import decode_upright
from ifcn_tf.saved_model.signatures import not_empty
from ifcn_tf.segmenting.segmenter import IMAGE, Segmenter

Tensors = dict[str, tf.Tensor]


class SegmentationModule(tf.Module):
    """A network with its segmenter as the signatures of a SavedModel, each for a batch of B images.

    An empty batch is an error of the whole request.

    Args:
        network: of which the present weights are copied.
        config: the size at which the network sees an image.
        max_pixels: larger images are refused, before they are decoded [px].
    """

    def __init__(self, network: Method, config: SegmenterConfig, max_pixels: int = MAX_PIXELS) -> None:
        super().__init__("ifcn")
        segmenter = Segmenter(network, config)
        self._limit, self._names = max_pixels, segmenter.names
        # Not inlined into loop and condition, where TensorFlow would fuse no convolutions.
        graph = tf.function(segmenter.classes, experimental_attributes={"_noinline": True})
        self._classes = graph.get_concrete_function(IMAGE)
        self._biases = list(self._classes.graph.variables)  # a SavedModel holds the variables that its module holds

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The graphs by the names under which a request asks for them."""
        encoded = tf.TensorSpec([None], tf.string, "image_bytes")
        pixels = tf.TensorSpec([None, None, None, 3], tf.uint8, "image_tensor")
        graphs = {
            "serving_default": tf.function(self.segment_bytes, [encoded]),
            "semantic": tf.function(self.segment_pixels, [pixels]),
        }
        return {name: graph.get_concrete_function() for name, graph in graphs.items()}

    def max_pixels(self, signature: str) -> int:
        """The largest image that a signature takes [px]."""
        return self._limit

    def segment_bytes(self, image_bytes: tf.Tensor) -> Tensors:
        """Encoded images, string [B], JPEG or PNG, each of its own size.

        Returns:
            label_image_bytes: string [B], PNGs of one channel, whose values are the classes; empty where there is an
                error.
            error: string [B], empty, or one sentence why this image, counted from 1, has no classes.
            class_names: string [B, C], names of the values from 0 on.
        """
        images = not_empty(image_bytes)
        labels, errors = tf.map_fn(
            self._encoded,
            (tf.range(1, tf.shape(images)[0] + 1), images),
            fn_output_signature=(tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.string)),
            parallel_iterations=1,
        )
        return {"label_image_bytes": labels, "error": errors, "class_names": self._named(images)}

    def segment_pixels(self, image_tensor: tf.Tensor) -> Tensors:
        """Images of one size, uint8 [B, H, W, 3], RGB, upright.

        Returns:
            classes: uint8 [B, H, W], the class of each pixel.
            class_names: string [B, C], names of the values from 0 on.
        """
        pixels = tf.reduce_prod(tf.shape(image_tensor, tf.int64)[1:3])
        sentence = f"semantic takes images of 1 to {self._limit} pixels: send smaller ones"
        images = provided((pixels > 0) & (pixels <= self._limit), sentence, not_empty(image_tensor))
        spec = tf.TensorSpec([None, None], tf.uint8)
        classes = tf.map_fn(self._classes, images, fn_output_signature=spec, parallel_iterations=1)
        return {"classes": classes, "class_names": self._named(images)}

    def _encoded(self, numbered: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """A label image as PNG, and why there is none."""
        number, encoded = numbered
        image, reason = decode_upright(encoded, self._limit)
        sentence = tf.strings.join(["image ", tf.strings.as_string(number), " of the batch ", reason])
        usable = tf.equal(reason, "")
        labels = tf.cond(usable, lambda: tf.io.encode_png(self._classes(image)[..., None]), lambda: tf.constant(""))
        return labels, tf.where(usable, "", sentence)

    def _named(self, images: tf.Tensor) -> tf.Tensor:
        return tf.tile(tf.constant([self._names]), [tf.shape(images)[0], 1])
