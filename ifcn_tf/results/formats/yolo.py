"""The layout that Ultralytics' YOLO trains segmentation on (https://docs.ultralytics.com/datasets/segment)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ifcn_tf.common.files import atomic_write, whole_file
from ifcn_tf.masks.outlines import outlines, slit
from ifcn_tf.masks.rle import Rle
from ifcn_tf.results.formats.image_proposals import Images, categories_of, category_ids_of

_DATA = "train: images/train\nval: images/train\nnames:\n"


def yolo(images: Images, output: Path, simplify: float) -> None:
    """A copy of each image in images/train, labels/train/STEM.txt and data.yaml: one polygon an object, for YOLO."""
    for image in images:
        categories = categories_of(image.proposals)
        with atomic_write(output / "data.yaml") as file:
            file.write(_DATA)
            file.writelines(f"  {number}: {json.dumps(name)}\n" for number, name in enumerate(categories.values()))
        with whole_file(output / "images" / "train" / image.path.name) as copy:
            copy.write_bytes(image.path.read_bytes())
        numbers = [list(categories).index(number) for number in category_ids_of(image.proposals)]
        pairs = zip(numbers, image.proposals.rles, strict=True)
        with atomic_write(output / "labels" / "train" / f"{image.path.stem}.txt") as file:
            file.writelines(_line(number, rle, simplify) for number, rle in pairs)


def _line(number: int, rle: Rle, simplify: float) -> str:
    """Class and points as shares of width and height; holes and parts are joined by slits: the form knows neither."""
    ring = slit([ring for part in outlines(rle, simplify) for ring in part])
    shares = (ring / np.array(rle["size"][::-1])).ravel()
    return " ".join([str(number), *(f"{share:.6g}" for share in shares)]) + "\n"
