"""The files that the project reads: an undamaged set of each kind, and how a user's command reads it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ifcn_tf.annotations.shapes import draw_scene, shapes_source
from ifcn_tf.annotations.sources import open_source
from ifcn_tf.config.proposing import ProposerConfig

PLAIN = ProposerConfig(shorter_sides=(48,), num_proposals=10, pre_nms=50)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        make: writes an undamaged set into an empty folder.
        damaged: of the set, the files that are damaged, as a pattern.
        read: reads the set as a command does; raises UserError where it is damaged.
    """

    make: Callable[[Path], Any]
    damaged: str
    read: Callable[[Path], Any]


def _scene() -> tuple[Image.Image, np.ndarray]:
    """A picture and its objects, numbered from 1 on: uint8 [H, W]."""
    picture, labels, _ = draw_scene(np.random.default_rng(0))
    return Image.fromarray(picture[::4, ::4]), labels[::4, ::4].astype(np.uint8)


def _image(suffix: str, **options: Any) -> Kind:
    from ifcn_tf.images.tensors import read_image

    return Kind(
        lambda folder: _scene()[0].save(folder / f"photograph.{suffix}", **options),
        f"photograph.{suffix}",
        lambda folder: read_image(folder / f"photograph.{suffix}"),
    )


def _source(name: str, make: Callable[[Path], Any], damaged: str, **places: str) -> Kind:
    def read(folder: Path) -> None:
        source = open_source(name, folder, "train", **{key: folder / place for key, place in places.items()})
        for job in source.jobs:
            job()

    return Kind(make, damaged, read)


def _photograph(folder: Path) -> np.ndarray:
    """Writes the picture; returns the numbers of its objects."""
    folder.mkdir(parents=True, exist_ok=True)
    picture, numbers = _scene()
    picture.save(folder / "one.jpg")
    return numbers


def _coco(folder: Path) -> None:
    from ifcn_tf.annotations.coco_writer import write_coco

    source = shapes_source(2, seed=0)
    examples = [job().example for job in source.jobs]
    (folder / "train").mkdir()
    for example in examples:
        (folder / "train" / example.file_name).write_bytes(example.encoded)
    write_coco(examples, source.categories, folder / "truth.json")


def _lvis(folder: Path) -> None:
    _coco(folder)
    truth = json.loads((folder / "truth.json").read_text())
    for image in truth["images"]:
        image |= {"coco_url": f"http://images/train/{image['file_name']}", "neg_category_ids": []}
    (folder / "truth.json").write_text(json.dumps(truth))


def _voc(folder: Path) -> None:
    numbers = _photograph(folder / "JPEGImages")
    for name, values in (("SegmentationObject", numbers), ("SegmentationClass", np.minimum(numbers, 20))):
        (folder / name).mkdir()
        image = Image.fromarray(values, "P")
        image.putpalette([value for value in range(256) for _ in range(3)])
        image.save(folder / name / "one.png")
    (folder / "ImageSets" / "Segmentation").mkdir(parents=True)
    (folder / "ImageSets" / "Segmentation" / "train.txt").write_text("one\n")


def _labelme(folder: Path) -> None:
    numbers = _photograph(folder)
    shapes = [
        {"label": "a", "shape_type": "polygon", "points": [[5, 5], [40, 6], [30, 40]]},
        {"label": "b", "shape_type": "rectangle", "points": [[10, 10], [30, 30]]},
        {"label": "c", "shape_type": "circle", "points": [[20, 20], [28, 20]]},
    ]
    size = {"imageHeight": numbers.shape[0], "imageWidth": numbers.shape[1]}
    content = {"version": "5.0", "shapes": shapes, "imagePath": "one.jpg", "imageData": None, **size}
    (folder / "one.json").write_text(json.dumps(content))


def _yolo(folder: Path) -> None:
    _photograph(folder / "images" / "train")
    (folder / "labels" / "train").mkdir(parents=True)
    (folder / "labels" / "train" / "one.txt").write_text("0 .1 .1 .9 .1 .5 .9\n1 .2 .2 .4 .2 .4 .4 .2 .4\n")
    (folder / "data.yaml").write_text("train: images/train\nnames:\n  0: a\n  1: b\n")


def _index_png(folder: Path) -> None:
    (folder / "masks").mkdir()
    Image.fromarray(_photograph(folder / "images")).save(folder / "masks" / "one.png")


def _results(folder: Path) -> None:
    from tests.support.evaluation_data import random_case

    truth, entries = random_case(0, images=2, objects=3, proposals=5)
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(entries))


def _read_results(folder: Path) -> None:
    from ifcn_tf.evaluation.truth import read_coco
    from ifcn_tf.results.reader import read_results

    truth = read_coco(folder / "truth.json")
    results = read_results(str(folder / "results.json"), truth.sizes, truth.ids_of_names)
    for image_id in truth.sizes:
        results.of(image_id)


def _records(folder: Path) -> None:
    from tests.support.prepared import prepare_shapes

    prepare_shapes(folder / "prepared", count=3, num_shards=1)


def _read_records(folder: Path) -> None:
    import tensorflow as tf

    from ifcn_tf.data.records import Records

    Records.open([folder / "prepared"]).count(lambda record: tf.constant(True))


def _weights(folder: Path) -> None:
    from ifcn_tf.models.weights import save_weights
    from tests.support.exported import narrow_network

    save_weights(narrow_network(), folder / "run", {"proposer": PLAIN.to_dict()}, {})


def _read_weights(folder: Path) -> None:
    from ifcn_tf.proposing.network import load_network

    load_network(folder / "run" / "model.weights.h5")


def _exported(suffix: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        from ifcn_tf.engines.litert_export import export_litert
        from ifcn_tf.engines.onnx_export import export_onnx
        from tests.support.exported import narrow_network

        export = {".onnx": export_onnx, ".tflite": export_litert}[suffix]
        export(narrow_network(), PLAIN, folder / f"model{suffix}")

    return make


def _run_exported(suffix: str) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        import ifcn_tf

        ifcn_tf.load(folder / f"model{suffix}").propose(np.asarray(_scene()[0]))

    return read


def _run_file(folder: Path) -> None:
    content = {"proposer": PLAIN.to_dict(), "shown": {"count": 3}, "precision": "float32", "formats": ["overlays"]}
    (folder / "run.json").write_text(json.dumps(content))


def _read_run_file(folder: Path) -> None:
    from ifcn_tf.results.run_file import read_run_file

    read_run_file(folder / "run.json")


KINDS = {
    "jpeg": lambda: _image("jpg", quality=90),
    "png": lambda: _image("png"),
    "webp": lambda: _image("webp"),
    "tiff": lambda: _image("tif"),
    "gif": lambda: _image("gif"),
    "bmp": lambda: _image("bmp"),
    "coco": lambda: _source("coco", _coco, "truth.json", annotations="truth.json", images="train"),
    "lvis": lambda: _source("lvis", _lvis, "truth.json", annotations="truth.json", images="."),
    "voc": lambda: _source("voc", _voc, "**/*.*"),
    "labelme": lambda: _source("labelme", _labelme, "one.json"),
    "yolo": lambda: _source("yolo", _yolo, "**/*.[ty]*"),
    "index_png": lambda: _source("index_png", _index_png, "masks/one.png"),
    "results": lambda: Kind(_results, "*.json", _read_results),
    "records": lambda: Kind(_records, "prepared/*", _read_records),
    "weights": lambda: Kind(_weights, "run/*", _read_weights),
    "run_file": lambda: Kind(_run_file, "run.json", _read_run_file),
    "onnx": lambda: Kind(_exported(".onnx"), "model.onnx", _run_exported(".onnx")),
    "tflite": lambda: Kind(_exported(".tflite"), "model.tflite", _run_exported(".tflite")),
}
