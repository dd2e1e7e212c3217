"""Truth from PASCAL VOC's instance masks, or from those of SBD (Hariharan et al., 2011)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ifcn_tf.annotations.label_images import VOC_CATEGORIES, VOID, ImageLeftOutError
from ifcn_tf.annotations.sbd import open_mat
from ifcn_tf.annotations.voc import open_png
from ifcn_tf.common.files import UserError, read_text
from ifcn_tf.common.ids import examples, id_of_text, repeated, sort_key
from ifcn_tf.evaluation.truth import Truth, TruthImage


def read_voc(root: str | Path, split: str, takes_part_of_list: bool = False) -> Truth:
    """Reads the objects of a split.

    Args:
        root: a VOC folder (SegmentationObject/, ImageSets/Segmentation/) or an SBD folder (inst/, val.txt), or the
            one above it.
        split: name of an image list of the root, or a text file of names, one a line.
        takes_part_of_list: images of the list without masks are left out.

    Raises:
        UserError: neither kind of folder, no such list, or, unless they are left out, images that are missing; a
            file of masks that is damaged or of another kind.
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
    path, classes = (root / folder / f"{name}.png" for folder in ("SegmentationObject", "SegmentationClass"))
    instances = _labels(open_png, path)
    numbers = [number for number in np.unique(instances) if number not in (0, VOID)]
    masks = _masks(instances, numbers)
    if not classes.is_file():
        return _image(name, masks, [])
    labels = _labels(open_png, classes)
    if labels.shape != instances.shape:
        raise UserError(f"{classes} is {labels.shape} (height, width), {path} {instances.shape}: they need one size.")
    return _image(name, masks, [_majority(labels[mask]) for mask in masks])


def _sbd_image(root: Path, name: str) -> TruthImage:
    path = root / "inst" / f"{name}.mat"
    instances, labels = (_labels(open_mat, path, "GTinst", field) for field in ("Segmentation", "Categories"))
    masks = _masks(instances, range(1, labels.size + 1))
    return _image(name, masks, [_category(label) for label in labels.ravel().tolist()])


def _image(name: str, masks: np.ndarray, categories: Sequence[str]) -> TruthImage:
    return TruthImage.from_masks(id_of_text(name), f"{name}.jpg", masks, categories)


def _labels(read: Callable[..., np.ndarray], path: Path, *names: str) -> np.ndarray:
    """What a reader of the training sources finds in a file."""
    try:
        return read(path, *names)
    except ImageLeftOutError as error:
        raise UserError(f"cannot read {error}; unpack its archive again.") from error


def _masks(instances: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
    return instances == np.asarray(numbers, instances.dtype)[:, None, None]


def _majority(labels: np.ndarray) -> str:
    """The class of most pixels of an object."""
    return _category(int(np.bincount(labels[(labels > 0) & (labels != VOID)], minlength=1).argmax()))


def _category(label: int) -> str:
    return VOC_CATEGORIES.get(label, "unknown")
