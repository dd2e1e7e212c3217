"""The refiner: a small network that corrects the masks of proposals, by features of the trunk and by the picture.

The masks of k * k score maps are coarse, and each cell knows little of the others. As in SharpMask (Pinheiro et al.,
ECCV 2016) what lower layers see is added to a finished mask: at its cells some features of the trunk, then at finer
samples the colours of the picture. It is trained after the network (`training.refining`).
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
from ifcn_tf.models.weights import REFINER, beside

#: Samples that it answers along each side of a cell.
SAMPLES = 2
#: Features of the trunk that it sees at most: the principal components of all.
_FEATURES = 32
#: Channels of the layers at cells and at samples.
_AT_CELLS, _AT_SAMPLES = 32, 8
#: Logits are held within, so that no sure mask drowns what else is seen.
_SURE = 8.0
#: What a difference of colours counts.
_CONTRAST = 3.0


class Refiner(NamedTuple):
    """What corrects masks.

    Attributes:
        projection: the trunk's features [B, h, w, C] -> some of them, float32 [B, h, w, F].
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
    trunk = keras.Input((None, None, channels), name="trunk")
    projected = Conv2D(features, 1, padding="same", dtype="float32", name="projection")(trunk)
    fine = SAMPLES * cells
    inputs = {
        "mask_logits": keras.Input((cells, cells), name="mask_logits"),
        "features": keras.Input((cells, cells, features), name="features"),
        "fitted": keras.Input((fine, fine), name="fitted"),
        "colours": keras.Input((fine, fine, 3), name="colours"),
    }
    x = Prepared(dtype="float32", name="at_cells")(inputs["mask_logits"], inputs["features"])
    for number in (1, 2):
        x = _conv(_AT_CELLS, f"cells{number}", dtype, "relu")(x)
    x = Conv2D(_AT_SAMPLES * SAMPLES**2, 1, padding="same", dtype=dtype, name="finer")(x)
    x = Interleaved(SAMPLES, dtype=dtype, name="interleaved")(x)
    contrast = Contrast(dtype="float32", name="contrast")(inputs["colours"])
    seen = Prepared(dtype="float32", name="at_samples")(inputs["fitted"], contrast)
    x = keras.layers.Concatenate(dtype=dtype, name="beside")([x, seen])
    for number in (1, 2):
        x = _conv(_AT_SAMPLES, f"samples{number}", dtype, "relu")(x)
    change = _conv(1, "change", "float32", kernel_initializer="zeros")(x)
    change = keras.layers.Reshape((fine, fine), dtype="float32", name="one_channel")(change)
    refined = keras.layers.Add(dtype="float32", name="refined")([inputs["fitted"], change])
    return Refiner(keras.Model(trunk, projected, name="projection"), keras.Model(inputs, refined, name="refiner"))


def _conv(filters: int, name: str, dtype: str, activation: str | None = None, **options: str) -> Conv2D:
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
        return _CONTRAST * (colours - tf.reduce_mean(colours, [1, 2], keepdims=True))

    def compute_output_shape(self, shape: tuple) -> tuple:
        """As it was."""
        return shape


@keras.saving.register_keras_serializable("ifcn_tf")
class Interleaved(keras.layers.Layer):
    """Channels of a cell as its samples: [N, a, a, s * s * C] -> [N, s a, s a, C].

    Args:
        samples: s.
    """

    def __init__(self, samples: int, **options: object) -> None:
        super().__init__(**options)
        self.samples = samples

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """See the class."""
        return tf.nn.depth_to_space(x, self.samples)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """[N, s a, s a, C]."""
        return (shape[0], *(self.samples * side for side in shape[1:3]), shape[3] // self.samples**2)

    def get_config(self) -> dict[str, object]:
        """Arguments that rebuild this layer."""
        return {**super().get_config(), "samples": self.samples}


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
    save_beside(weights, arrays, folder, REFINER, **record)


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
