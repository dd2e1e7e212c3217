"""The refiner: a small network that corrects the masks of proposals, by features of the trunk and by the picture.

The masks of k * k score maps are coarse, and each cell knows little of the others. As in SharpMask (Pinheiro et al.,
ECCV 2016) what else is seen in a window is added to a finished mask: some features of the trunk at its cells, and the
colours of the picture at finer samples. The network is shaped as U-Net (Ronneberger et al., MICCAI 2015), so that each
cell learns of half a window around it. It is trained after the proposing network (`training.refining`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import Precision
from ifcn_tf.models.beside import read_beside, save_beside
from ifcn_tf.models.parts.layers import Conv2D
from ifcn_tf.models.parts.precision import dtype_policy
from ifcn_tf.models.weights import FOCUS, REFINER, beside

#: Samples that it answers along each side of a cell.
SAMPLES = 2
#: Features of the trunk that it sees at most: the principal components of all.
_FEATURES = 32
#: Channels of the layers at cells, and at every other cell.
_NEAR, _WIDE = 32, 48
#: Logits are held within, so that no sure mask drowns what else is seen.
_SURE = 8.0
#: What a difference of colours counts.
_CONTRAST = 3.0


class Refiner(NamedTuple):
    """What corrects masks.

    Attributes:
        projection: the trunk's features [B, h, w, C] -> some of them, [B, h, w, F].
        network: a dict of a mask's logits float32 [N, m, m], features [N, m, m, F], the colours of the picture
            [N, 2 m, 2 m, 3] in 0..1, and "fitted" [N, 2 m, 2 m], the mask as colours alone correct it
            (`proposing.edges`) -> logits, float32 [N, 2 m, 2 m].
    """

    projection: keras.Model
    network: keras.Model

    @property
    def weights(self) -> list[keras.Variable]:
        """Of both."""
        return [*self.projection.weights, *self.network.weights]


def build_refiner(channels: int, cells: int, precision: Precision = "float32") -> Refiner:
    """Builds a refiner that changes nothing yet.

    Args:
        channels: C, of the trunk's features.
        cells: m, along each side of a mask.
        precision: of the convolutions.
    """
    dtype, features = dtype_policy(precision), min(_FEATURES, channels)
    computed = {"dtype": keras.DTypePolicy(dtype).compute_dtype}  # no step to float32 and back
    trunk = keras.Input((None, None, channels), name="trunk", **computed)
    projected = Conv2D(features, 1, padding="same", dtype=dtype, name="projection")(trunk)
    fine = SAMPLES * cells
    inputs = {
        "mask_logits": keras.Input((cells, cells), name="mask_logits"),
        "features": keras.Input((cells, cells, features), name="features", **computed),
        "fitted": keras.Input((fine, fine), name="fitted"),
        "colours": keras.Input((fine, fine, 3), name="colours"),
    }
    contrast = Contrast(dtype="float32", name="contrast")(inputs["colours"])
    at_samples = Prepared(dtype=dtype, name="at_samples")(inputs["fitted"], contrast)
    at_cells = Prepared(dtype=dtype, name="at_cells")(inputs["mask_logits"], inputs["features"])
    gathered = Gathered(SAMPLES, dtype=dtype, name="gathered")(at_samples)
    x = keras.layers.Concatenate(dtype=dtype, name="seen")([at_cells, gathered])
    x = _conv(_NEAR, "near", dtype)(x)
    x = Added(dtype=dtype, name="both")(x, _of_the_window(x, dtype))
    x = _conv(_NEAR, "both_near", dtype)(x)
    change = _conv(SAMPLES**2, "change", dtype, activation=None, kernel_initializer="zeros")(x)
    change = Spread(SAMPLES, dtype="float32", name="spread")(change)
    change = keras.layers.Reshape((fine, fine), dtype="float32", name="one_channel")(change)
    refined = keras.layers.Add(dtype="float32", name="refined")([inputs["fitted"], change])
    return Refiner(keras.Model(trunk, projected, name="projection"), keras.Model(inputs, refined, name="refiner"))


def _of_the_window(x: tf.Tensor, dtype: str) -> tf.Tensor:
    """What every other cell learns of those around it: [N, m, m, _NEAR] -> [N, ceil(m / 2), ceil(m / 2), _NEAR]."""
    x = _conv(_WIDE, "wide1", dtype, strides=2)(x)
    x = _conv(_WIDE, "wide2", dtype)(x)
    x = _conv(_WIDE, "wide3", dtype, dilation_rate=2)(x)
    return Conv2D(_NEAR, 1, padding="same", dtype=dtype, name="narrower")(x)


def _conv(filters: int, name: str, dtype: str, activation: str | None = "relu", **options: Any) -> Conv2D:
    return Conv2D(filters, 3, padding="same", activation=activation, dtype=dtype, name=name, **options)


@keras.saving.register_keras_serializable("ifcn_tf")
class Prepared(keras.layers.Layer):
    """Logits of masks [N, a, a], held within some units, and what is seen there [N, a, a, C]: [N, a, a, 1 + C]."""

    def call(self, logits: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
        """See the class."""
        held = tf.clip_by_value(logits, -_SURE, _SURE)[..., None] / (_SURE / 2)
        return tf.concat([held, seen], -1)

    def compute_output_shape(self, logits_shape: tuple, seen_shape: tuple) -> tuple:
        """[N, a, a, 1 + C]."""
        return (*seen_shape[:3], 1 + seen_shape[3])


@keras.saving.register_keras_serializable("ifcn_tf")
class Contrast(keras.layers.Layer):
    """Colours [N, a, a, 3] in 0..1 less their mean over the window, some units large."""

    def call(self, colours: tf.Tensor) -> tf.Tensor:
        """See the class."""
        mean = tf.reduce_mean(tf.reduce_mean(colours, 1), 1)  # one axis after the other: a quarter of the time
        return _CONTRAST * (colours - mean[:, None, None])

    def compute_output_shape(self, shape: tuple) -> tuple:
        """As it was."""
        return shape


@keras.saving.register_keras_serializable("ifcn_tf")
class Added(keras.layers.Layer):
    """The sum, where it is positive, of [N, a, b, C] and [N, ceil(a / 2), ceil(b / 2), C], one for four cells."""

    def call(self, near: tf.Tensor, wide: tf.Tensor) -> tf.Tensor:
        """[N, a, b, C]."""
        twice = [2 * side for side in wide.shape[1:3]]
        as_large = tf.raw_ops.ResizeNearestNeighbor(images=wide, size=twice)[:, : near.shape[1], : near.shape[2]]
        return tf.nn.relu(near + as_large)

    def compute_output_shape(self, near_shape: tuple, wide_shape: tuple) -> tuple:
        """[N, a, b, C]."""
        return near_shape


class _OfSamples(keras.layers.Layer):
    """Of so many samples along each side of a cell.

    By transposing, since TensorFlow's space-to-depth and depth-to-space take three to ten times as long on a CPU.
    """

    def __init__(self, samples: int, **options: object) -> None:
        super().__init__(**options)
        self.samples = samples

    def get_config(self) -> dict[str, object]:
        """Arguments that rebuild this layer."""
        return {**super().get_config(), "samples": self.samples}


@keras.saving.register_keras_serializable("ifcn_tf")
class Gathered(_OfSamples):
    """Samples as channels of their cell: [N, s a, s a, C] -> [N, a, a, s * s * C]."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """See the class."""
        _, height, width, channels = self.compute_output_shape(x.shape)
        rows = tf.reshape(x, [-1, height, self.samples, width, channels // self.samples])
        return tf.reshape(tf.transpose(rows, [0, 1, 3, 2, 4]), [-1, height, width, channels])

    def compute_output_shape(self, shape: tuple) -> tuple:
        """[N, a, a, s * s * C]."""
        return (shape[0], *(side // self.samples for side in shape[1:3]), shape[3] * self.samples**2)


@keras.saving.register_keras_serializable("ifcn_tf")
class Spread(_OfSamples):
    """Channels of a cell as its samples: [N, a, a, s * s * C] -> [N, s a, s a, C]."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """See the class."""
        _, height, width, channels = self.compute_output_shape(x.shape)
        columns = tf.reshape(x, [-1, *x.shape[1:3], self.samples, self.samples * channels])
        return tf.reshape(tf.transpose(columns, [0, 1, 3, 2, 4]), [-1, height, width, channels])

    def compute_output_shape(self, shape: tuple) -> tuple:
        """[N, s a, s a, C]."""
        return (shape[0], *(self.samples * side for side in shape[1:3]), shape[3] // self.samples**2)


def save_with_refiner(weights: Path, refiner: Refiner, folder: Path, **record: Any) -> None:
    """Copies a network's weights file with its `config.json` into a new folder, and a refiner beside them.

    A score head is left behind: it was trained on other masks.

    Args:
        weights: the file.
        refiner: of its masks.
        folder: to make.
        **record: further sections of the new `config.json`.

    Raises:
        UserError: the weights cannot be read, or the folder is there already or cannot be written.
    """
    arrays = {variable.path: np.array(variable) for variable in refiner.weights}
    save_beside(weights, arrays, folder, REFINER, kept=[FOCUS], **record)


def load_refiner(weights: Path, cells: int, precision: Precision) -> Refiner | None:
    """The refiner beside a weights file, None where its `config.json` names none; `build_refiner` has the arguments.

    Raises:
        UserError: the refiner's file is absent, damaged, or not the one that `config.json` describes.
    """
    if (arrays := read_beside(weights, REFINER)) is None:
        return None
    try:
        refiner = build_refiner(arrays["projection/kernel"].shape[2], cells, precision)
        for variable in refiner.weights:
            variable.assign(arrays[variable.path])
    except (KeyError, IndexError, ValueError) as error:
        file = beside(weights, REFINER)
        raise UserError(f"{file} holds no refiner of this program: train it anew.") from error
    return refiner
