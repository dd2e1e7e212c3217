"""PASCAL VOC's segmentations: two PNG label images a photograph.

Layout of VOC 2007 to 2012: JPEGImages/, SegmentationObject/, SegmentationClass/ and ImageSets/Segmentation/SPLIT.txt.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ifcn_tf.annotations.example import Source
from ifcn_tf.annotations.label_images import Labels, Layout, labelled_source, numbers_of, open_labels
from ifcn_tf.annotations.reading import ImageLeftOutError
from ifcn_tf.common.classes import VOID


def voc_source(root: Path, names: Path) -> Source:
    """Opens the photographs of a list.

    Args:
        root: holds JPEGImages/, SegmentationObject/ and SegmentationClass/.
        names: text file, one name a line.

    Raises:
        UserError: the list cannot be read.
    """
    return labelled_source(VOC, root, names)


def _read(root: Path, name: str) -> Labels:
    path, classes_path = (root / folder / f"{name}.png" for folder in ("SegmentationObject", "SegmentationClass"))
    instances = open_labels(path)
    if not classes_path.is_file():
        return Labels(instances, None)
    classes = open_labels(classes_path)
    if classes.shape != instances.shape:
        sizes = f"{classes_path} is {classes.shape} (height, width), {path} {instances.shape}: they need one size"
        raise ImageLeftOutError("mask of another size", sizes)
    categories = {number: _majority(classes[instances == number]) for number in numbers_of(instances)}
    return Labels(instances, categories, classes)


VOC = Layout("JPEGImages", "SegmentationObject", ".png", "ImageSets/Segmentation", _read)


def _majority(classes: np.ndarray) -> int:
    """The class of most pixels of an object, 0 without any."""
    return int(np.bincount(classes[(classes > 0) & (classes != VOID)], minlength=1).argmax())
