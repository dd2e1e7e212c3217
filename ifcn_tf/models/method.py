"""What a method answers: how training, proposing, weights, export and engines ask a network, whichever it is."""

from __future__ import annotations

import abc
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import keras
import tensorflow as tf

from ifcn_tf.config.network import NetworkConfig, Precision, WindowConfig
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.settings import require
from ifcn_tf.config.training import LossConfig
from ifcn_tf.models.parts.precision import dtype_policy
from ifcn_tf.models.trunks.trunk import trunk_of

if TYPE_CHECKING:
    from ifcn_tf.models.focus import Focus
    from ifcn_tf.models.refiner import Refiner

Tensors = dict[str, tf.Tensor]
#: Tensors of a functional model that is being built, by name.
Symbols = dict[str, keras.KerasTensor]


class Method(abc.ABC):
    """A network on a trunk, with random weights that are the same on every call.

    Args:
        config: the architecture.
        precision: in which the layers compute; weights are float32 in any case.

    Attributes:
        config: the architecture.
        dtype: Keras dtype policy of the layers.
        trunk: what makes features of an image.
        map_model: image -> a dict of the maps that it makes of an image alone.
        model: what is trained: a dict of inputs -> a dict of outputs, float32, as its `example` and its loss have them.
    """

    def __init__(self, config: NetworkConfig, precision: Precision = "auto") -> None:
        self.config, self.dtype = config, dtype_policy(precision)
        self.trunk = trunk_of(config.trunk)
        self.map_model, self.model = self.build(keras.Input((None, None, 3), name="image"))

    @abc.abstractmethod
    def build(self, image: keras.KerasTensor) -> tuple[keras.Model, keras.Model]:
        """Builds `map_model` and `model` on an image, float32 [B, H, W, 3], RGB in 0..255."""

    @property
    def precision(self) -> Precision:
        """Arithmetic of the layers: "float32" or "bfloat16"."""
        return cast(Precision, self.dtype.removeprefix("mixed_"))

    @abc.abstractmethod
    def losses(self, outputs: Tensors, inputs: Tensors, targets: Tensors, config: LossConfig) -> Tensors:
        """The terms of the loss.

        Args:
            outputs: of `model`.
            inputs: of `model`.
            targets: as `data.pipeline` makes them for the method's `example`.
            config: weights of the terms.

        Returns:
            float32 scalars, means over the batch: "loss", which is trained, and its terms, named "..._loss".
        """

    @abc.abstractmethod
    def statistics(self, outputs: Tensors, inputs: Tensors, targets: Tensors) -> Tensors:
        """How the network does, for people to look at: float32 scalars; arguments are those of `losses`."""

    def freeze(self, groups: int) -> None:
        """Keeps the weights of the trunk's first so many groups; raises UserError when it has fewer."""
        known = self.trunk.groups
        require(
            groups <= len(known), f"frozen_blocks must lie in 0..{len(known)} with {self.config.trunk}, not {groups}."
        )
        for layer in self.model.layers:
            layer.trainable = not layer.name.startswith(known[:groups])


class WindowMethod(Method):
    """A network that scores windows and makes a mask of each.

    Attributes:
        trunk_model: the trunk alone, image -> features.
        map_model: image -> a dict of the maps that its windows share.
        model: a dict of image float32 [B, H, W, 3], RGB in 0..255, and windows int32 [B, N, 2], centre cells (y, x) on
            the map -> a dict of float32 objectness_logits [B, N] and mask_logits [B, N, m, m].
        score_head: what tells how good the proposals of these weights are (`models.score_head`), or None.
        refiner: what corrects the masks of these weights (`models.refiner`), or None.
        focus: what tells where to look at finer scales (`models.focus`), or None.
        scorer: a network of the same windows that scores them in place of this one, or None.
    """

    config: WindowConfig
    score_head: keras.Model | None = None
    refiner: Refiner | None = None
    focus: Focus | None = None
    scorer: WindowMethod | None = None

    def build(self, image: keras.KerasTensor) -> tuple[keras.Model, keras.Model]:
        """See `Method.build`: trunk, maps, windows."""
        windows = keras.Input((None, 2), dtype="int32", name="windows")
        features = self.trunk.features(image, self.config.grid.stride, self.config.fusion_channels, self.dtype)
        maps = self.maps(features)
        self.trunk_model = keras.Model(image, features)
        outputs = self.of_windows(maps, windows)
        model = keras.Model({"image": image, "windows": windows}, outputs, name=self.config.method)
        return keras.Model(image, maps), model

    @abc.abstractmethod
    def maps(self, features: keras.KerasTensor) -> Symbols:
        """Builds what the windows of an image share, each [B, h, w, C], of the trunk's features."""

    @abc.abstractmethod
    def of_windows(self, maps: Symbols, windows: keras.KerasTensor) -> Symbols:
        """Builds objectness_logits and mask_logits of windows (see the class) of the maps."""

    @abc.abstractmethod
    def window_model(self, config: ProposerConfig) -> Any:
        """A copy of the present weights for inference: `proposing.proposer.WindowModel`.

        Raises:
            UserError: the network cannot propose with these settings.
        """


def build_network(config: NetworkConfig, precision: Precision = "auto") -> Method:
    """Builds the network of the method that a configuration belongs to; see `Method`."""
    return importlib.import_module(config.module).METHOD(config, precision)


def output_shapes(model: keras.Model, height: int, width: int) -> Mapping[str, tuple[int, ...]]:
    """Shape of each layer's output for one image [px], by the layer's name; for a model of an image alone."""
    outputs = {layer.name: layer.output for layer in model.layers}
    return keras.Model(model.input, outputs).compute_output_shape((1, height, width, 3))
