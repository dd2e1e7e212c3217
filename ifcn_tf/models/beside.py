"""What is trained after a network, and kept beside its weights: a score head, a refiner, a focus.

Each is a file of arrays, which a section of the weights' `config.json` describes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import UserError, whole_folder, write_bytes
from ifcn_tf.models.weights import (
    BESIDE,
    WEIGHTS,
    beside,
    content_of,
    read_arrays,
    read_record,
    without,
    write_arrays,
)


def save_beside(
    weights: Path, arrays: Mapping[str, np.ndarray], folder: Path, section: str, kept: Sequence[str] = (), **record: Any
) -> None:
    """Copies a weights file with its `config.json` into a new folder, and writes what was trained after it beside it.

    Args:
        weights: the file.
        arrays: to write.
        folder: to make.
        section: of the arrays; others of what was trained after the network are left behind.
        kept: but these, where there are some.
        **record: further sections of the new `config.json`.

    Raises:
        UserError: the weights cannot be read, or the folder is there already or cannot be written.
    """
    old = without(read_record(weights), set(BESIDE).difference(kept))
    with whole_folder(folder) as unfinished:
        target = unfinished / WEIGHTS
        write_bytes(target, content_of(weights))
        for name in old.keys() & set(kept):
            write_bytes(beside(target, name), content_of(beside(weights, name)))
        write_arrays(beside(target, section), arrays, {**old, **record}, section)


def read_beside(weights: Path, section: str) -> dict[str, np.ndarray] | None:
    """The arrays that a section of the `config.json` of a weights file describes, None where there is no such section.

    Raises:
        UserError: their file is absent, damaged, or not the one that is described.
    """
    if section not in read_record(weights):
        return None
    if not (path := beside(weights, section)).is_file():
        raise UserError(f"there is no {path}, which config.json beside it names: copy it along.")
    return read_arrays(path, section)
