"""Trains what corrects the masks of proposals, by features of the network and by the picture: a refiner.

python -m pipelines.train_refiner --weights=runs/first/best/model.weights.h5 --data=prepared/mine --output=refined

Train scores after it, since they are of the masks that it makes.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from absl import flags

from ifcn_tf.config.network import Precision

from . import _cli

WEIGHTS = flags.DEFINE_string("weights", None, "A *.weights.h5 file with its config.json.", required=True)
DATA = flags.DEFINE_list("data", None, "Prepared folders of photographs.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "New folder: the same weights, with the refiner.", required=True)
PRECISION = flags.DEFINE_enum("precision", "auto", ["auto", "float32", "bfloat16"], "Arithmetic of the convolutions.")


def main() -> None:
    """Flags -> proposals and their objects -> refiner."""
    print(f"training a refiner of {WEIGHTS.value} on {', '.join(DATA.value)} into {OUTPUT.value}", flush=True)
    _cli.import_tensorflow()
    from ifcn_tf.training.refining import train_refiner

    folders = [Path(folder) for folder in DATA.value]
    found = train_refiner(Path(WEIGHTS.value), folders, Path(OUTPUT.value), cast(Precision, PRECISION.value))
    print(f"mean IoU {found.after:.3f} for {found.before:.3f}, of proposals near objects that it was not trained on")
    print(f"wrote {Path(OUTPUT.value) / 'model.weights.h5'}")


if __name__ == "__main__":
    _cli.run(main)
