"""What a trunk answers: what networks see of an image."""

from __future__ import annotations

import abc
import importlib
from typing import NamedTuple

import keras

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import TRUNKS


class Level(NamedTuple):
    """A map of an image, and where it lies on it.

    Attributes:
        features: [B, h, w, C]; it may reach beyond the image on every side.
        stride: between its cells [px].
        first: where the centre of its first cell lies, on both axes [px of the image].
    """

    features: keras.KerasTensor
    stride: int
    first: float


class Trunk(abc.ABC):
    """A feature extractor, whose first layer is its own preprocessing.

    Attributes:
        groups: beginnings of the names of its layers, from the image on; the first so many groups can be frozen.
        padding: zeros that `levels` adds around an image, so that kernels without padding of their own fit into the map
            of stride 32 of any image [px].
    """

    groups: tuple[str, ...]
    padding: int = 0

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

    def first(self, stride: int) -> float:
        """Where the centre of the first cell of `features` of a stride lies, on both axes [px of the image]."""
        return stride / 2

    def levels(self, image: keras.KerasTensor, dtype: str) -> dict[int, Level]:
        """Builds the layers up to those of stride 32, each map as it is before maps are fused.

        Args:
            image: float32 [B, H, W, 3], RGB in 0..255, of any size.
            dtype: Keras dtype policy of the layers.

        Returns:
            The last maps of stride 32, 16 and 8, by stride.

        Raises:
            UserError: the trunk has no such maps.
        """
        raise UserError(f"trunk {type(self).__name__} has no maps of stride 8, 16 and 32: take another one.")

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
