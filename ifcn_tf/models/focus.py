"""The focus: where an image is worth a look at finer scales, as one of its coarser ones tells.

Most of a pyramid's pixels are those of its finest scales, where small objects are found, and most of most photographs
shows none. As in AutoFocus (Najibi et al., ICCV 2019) a small network, of the features of one scale, tells which of its
cells show objects that fit a finer one; `proposing.chips` looks at a part of that one alone. It is trained after the
proposing network (`training.focusing`).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.models.beside import read_beside, save_beside
from ifcn_tf.models.parts.standardized import Standardized
from ifcn_tf.models.weights import FOCUS, REFINER, SCORE_HEAD, beside

#: Side of the network's cells [cells of the features].
POOLED = 2
_HIDDEN = 64


class Focus(NamedTuple):
    """What tells where to look at finer scales.

    Attributes:
        network: features [1, h, w, C] of an image -> logits float32 [1, ceil(h / POOLED), ceil(w / POOLED), S]: whether
            a cell shows an object that fits the first, second, ... of the finer scales.
        seen_from: shorter side of the image whose features it is asked [px].
        sides: of the S finer scales [px].
    """

    network: keras.Model
    seen_from: int
    sides: tuple[int, ...]


def build_focus(num_features: int, seen_from: int, sides: tuple[int, ...]) -> Focus:
    """Builds a focus for features of so many channels, untrained; see `Focus`."""
    features = keras.Input((None, None, num_features), name="features")
    x = keras.layers.AveragePooling2D(POOLED, padding="same", dtype="float32", name="pooled")(features)
    x = Standardized(dtype="float32", name="standardized")(x)
    for units, name, seed in ((_HIDDEN, "hidden", 1), (len(sides), "expected", 2)):
        x = keras.layers.Dense(
            units,
            activation="relu" if name == "hidden" else None,
            kernel_initializer=keras.initializers.HeNormal(seed=seed),
            dtype="float32",
            name=name,
        )(x)
    return Focus(keras.Model(features, x), seen_from, sides)


def save_with_focus(weights: Path, focus: Focus, folder: Path) -> None:
    """Copies a network's weights file with its `config.json` and all that is beside it into a new folder, and a focus.

    Raises:
        UserError: the weights cannot be read, or the folder is there already or cannot be written.
    """
    arrays = {variable.path: np.array(variable) for variable in focus.network.weights}
    arrays |= {"seen_from": np.array(focus.seen_from), "sides": np.array(focus.sides)}
    save_beside(weights, arrays, folder, FOCUS, kept=[REFINER, SCORE_HEAD])


def load_focus(weights: Path) -> Focus | None:
    """The focus beside a weights file, None where its `config.json` names none.

    Raises:
        UserError: its file is absent, damaged, or not the one that `config.json` describes.
    """
    if (arrays := read_beside(weights, FOCUS)) is None:
        return None
    try:
        sides = tuple(int(side) for side in arrays["sides"])
        focus = build_focus(len(arrays["standardized/mean"]), int(arrays["seen_from"]), sides)
        for variable in focus.network.weights:
            variable.assign(arrays[variable.path])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{beside(weights, FOCUS)} holds no focus of this program: train it anew.") from error
    return focus
