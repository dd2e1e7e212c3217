"""VGG-16 as a fully convolutional feature extractor (section 3.3, "Network architecture")."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

import keras
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.settings import require
from ifcn_tf.models.parts.layers import Conv2D
from ifcn_tf.models.trunks.trunk import Level, Trunk

#: Mean of ImageNet's training images that VGG-16 was trained with (Caffe), in BGR order, of 0..255.
_MEAN_BGR = (103.939, 116.779, 123.68)


#: Width of its fully connected layers, and what layers are called that begin with them: convolutions of FCN (Long et
#: al., section 4.1), and the two paths of the mask classifier.
_FC_CHANNELS, _BEGUN_WITH = 4096, {"fc1": ("fc6", "fc6_mask"), "fc2": ("fc7", "fc7_mask")}


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
    padding = 100

    def __init__(self, channels: tuple[int, ...] = (64, 128, 256, 512, 512)) -> None:
        self.channels = channels

    def features(self, image: keras.KerasTensor, stride: int, channels: int, dtype: str) -> keras.KerasTensor:
        """See `Trunk.features`: [B, h, w, 512] after the ReLU of conv5_3; raises UserError on another stride.

        For stride 8 pool4 has stride 1 and conv5 dilation 2. That pool4 is 3 x 3 (and not 2 x 2), so that a feature
        stays centred on its cell: a 2 x 2 pool of stride 1 would shift the map by half a cell.
        """
        require(stride in (8, 16), f"{self.name} has features of stride 8 or 16, not {stride}.")
        x = self.preprocessing()(image)
        for block in range(1, 5):
            x = self._block(x, block, 1, dtype)
            side, step = (3, 1) if (block, stride) == (4, 8) else (2, 2)
            x = _pool(x, block, side, step, dtype)
        return self._block(x, 5, 2 if stride == 8 else 1, dtype)

    def levels(self, image: keras.KerasTensor, dtype: str) -> dict[int, Level]:
        """See `Trunk.levels`: pool5, pool4 and pool3 of an image that is padded as FCN pads it."""
        margin = self.padding - 1  # the first convolution pads by the rest
        x = keras.layers.ZeroPadding2D(margin, dtype="float32", name="padding")(self.preprocessing()(image))
        levels = {}
        for block in range(1, 6):
            x = _pool(self._block(x, block, 1, dtype), block, 2, 2, dtype)
            levels[2**block] = Level(x, 2**block, 2**block / 2 - margin)
        return {stride: levels[stride] for stride in (32, 16, 8)}

    def _block(self, x: keras.KerasTensor, block: int, dilation: int, dtype: str) -> keras.KerasTensor:
        """Builds the convolutions of a block, numbered from 1."""
        for i in range(1, self.depths[block - 1] + 1):
            x = Conv2D(
                self.channels[block - 1],
                3,
                padding="same",
                activation="relu",
                dilation_rate=dilation,
                kernel_initializer=keras.initializers.HeNormal(seed=100 * block + i),
                dtype=dtype,
                name=f"block{block}_conv{i}",
            )(x)
        return x

    def preprocessing(self) -> keras.layers.Layer:
        """What brings RGB in 0..255 into the range that the ImageNet weights were trained with."""
        return CaffePreprocessing(dtype="float32", name="preprocessing")

    def load_imagenet(self, model: keras.Model, source: str) -> None:
        """See `Trunk.load_imagenet`.

        Args:
            model: built on these features.
            source: "imagenet" (Keras downloads and caches them) or the path of a file with
                `keras.applications.VGG16(include_top=False)`'s weights. Of a file with the fully connected layers
                (`include_top=True`) fc1 and fc2 become "fc6" and "fc7", where the model has such.

        Raises:
            UserError: the download or the file cannot be read, or does not fit.
        """
        if source != "imagenet" and not Path(source).is_file():
            raise UserError(f"there is no weights file {source}: give the path of a VGG-16 file.")
        try:
            known = {layer.name: layer for layer in model.layers}
            for layer in (layer for layer in _vgg16(model, source).layers if layer.weights):
                for ours in (known[name] for name in _BEGUN_WITH.get(layer.name, (layer.name,)) if name in known):
                    arrays = zip(layer.get_weights(), ours.weights, strict=True)
                    ours.set_weights([array.reshape(tuple(variable.shape)) for array, variable in arrays])
        except ValueError as error:
            raise UserError(f"{source} does not hold the convolutions of a VGG-16 that fit this trunk.") from error
        except Exception as error:  # Keras' downloader raises a bare Exception.
            raise UserError(
                f"cannot get the VGG-16 weights from {source}: {str(error).splitlines()[0]}; give a local file instead."
            ) from error


def _vgg16(model: keras.Model, source: str) -> keras.Model:
    """Keras' VGG-16 with the weights of a source, with its fully connected layers where a model and the file have them.

    Raises:
        ValueError: the file holds other weights.
    """
    fc7 = [layer for layer in model.layers if layer.name == "fc7" and layer.output.shape[-1] == _FC_CHANNELS]
    with warnings.catch_warnings(action="ignore"):  # of every container of layers that has nothing to load
        if fc7 and source != "imagenet":
            with contextlib.suppress(ValueError):
                return keras.applications.VGG16(include_top=True, weights=source)
        return keras.applications.VGG16(include_top=False, weights=source)


def _pool(x: keras.KerasTensor, block: int, side: int, step: int, dtype: str) -> keras.KerasTensor:
    return keras.layers.MaxPooling2D(side, step, padding="same", dtype=dtype, name=f"block{block}_pool")(x)


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
