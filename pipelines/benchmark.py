"""Measures speed and memory on this machine; prints one JSON line a figure.

python -m pipelines.benchmark --what=inference
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from absl import flags

from ifcn_tf.config import Precision
from pipelines import _cli

SAMPLE = Path(__file__).parents[1] / "savedmodels" / "sample" / "coffee.jpg"

WHAT = flags.DEFINE_enum("what", None, ["inference"], "What to measure.", required=True)
IMAGE = flags.DEFINE_string("image", str(SAMPLE), "Photograph to measure on.")
WEIGHTS = flags.DEFINE_string("weights", None, "Trained *.weights.h5 file; without it the branches are random.")
BACKBONE = flags.DEFINE_string("backbone_weights", None, "Without --weights: 'imagenet', or a file of VGG-16 weights.")
PRECISION = flags.DEFINE_enum("precision", "auto", ["auto", "float32", "bfloat16"], "Arithmetic of the convolutions.")
ROUNDS = flags.DEFINE_integer("rounds", 10, "Everything is timed so often; medians are printed.", 1)


def main() -> None:
    """Flags -> rows."""
    _cli.import_tensorflow()
    from ifcn_tf.benchmarks import inference

    weights = Path(WEIGHTS.value) if WEIGHTS.value else None
    precision = cast(Precision, PRECISION.value)
    for row in inference.run(Path(IMAGE.value), weights, BACKBONE.value, precision, ROUNDS.value):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    _cli.run(main)
