"""Prepares annotated photographs for training, as TFRecord shards, or converts them to a COCO json.

python -m pipelines.prepare_data --source=coco --root=coco --split=train2017 --output=prepared/coco
python -m pipelines.prepare_data --source=shapes --count=1000 --output=prepared/shapes
python -m pipelines.prepare_data --source=voc --root=VOCdevkit/VOC2012 --split=train --partial --output=prepared/voc
python -m pipelines.prepare_data --source=voc --root=VOCdevkit/VOC2012 --split=val --format=coco --output=val.json

What cannot be used is left out, counted and reported.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from ifcn_tf.annotations.sources import SOURCES

from . import _cli

if TYPE_CHECKING:
    from ifcn_tf.annotations.example import Source
    from ifcn_tf.data.prepare import Run, Write

SOURCE = flags.DEFINE_enum("source", None, [*SOURCES, "shapes"], "Form of the annotations.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "New folder to write; a json file with --format=coco.", required=True)
FORMAT = flags.DEFINE_enum("format", "tfrecord", ["tfrecord", "coco"], "What to write.")
ROOT = flags.DEFINE_string("root", ".", "Folder of the data set, in its own layout.")
SPLIT = flags.DEFINE_string("split", "train", "Part of the data set: train2017 or val2014 of COCO; train or val.")
NAMES = flags.DEFINE_string("names", None, "Text file of image names, with or without ending, if not all of the split.")
ANNOTATIONS = flags.DEFINE_string(
    "annotations",
    None,
    "coco, lvis: json, if not ROOT/annotations/instances_SPLIT.json or lvis_v1_SPLIT.json; index_png: folder of masks.",
)
IMAGES = flags.DEFINE_string("images", None, "Folder of the photographs, if not in ROOT's own layout.")
CATEGORIES = flags.DEFINE_list("categories", [], "Keep objects of these classes only, by their names; of all.")
COUNT = flags.DEFINE_integer("count", 1000, "shapes: number of scenes.", 1)
SEED = flags.DEFINE_integer("seed", 0, "shapes: seed of the scenes.", 0)
COPY_IMAGES = flags.DEFINE_string("copy_images", None, "With --format=coco: folder into which the images are copied.")
DOWNLOAD = flags.DEFINE_bool("download", False, "First download the set (coco, voc, sbd) into ROOT and unpack it.")
PARTIAL = flags.DEFINE_bool(
    "partial", False, "Objects of other classes may be seen, as in VOC (see data.partial_negatives in training)."
)
STRICT = flags.DEFINE_bool("strict", False, "Stop at the first thing that would be left out.")
NUM_SHARDS = flags.DEFINE_integer("num_shards", 8, "Number of TFRecord files.", 1)
WORKERS = flags.DEFINE_integer("workers", os.cpu_count() or 1, "Processes that load photographs.", 1)
CLUSTER = flags.DEFINE_string(
    "cluster", None, "Load on a Ray cluster: its HOST:PORT, auto or local; --workers then is its number of cores."
)


def main() -> None:
    """Flags -> source -> prepared data."""
    print(f"preparing {SOURCE.value} into {OUTPUT.value}", flush=True)
    if DOWNLOAD.value:
        from ifcn_tf.annotations.download import download

        download(SOURCE.value, SPLIT.value, Path(ROOT.value))
    source = _open_source()
    _cli.import_tensorflow()
    from ifcn_tf.data.prepare import of_categories, prepare, refuse, tolerate

    if CATEGORIES.value:
        source = of_categories(source, CATEGORIES.value)
    writer, on_problem = _writer(source, Path(OUTPUT.value)), refuse if STRICT.value else tolerate
    report = prepare(source, writer, WORKERS.value, on_problem, _run())
    print("\n".join(report.lines()))


def _run() -> Run:
    """What loads photographs: processes of this machine, or a cluster."""
    from ifcn_tf.common.pool import in_processes

    if not CLUSTER.value:
        return in_processes
    from ifcn_tf.cluster.tasks import in_tasks

    return functools.partial(in_tasks, address=CLUSTER.value)


def _open_source() -> Source:
    from ifcn_tf.annotations.shapes import shapes_source
    from ifcn_tf.annotations.sources import open_source

    if SOURCE.value == "shapes":
        _cli.refuse((ROOT, SPLIT, NAMES, ANNOTATIONS, IMAGES), "leave out with --source=shapes, which reads nothing")
        return shapes_source(COUNT.value, SEED.value)
    _cli.refuse((COUNT, SEED), f"of --source=shapes, leave out with --source={SOURCE.value}")
    names, annotations, images = (Path(flag.value) if flag.value else None for flag in (NAMES, ANNOTATIONS, IMAGES))
    return open_source(SOURCE.value, Path(ROOT.value), SPLIT.value, names, annotations, images)


def _writer(source: Source, output: Path) -> Write:
    from ifcn_tf.common.files import UserError
    from ifcn_tf.data.prepare import coco_writer, records_writer

    if FORMAT.value == "coco":
        if PARTIAL.value:
            raise UserError("--partial has no place in a COCO json: give it when preparing that for training.")
        _cli.refuse([NUM_SHARDS], "of TFRecord files, leave out with --format=coco")
        return coco_writer(source, output, Path(COPY_IMAGES.value) if COPY_IMAGES.value else None)
    _cli.refuse([COPY_IMAGES], "needs --format=coco; TFRecord files hold the images")
    return records_writer(source, output, NUM_SHARDS.value, PARTIAL.value)


if __name__ == "__main__":
    _cli.run(main)
