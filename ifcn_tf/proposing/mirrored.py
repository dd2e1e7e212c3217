"""Windows that are judged in an image and in its mirror image: test-time flip."""

from __future__ import annotations

from typing import cast

import tensorflow as tf

from ifcn_tf.geometry import WindowGrid
from ifcn_tf.proposing.scales import Tensors
from ifcn_tf.proposing.window_model import DescribingModel, WindowModel

#: Before the names of the mirror image's features.
_PREFIX = "mirrored_"
#: Among them, how many cells a row of the image's own map has.
_CELLS = "mirrored_cells"


class Mirrored:
    """A `WindowModel` that says of each window the mean of what another one says of it and of its mirror image.

    Args:
        model: the other one; proposals are described (`DescribingModel`) as it does it, of the image itself.
        grid: its windows.
    """

    def __init__(self, model: WindowModel, grid: WindowGrid) -> None:
        self._model, self._grid = model, grid

    def features(self, image: tf.Tensor) -> Tensors:
        """Those of the image, float32 [1, H, W, 3], and of its mirror image, whose cells are those of the image."""
        width = tf.shape(image)[2]
        _, cells = self._grid.map_hw(0, width)
        # Whole cells, so that they coincide; an even window is centred a cell after its middle, in both images.
        columns = tf.range(cells * self._grid.stride + self._later * self._grid.stride)
        columns = tf.clip_by_value(cells * self._grid.stride - 1 - columns, 0, width - 1)
        mirrored = self._model.features(tf.gather(image, columns, axis=2))
        renamed = {_PREFIX + name: values for name, values in mirrored.items()}
        return self._model.features(image) | renamed | {_CELLS: cells}

    def objectness(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Windows int32 [N, 2] -> logits [N]."""
        mirrored = self._model.objectness(*self._mirrored(features, windows))
        return (self._model.objectness(features, windows) + mirrored) / 2

    def masks(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Windows int32 [N, 2] -> logits [N, m, m]."""
        mirrored = self._model.masks(*self._mirrored(features, windows))
        return (self._model.masks(features, windows) + tf.reverse(mirrored, [2])) / 2

    def descriptors(self, features: Tensors, windows: tf.Tensor, mask_logits: tf.Tensor) -> tf.Tensor:
        """What the model says of proposals in the image itself."""
        return cast(DescribingModel, self._model).descriptors(features, windows, mask_logits)

    def in_windows(self, maps: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        """The cells of windows in maps of the image itself."""
        return cast(DescribingModel, self._model).in_windows(maps, windows)

    @property
    def _later(self) -> int:
        """How many cells after the middle of a window its centre is."""
        return 1 - self._grid.window_cells % 2

    def _mirrored(self, features: Tensors, windows: tf.Tensor) -> tuple[Tensors, tf.Tensor]:
        """Features of the mirror image, and where the windows are in it."""
        own = {name.removeprefix(_PREFIX): value for name, value in features.items() if name.startswith(_PREFIX)}
        columns = features[_CELLS] - 1 - windows[:, 1] + self._later
        return own, tf.stack([windows[:, 0], columns], 1)
