"""Truth from PASCAL VOC's instance masks, or from those of SBD (Hariharan et al., 2011)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

from ifcn_tf.data.sources.common import VOC_CATEGORIES, VOID
from ifcn_tf.evaluation.truth import Truth, TruthImage
from ifcn_tf.files import UserError, read_text
from ifcn_tf.ids import canonical_id, examples, repeated, sort_key


def read_voc(root: str | Path, split: str, takes_part_of_list: bool = False) -> Truth:
    """Reads the objects of a split.

    Args:
        root: a VOC folder (SegmentationObject/, ImageSets/Segmentation/) or an SBD folder (inst/, val.txt), or the
            one above it.
        split: name of an image list of the root, or a text file of names, one a line.
        takes_part_of_list: images of the list without masks are left out.

    Raises:
        UserError: neither kind of folder, no such list, or, unless they are left out, images that are missing.
    """
    root = Path(root)
    root = root / "dataset" if (root / "dataset" / "inst").is_dir() else root
    is_sbd = (root / "inst").is_dir()
    if not (is_sbd or (root / "SegmentationObject").is_dir()):
        raise UserError(f"{root} is neither a VOC folder (SegmentationObject/) nor an SBD folder (inst/).")
    lists, read = (root, _sbd_image) if is_sbd else (root / "ImageSets" / "Segmentation", _voc_image)
    names, source = _names(lists, split)
    masks = root / "inst" if is_sbd else root / "SegmentationObject"
    suffix = ".mat" if is_sbd else ".png"
    missing = [name for name in names if not (masks / f"{name}{suffix}").is_file()]
    if missing and not takes_part_of_list:
        raise UserError(f"{len(missing)} of {len(names)} images of {source} are not in {masks} ({examples(missing)}).")
    names = sorted(set(names) - set(missing))
    images = sorted((read(root, name) for name in names), key=lambda image: sort_key(image.image_id))
    photographs = root / ("img" if is_sbd else "JPEGImages")
    return Truth(str(source), images, {image.image_id: image.size_hw for image in images}, photographs)


def _names(lists: Path, split: str) -> tuple[list[str], Path]:
    path = Path(split) if split.endswith(".txt") else lists / f"{split}.txt"
    if not path.is_file():
        known = sorted(file.stem for file in lists.glob("*.txt"))
        raise UserError(f"there is no image list {path}: --split is a list's file, or one of {', '.join(known)}.")
    # Lists of VOC's classes have a second column.
    names = [line.split()[0] for line in read_text(path).splitlines() if line.strip()]
    if twice := repeated(names):
        raise UserError(f"{path} names {len(twice)} image(s) twice ({examples(twice)}).")
    return names, path


def _voc_image(root: Path, name: str) -> TruthImage:
    instances = _png(root / "SegmentationObject" / f"{name}.png")
    numbers = [number for number in np.unique(instances) if number not in (0, VOID)]
    masks = _masks(instances, numbers)
    classes = root / "SegmentationClass" / f"{name}.png"
    labels = _png(classes) if classes.is_file() else None
    categories = [] if labels is None else [_majority(labels[mask]) for mask in masks]
    return _image(name, masks, categories)


def _sbd_image(root: Path, name: str) -> TruthImage:
    path = root / "inst" / f"{name}.mat"
    try:
        content = scipy.io.loadmat(path)["GTinst"][0, 0]
        instances, labels = content["Segmentation"], content["Categories"].ravel().astype(int)
    except (KeyError, ValueError, IndexError, OSError, TypeError, NotImplementedError) as error:
        raise UserError(f"{path} is no instance file of SBD ({error}): unpack it again.") from error
    return _image(
        name, _masks(instances, range(1, len(labels) + 1)), [VOC_CATEGORIES[label] for label in labels.tolist()]
    )


def _image(name: str, masks: np.ndarray, categories: Sequence[str]) -> TruthImage:
    image_id = canonical_id(name)
    assert image_id is not None  # a text always is an id
    return TruthImage.from_masks(image_id, f"{name}.jpg", masks, categories)


def _png(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.array(image)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error}.") from error


def _masks(instances: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
    return instances == np.asarray(numbers, instances.dtype)[:, None, None]


def _majority(labels: np.ndarray) -> str:
    """The class of most pixels of an object."""
    label = int(np.bincount(labels[(labels > 0) & (labels != VOID)], minlength=1).argmax())
    return VOC_CATEGORIES.get(label, "unknown")
