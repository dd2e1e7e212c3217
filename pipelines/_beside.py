"""The flags of the commands that train something beside the weights of a network, once it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from absl import flags

from ifcn_tf.config.network import Precision

from . import _cli

WEIGHTS = flags.DEFINE_string("weights", None, "A *.weights.h5 file with its config.json.", required=True)
DATA = flags.DEFINE_list("data", None, "Prepared folders of photographs.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "New folder: the same weights, and what is trained.", required=True)
PRECISION = flags.DEFINE_enum("precision", "auto", ["auto", "float32", "bfloat16"], "Arithmetic of the convolutions.")


def begin(what: str) -> dict[str, Any]:
    """Says what is trained, imports TensorFlow and returns the flags as arguments of the function that trains it."""
    print(f"training {what} of {WEIGHTS.value} on {', '.join(DATA.value)} into {OUTPUT.value}", flush=True)
    _cli.import_tensorflow()
    return {
        "weights": Path(WEIGHTS.value),
        "data": [Path(folder) for folder in DATA.value],
        "folder": Path(OUTPUT.value),
        "precision": cast(Precision, PRECISION.value),
    }


def end() -> None:
    """Says what was written."""
    print(f"wrote {Path(OUTPUT.value) / 'model.weights.h5'}")
