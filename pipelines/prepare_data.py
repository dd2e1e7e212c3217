"""Prepares annotated photographs for training: TFRecord shards with a dataset.json, or a COCO json.

    python -m pipelines.prepare_data --source=coco --root=COCO --split=train2017 --output=data/coco_train
    python -m pipelines.prepare_data --source=voc --root=VOCdevkit/VOC2012 --split=val --format=coco --output=val.json

--source=coco reads ROOT/annotations/instances_SPLIT.json and ROOT/SPLIT/, or any --annotations and --images; voc and
sbd read ROOT in their own layout. What cannot be used is left out, counted and reported.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from pipelines import _cli

if TYPE_CHECKING:
    from ifcn_tf.data.example import Source

FLAGS = flags.FLAGS
_FLAGS = [
    flags.DEFINE_enum("source", None, ["coco", "voc"], "What to read.", required=True),
    flags.DEFINE_string("output", None, "Folder to write (a json file with --format=coco).", required=True),
]


def main() -> None:
    """Opens the source, prepares it and prints the report."""


if __name__ == "__main__":
    _cli.run(main)
