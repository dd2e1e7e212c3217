"""The layout that Ultralytics' YOLO trains segmentation on (https://docs.ultralytics.com/datasets/segment)."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from ifcn_tf.common.files import atomic_write, whole_file
from ifcn_tf.masks.outlines import outlines, slit
from ifcn_tf.masks.rle import Rle
from ifcn_tf.results.formats.image_proposals import LABEL, Images

_DATA = f"train: images/train\nval: images/train\nnames:\n  0: {LABEL}\n"


def yolo(images: Images, output: Path, simplify: float) -> None:
    """A copy of each image in images/train, labels/train/STEM.txt and data.yaml: one polygon an object, for YOLO."""
    with atomic_write(output / "data.yaml") as file:
        file.write(_DATA)
    for image in images:
        with whole_file(output / "images" / "train" / image.path.name) as copy:
            shutil.copyfile(image.path, copy)
        with atomic_write(output / "labels" / "train" / f"{image.path.stem}.txt") as file:
            file.writelines(_line(rle, simplify) for rle in image.proposals.rles)


def _line(rle: Rle, simplify: float) -> str:
    """Class and points as shares of width and height; holes and parts are joined by slits: the form knows neither."""
    ring = slit([ring for part in outlines(rle, simplify) for ring in part])
    shares = (ring / np.array(rle["size"][::-1])).ravel()
    return " ".join(["0", *(f"{share:.6g}" for share in shares)]) + "\n"
