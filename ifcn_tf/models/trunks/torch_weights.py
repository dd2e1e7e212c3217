"""ImageNet weights that PyTorch's networks were saved with: an `.npz` file of arrays with its names and axes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.models.parts.layers import Conv2D
from ifcn_tf.models.parts.normalized import NormalizedConv2D, NormalizedDepthwiseConv2D

#: What PyTorch's batch normalisation has, in the order of our variables.
_STATISTICS = ("weight", "bias", "running_mean", "running_var")
#: Of PyTorch's kernels, in the order of ours.
_AXES = {Conv2D: (2, 3, 1, 0), NormalizedConv2D: (2, 3, 1, 0), NormalizedDepthwiseConv2D: (2, 3, 0, 1)}


class TorchNames(NamedTuple):
    """A convolution: its layer here, and what PyTorch's modules of it are called; it is normalised, or has a bias."""

    layer: str
    convolution: str
    normalization: str | None = None

    def arrays(self) -> list[str]:
        """Names of its arrays, in the order of the layer's variables."""
        others = [f"{self.normalization}.{name}" for name in _STATISTICS]
        return [f"{self.convolution}.weight", *(others if self.normalization else [f"{self.convolution}.bias"])]


def load_torch_weights(model: keras.Model, path: Path, trunk: str, names: Iterable[TorchNames]) -> None:
    """Gives convolutions the weights of a file, all of them or none.

    Args:
        model: that has the layers.
        path: `.npz` file of arrays of any float type, kernels [out, in, k, k]; it may hold more.
        trunk: its name, for messages.
        names: the layers.

    Raises:
        UserError: there is no such file, it cannot be read, or it does not fit.
    """
    if not path.is_file():
        raise UserError(
            f"there is no {path} with ImageNet weights of {trunk}: give the path of an .npz file of them, or take "
            "efficientnet_lite2, whose weights are bundled."
        )
    arrays, weights = _read(path), {}
    for name in names:
        layer = model.get_layer(name.layer)
        weights[layer] = _weights_of(layer, arrays, name)
        if [array.shape for array in weights[layer]] != [tuple(variable.shape) for variable in layer.weights]:
            raise UserError(f"{path} does not hold the weights of {trunk}: {name.convolution} differs or is absent.")
    for layer, values in weights.items():
        layer.set_weights(values)


def _weights_of(layer: keras.layers.Layer, arrays: dict[str, np.ndarray], name: TorchNames) -> list[np.ndarray]:
    kernel, *statistics = (arrays.get(key, np.zeros(0)) for key in name.arrays())
    return [kernel.transpose(_AXES[type(layer)]) if kernel.ndim == 4 else kernel, *statistics]


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # A damaged file raises whatever zipfile, zlib and NumPy meet first.
        raise UserError(f"{path} is damaged, or no .npz file of weights: copy it again.") from error
