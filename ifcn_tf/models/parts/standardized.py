"""Values by their deviations from the mean, for what is trained after a network on its features."""

from __future__ import annotations

import keras
import numpy as np

#: Values are held within so many deviations of their mean.
FARTHEST = 4.0
#: Added to deviations, so that values that hardly differ are not blown up.
_LEAST = 1e-3


class Standardized(keras.layers.Layer):
    """Descriptors [..., D] less their mean and by their deviation, held within FARTHEST.

    Of some features of a trunk a few values in a million are thousands of deviations off; a head would be sure there.
    """

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Makes "mean" and "deviation" [D], which training measures."""
        options = {"shape": input_shape[-1:], "trainable": False}
        self.mean = self.add_weight(name="mean", initializer="zeros", **options)
        self.deviation = self.add_weight(name="deviation", initializer="ones", **options)

    def call(self, descriptors: keras.KerasTensor) -> keras.KerasTensor:
        """See the class."""
        return keras.ops.clip((descriptors - self.mean) / self.deviation, -FARTHEST, FARTHEST)


def spread(descriptors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of descriptors [P, D], float32 [D] each, measured where those far out are held nearer."""
    mean, deviation = descriptors.mean(0), descriptors.std(0) + _LEAST
    held = np.clip(descriptors, mean - FARTHEST * deviation, mean + FARTHEST * deviation)
    return held.mean(0), held.std(0) + _LEAST
