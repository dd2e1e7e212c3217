"""Truth from PASCAL VOC's instance masks, or from those of SBD (Hariharan et al., 2011).

Every object with a pixel counts, also one of a single pixel or of no known category, which training leaves out.
"""

from __future__ import annotations

from pathlib import Path

from ifcn_tf.annotations.example import Example, Instance
from ifcn_tf.annotations.label_images import Layout, objects_of
from ifcn_tf.annotations.reading import ImageLeftOutError, read_names
from ifcn_tf.annotations.sbd import SBD
from ifcn_tf.annotations.voc import VOC
from ifcn_tf.common.classes import VOC_CATEGORIES
from ifcn_tf.common.files import UserError
from ifcn_tf.common.ids import examples, sort_key
from ifcn_tf.evaluation.truth import Truth


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
    layout = _layout(root)
    names, source = split_names(root / layout.lists, split)
    masks = root / layout.masks
    missing = [name for name in names if not (masks / f"{name}{layout.suffix}").is_file()]
    if missing and not takes_part_of_list:
        raise UserError(f"{len(missing)} of {len(names)} images of {source} are not in {masks} ({examples(missing)}).")
    images = [_example(layout, root, name) for name in sorted(set(names) - set(missing))]
    images.sort(key=lambda image: sort_key(image.image_id))
    sizes = {image.image_id: image.size_hw for image in images}
    return Truth(str(source), images, sizes, root / layout.photographs, categories=VOC_CATEGORIES)


def _layout(root: Path) -> Layout:
    for layout in (SBD, VOC):
        if (root / layout.masks).is_dir():
            return layout
    raise UserError(f"{root} is neither a VOC folder (SegmentationObject/) nor an SBD folder (inst/).")


def split_names(lists: Path, split: str) -> tuple[list[str], Path]:
    """The names of the images of a split, and the file that has them.

    Args:
        lists: folder of image lists.
        split: the name of one, or a text file of names.

    Raises:
        UserError: there is no such list, or it has a name twice.
    """
    path = Path(split) if split.endswith(".txt") else lists / f"{split}.txt"
    if not path.is_file():
        known = sorted(file.stem for file in lists.glob("*.txt"))
        raise UserError(f"there is no image list {path}: --split is a list's file, or one of {', '.join(known)}.")
    names, repeated = read_names(path)
    if repeated:
        raise UserError(f"{path} names {len(repeated)} image(s) twice ({examples(repeated)}).")
    return names, path


def _example(layout: Layout, root: Path, name: str) -> Example:
    try:
        labels = layout.read(root, name)
    except ImageLeftOutError as error:
        raise UserError(f"cannot read the objects of {name}: {error}; unpack its archive again.") from error
    objects = tuple(content for _, content in objects_of(labels) if isinstance(content, Instance))
    height, width = labels.instances.shape
    return Example(name, f"{name}.jpg", (height, width), objects)
