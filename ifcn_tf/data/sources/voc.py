"""PASCAL VOC's segmentations: SegmentationObject and SegmentationClass, one PNG each a photograph.

Layout of VOC 2007 to 2012: JPEGImages/, SegmentationObject/, SegmentationClass/ and ImageSets/Segmentation/SPLIT.txt.
"""

from __future__ import annotations

import functools
from pathlib import Path

from ifcn_tf.data.example import Example, Loaded, Source
from ifcn_tf.data.sources.common import (
    VOC_CATEGORIES,
    ImageLeftOutError,
    objects_of_label_images,
    open_labels,
    read_image,
    read_names,
)


def voc_source(root: Path, split: str) -> Source:
    """Opens a split, for example "train" or "val"; raises UserError where its list is missing."""
    names, problems = read_names(root / "ImageSets" / "Segmentation" / f"{split}.txt")
    jobs = [functools.partial(_load, root, name) for name in names]
    repeated = [functools.partial(Loaded, None, tuple(problems))] if problems else []
    return Source(VOC_CATEGORIES, len(jobs) + len(repeated), [*jobs, *repeated])


def _load(root: Path, name: str) -> Loaded:
    path = root / "JPEGImages" / f"{name}.jpg"
    try:
        encoded, size_hw = read_image(path)
        instances = open_labels(root / "SegmentationObject" / f"{name}.png")
        classes = open_labels(root / "SegmentationClass" / f"{name}.png")
        objects, problems = objects_of_label_images(instances, classes, size_hw, name)
    except ImageLeftOutError as error:
        return Loaded(None, (error.problem,))
    return Loaded(Example(name, path.name, encoded, size_hw, tuple(objects)), tuple(problems))
