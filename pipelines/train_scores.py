"""Trains what tells how good a proposal is, the IoU with an object to expect of it, and makes that its score.

python -m pipelines.train_scores --weights=runs/first/best/model.weights.h5 --data=prepared/held_out --output=scored

Photographs that the network was not trained on are best: of others it is too sure.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from absl import flags

from ifcn_tf.config.network import Precision

from . import _cli

WEIGHTS = flags.DEFINE_string("weights", None, "A *.weights.h5 file with its config.json.", required=True)
DATA = flags.DEFINE_list("data", None, "Prepared folders of photographs that it was not trained on.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "New folder: the same weights, with the score head.", required=True)
PRECISION = flags.DEFINE_enum("precision", "auto", ["auto", "float32", "bfloat16"], "Arithmetic of the convolutions.")


def main() -> None:
    """Flags -> proposals and their IoU -> score head."""
    print(f"training scores of {WEIGHTS.value} on {', '.join(DATA.value)} into {OUTPUT.value}", flush=True)
    _cli.import_tensorflow()
    from ifcn_tf.training.scores import train_scores

    folders = [Path(folder) for folder in DATA.value]
    found = train_scores(Path(WEIGHTS.value), folders, Path(OUTPUT.value), cast(Precision, PRECISION.value))
    print(f"expected calibration error {found.error:.3f} on photographs that a head was not trained on")
    print(f"wrote {Path(OUTPUT.value) / 'model.weights.h5'}")


if __name__ == "__main__":
    _cli.run(main)
