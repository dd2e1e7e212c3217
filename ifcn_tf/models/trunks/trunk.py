"""What a trunk answers: what networks see of an image."""

from __future__ import annotations

import abc
import importlib

import keras

from ifcn_tf.config.network import TRUNKS


class Trunk(abc.ABC):
    """A feature extractor, whose first layer is its own preprocessing.

    Attributes:
        groups: beginnings of the names of its layers, from the image on; the first so many groups can be frozen.
    """

    groups: tuple[str, ...]

    @abc.abstractmethod
    def features(self, image: keras.KerasTensor, stride: int, channels: int, dtype: str) -> keras.KerasTensor:
        """Builds the layers.

        Args:
            image: float32 [B, H, W, 3], RGB in 0..255, of any size.
            stride: pixels between the cells of the map.
            channels: of the map, where it is fused of several; else it has those of the last layer.
            dtype: Keras dtype policy of the layers.

        Returns:
            [B, ceil(H / stride), ceil(W / stride), C].
        """

    @abc.abstractmethod
    def load_imagenet(self, model: keras.Model, source: str) -> None:
        """Gives the layers of the trunk in a model their ImageNet weights.

        Args:
            model: built on these features.
            source: "imagenet", or the path of a file.

        Raises:
            UserError: the weights cannot be read, or do not fit.
        """


def trunk_of(name: str) -> Trunk:
    """The trunk that `NetworkConfig.trunk` names."""
    module, attribute = TRUNKS[name].split(":")
    return getattr(importlib.import_module(module), attribute)
