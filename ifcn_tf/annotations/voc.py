"""PASCAL VOC's segmentations: two PNG label images a photograph.

Layout of VOC 2007 to 2012: JPEGImages/, SegmentationObject/, SegmentationClass/ and ImageSets/Segmentation/SPLIT.txt.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from PIL import Image

from ifcn_tf.annotations.example import Loaded, Source
from ifcn_tf.annotations.label_images import VOC_CATEGORIES, ImageLeftOutError, load_labelled, source_of_names


def voc_source(root: Path, names: Path) -> Source:
    """Opens the photographs of a list.

    Args:
        root: holds JPEGImages/, SegmentationObject/ and SegmentationClass/.
        names: text file, one name a line.

    Raises:
        UserError: the list cannot be read.
    """
    return source_of_names(names, functools.partial(_load, root), VOC_CATEGORIES)


def _load(root: Path, name: str) -> Loaded:
    instances = functools.partial(open_png, root / "SegmentationObject" / f"{name}.png")
    classes = functools.partial(open_png, root / "SegmentationClass" / f"{name}.png")
    return load_labelled(root / "JPEGImages" / f"{name}.jpg", instances, classes)


def open_png(path: Path) -> np.ndarray:
    """Palette indices (or grey values) of a PNG, int [H, W]; raises ImageLeftOutError."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.mode not in ("P", "L"):
                raise ImageLeftOutError("malformed mask", f"{path}: labels have one channel, not {image.mode}")
            return np.asarray(image).astype(np.int64)
    except FileNotFoundError as error:
        raise ImageLeftOutError("missing mask", f"{path}: no such file") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageLeftOutError("malformed mask", f"{path}: {error}") from error
