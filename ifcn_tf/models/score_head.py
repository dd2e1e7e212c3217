"""The score head: two hidden layers that tell, of the descriptors of a proposal, what IoU with an object to expect.

It is trained after the network, on proposals of photographs that the network was not trained on, since of those that
it was trained on the network is too sure.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.models.beside import read_beside, save_beside
from ifcn_tf.models.parts.standardized import Standardized
from ifcn_tf.models.weights import FOCUS, REFINER, SCORE_HEAD, beside

_HIDDEN = 128


def build_score_head(num_descriptors: int) -> keras.Model:
    """Builds a head: descriptors float32 [N, D] -> logits float32 [N, 1]."""
    descriptors = keras.Input((num_descriptors,), name="descriptors")
    x = Standardized(dtype="float32", name="standardized")(descriptors)
    for i in (1, 2):
        kernel = keras.initializers.HeNormal(seed=i)
        options = {"activation": "relu", "kernel_initializer": kernel, "dtype": "float32", "name": f"hidden{i}"}
        x = keras.layers.Dense(_HIDDEN, **options)(x)
    kernel = keras.initializers.LecunNormal(seed=3)
    return keras.Model(
        descriptors, keras.layers.Dense(1, kernel_initializer=kernel, dtype="float32", name="expected")(x)
    )


def save_with_score_head(weights: Path, head: keras.Model, folder: Path) -> None:
    """Copies a network's weights file with its `config.json`, refiner and focus into a new folder, and a score head.

    Raises:
        UserError: the weights cannot be read, or the folder is there already or cannot be written.
    """
    arrays = {variable.path: np.array(variable) for variable in head.weights}
    save_beside(weights, arrays, folder, SCORE_HEAD, kept=[REFINER, FOCUS])


def load_score_head(weights: Path) -> keras.Model | None:
    """The score head beside a weights file, None where its `config.json` names none.

    Raises:
        UserError: the head's file is absent, damaged, or not the one that `config.json` describes.
    """
    if (arrays := read_beside(weights, SCORE_HEAD)) is None:
        return None
    try:
        head = build_score_head(len(arrays["standardized/mean"]))
        for variable in head.weights:
            variable.assign(arrays[variable.path])
    except (KeyError, ValueError) as error:
        file = beside(weights, SCORE_HEAD)
        raise UserError(f"{file} holds no score head of this program: train it anew.") from error
    return head
