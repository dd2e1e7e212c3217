"""VGG-16 as a fully convolutional feature extractor (section 3.3, "Network architecture")."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.settings import require
from ifcn_tf.models.parts.layers import Conv2D
from ifcn_tf.models.trunks.trunk import Trunk

#: Mean of ImageNet's training images that VGG-16 was trained with (Caffe), in BGR order, of 0..255.
_MEAN_BGR = (103.939, 116.779, 123.68)


class VGG16(Trunk):
    """The 13 convolutions of VGG-16, of stride 8 by the hole algorithm, or of its own stride 16.

    Args:
        channels: output channels of the five blocks; only the default fits the ImageNet weights.

    Attributes:
        name: the trunk's name.
        depths: convolutions of the five blocks.
    """

    name, depths = "vgg16", (2, 2, 3, 3, 3)
    groups = tuple(f"block{block}_" for block in range(1, 6))

    def __init__(self, channels: tuple[int, ...] = (64, 128, 256, 512, 512)) -> None:
        self.channels = channels

    def features(self, image: keras.KerasTensor, stride: int, channels: int, dtype: str) -> keras.KerasTensor:
        """See `Trunk.features`: [B, h, w, 512] after the ReLU of conv5_3; raises UserError on another stride.

        For stride 8 pool4 has stride 1 and conv5 dilation 2. That pool4 is 3 x 3 (and not 2 x 2), so that a feature
        stays centred on its cell: a 2 x 2 pool of stride 1 would shift the map by half a cell.
        """
        require(stride in (8, 16), f"{self.name} has features of stride 8 or 16, not {stride}.")
        x = self.preprocessing()(image)
        for block, (depth, width) in enumerate(zip(self.depths, self.channels, strict=True), start=1):
            for i in range(1, depth + 1):
                x = Conv2D(
                    width,
                    3,
                    padding="same",
                    activation="relu",
                    dilation_rate=2 if (block, stride) == (5, 8) else 1,
                    kernel_initializer=keras.initializers.HeNormal(seed=100 * block + i),
                    dtype=dtype,
                    name=f"block{block}_conv{i}",
                )(x)
            if block < 5:
                side, step = (3, 1) if (block, stride) == (4, 8) else (2, 2)
                x = keras.layers.MaxPooling2D(side, step, padding="same", dtype=dtype, name=f"block{block}_pool")(x)
        return x

    def preprocessing(self) -> keras.layers.Layer:
        """What brings RGB in 0..255 into the range that the ImageNet weights were trained with."""
        return CaffePreprocessing(dtype="float32", name="preprocessing")

    def load_imagenet(self, model: keras.Model, source: str) -> None:
        """See `Trunk.load_imagenet`.

        Args:
            model: built on these features.
            source: "imagenet" (Keras downloads and caches them) or the path of a file with
                `keras.applications.VGG16(include_top=False)`'s weights.

        Raises:
            UserError: the download or the file cannot be read, or does not fit.
        """
        if source != "imagenet" and not Path(source).is_file():
            raise UserError(f"there is no weights file {source}: give the path of a VGG-16 file.")
        try:
            with warnings.catch_warnings(action="ignore"):  # of every container of layers that has nothing to load
                vgg16 = keras.applications.VGG16(include_top=False, weights=source)
            for layer in vgg16.layers:
                if layer.weights:
                    model.get_layer(layer.name).set_weights(layer.get_weights())
        except ValueError as error:
            raise UserError(f"{source} does not hold the convolutions of a VGG-16 that fit this trunk.") from error
        except Exception as error:  # Keras' downloader raises a bare Exception.
            raise UserError(
                f"cannot get the VGG-16 weights from {source}: {str(error).splitlines()[0]}; give a local file instead."
            ) from error


@keras.saving.register_keras_serializable("ifcn_tf")
class CaffePreprocessing(keras.layers.Layer):
    """Brings RGB in 0..255 into VGG-16's value range: BGR minus the mean of ImageNet, no division."""

    def call(self, image: tf.Tensor) -> tf.Tensor:
        """[B, H, W, 3] -> [B, H, W, 3]."""
        return tf.reverse(image, [-1]) - tf.constant(_MEAN_BGR)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """The shape of the image."""
        return shape


TRUNK = VGG16()
