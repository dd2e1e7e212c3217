"""Prepares annotated photographs for training, as TFRecord shards, or converts them to a COCO json.

python -m pipelines.prepare_data --source=coco --root=coco --split=train2017 --output=prepared/coco
python -m pipelines.prepare_data --source=voc --root=VOCdevkit/VOC2012 --split=val --format=coco --output=val.json

What cannot be used is left out, counted and reported.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from pipelines import _cli

if TYPE_CHECKING:
    from ifcn_tf.data.example import Source

SOURCE = flags.DEFINE_enum("source", None, ["coco", "voc"], "Form of the annotations.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "New folder to write; a json file with --format=coco.", required=True)
FORMAT = flags.DEFINE_enum("format", "tfrecord", ["tfrecord", "coco"], "What to write.")
ROOT = flags.DEFINE_string("root", ".", "Folder of the data set, in its own layout.")
SPLIT = flags.DEFINE_string("split", "train", "Part of the data set: train2017, val, and so on.")
ANNOTATIONS = flags.DEFINE_string("annotations", None, "COCO json, if not ROOT/annotations/instances_SPLIT.json.")
IMAGES = flags.DEFINE_string("images", None, "Folder of the photographs of a COCO json, if not ROOT/SPLIT.")
STRICT = flags.DEFINE_bool("strict", False, "Stop at the first thing that would be left out.")
NUM_SHARDS = flags.DEFINE_integer("num_shards", 8, "Number of TFRecord files.", 1)
WORKERS = flags.DEFINE_integer("workers", os.cpu_count() or 1, "Processes that load photographs.", 1)


def main() -> None:
    """Flags -> source -> prepared data."""
    print(f"preparing {SOURCE.value} {SPLIT.value} into {OUTPUT.value}", flush=True)
    source, output = _open_source(), Path(OUTPUT.value)
    _cli.import_tensorflow()
    from ifcn_tf.data.prepare import coco_writer, prepare, records_writer, refuse, tolerate

    write = (
        records_writer(source, output, NUM_SHARDS.value) if FORMAT.value == "tfrecord" else coco_writer(source, output)
    )
    report = prepare(source, write, WORKERS.value, refuse if STRICT.value else tolerate)
    print("\n".join(report.lines()))


def _open_source() -> Source:
    from ifcn_tf.data.sources.coco import coco_source
    from ifcn_tf.data.sources.voc import voc_source

    root, split = Path(ROOT.value), SPLIT.value
    if SOURCE.value == "voc":
        return voc_source(root, split)
    annotations = ANNOTATIONS.value or root / "annotations" / f"instances_{split}.json"
    return coco_source(Path(annotations), Path(IMAGES.value or root / split))


if __name__ == "__main__":
    _cli.run(main)
