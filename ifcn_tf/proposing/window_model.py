"""What a proposer asks of the models that it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import tensorflow as tf

from ifcn_tf.proposing.scales import Tensors

#: Of a model's features the one that only its descriptors need.
TRUNK = "trunk"


class WindowModel(Protocol):
    """A model that maps an image and windows to objectness and mask logits, such as a `Method`'s `window_model`.

    It is asked in two steps, so that masks are only made for the windows whose objectness deserves it.
    """

    def features(self, image: tf.Tensor) -> Tensors:
        """What the windows of an image share: float32 [1, H, W, 3], RGB in 0..255 -> a dict of maps [1, h, w, ...]."""

    def objectness(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Features and windows int32 [N, 2] -> logits, float32 [N]."""

    def masks(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Features and windows int32 [N, 2] -> logits, float32 [N, m, m]."""


class DescribingModel(WindowModel, Protocol):
    """A model whose proposals can be judged and refined; of its features the one named `TRUNK` is for that alone."""

    def descriptors(self, features: Tensors, windows: tf.Tensor, mask_logits: tf.Tensor) -> tf.Tensor:
        """Features, windows int32 [N, 2] and their own masks [N, m, m] -> what features say of them, float32 [N, D]."""

    def in_windows(self, maps: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        """Maps [1, h, w, F] and windows int32 [N, 2] -> the cells of each, [N, m, m, F]; outside, the nearest one's."""


class Refining(NamedTuple):
    """What corrects masks: both parts of a `models.refiner.Refiner`, as functions of tensors."""

    projection: Callable[[tf.Tensor], tf.Tensor]
    network: Callable[[Tensors], tf.Tensor]
