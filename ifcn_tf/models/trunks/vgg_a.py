"""VGG-A, the network of 11 layers that DeepMask was published with (Simonyan and Zisserman, 2015, table 1)."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from ifcn_tf.models.trunks.torch_weights import TorchNames, load_torch_weights
from ifcn_tf.models.trunks.vgg16 import VGG16

#: Mean and standard deviation of ImageNet's training images, RGB in 0..1, which torchvision's networks are fed without.
_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
#: Places of the convolutions among the modules of torchvision's `vgg11().features`.
_MODULES = (0, 3, 6, 8, 11, 13, 16, 18)


class VGGA(VGG16):
    """The 8 convolutions of VGG-A. No weights of it are bundled or downloaded."""

    name, depths = "vgg_a", (1, 1, 2, 2, 2)

    def preprocessing(self) -> keras.layers.Layer:
        """RGB in 0..1, less its mean, by its standard deviation."""
        scale, offset = 1 / (255 * _DEVIATION), -_MEAN / _DEVIATION
        return keras.layers.Rescaling(scale.tolist(), offset.tolist(), dtype="float32", name="preprocessing")

    def load_imagenet(self, model: keras.Model, source: str) -> None:
        """See `Trunk.load_imagenet`.

        Args:
            model: built on these features.
            source: path of an `.npz` file of arrays with the names and axes of torchvision's `vgg11`.

        Raises:
            UserError: there is no such file, it cannot be read, or it is of another network.
        """
        layers = (f"block{b}_conv{i}" for b, depth in enumerate(self.depths, 1) for i in range(1, depth + 1))
        names = [TorchNames(layer, f"features.{i}") for layer, i in zip(layers, _MODULES, strict=True)]
        load_torch_weights(model, Path(source), self.name, names)


TRUNK = VGGA()
