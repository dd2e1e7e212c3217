"""Every source by its name, and where its files are by default."""

from __future__ import annotations

from pathlib import Path

from ifcn_tf.annotations.coco import coco_source, lvis_source
from ifcn_tf.annotations.example import Source
from ifcn_tf.annotations.index_png import index_png_source
from ifcn_tf.annotations.labelme import labelme_source
from ifcn_tf.annotations.sbd import sbd_source
from ifcn_tf.annotations.voc import voc_source
from ifcn_tf.annotations.yolo import yolo_source
from ifcn_tf.common.files import UserError

#: What can be opened, and what each takes beside its root and split.
_TAKEN = {
    "coco": ("names", "annotations", "images"),
    "lvis": ("names", "annotations", "images"),
    "voc": ("names",),
    "sbd": ("names",),
    "labelme": (),
    "yolo": ("images",),
    "index_png": ("annotations", "images"),
}
SOURCES = tuple(_TAKEN)


def open_source(
    name: str,
    root: Path,
    split: str,
    names: Path | None = None,
    annotations: Path | None = None,
    images: Path | None = None,
) -> Source:
    """Opens a source.

    Args:
        name: one of `SOURCES`.
        root: folder of the data set, in its own layout.
        split: part of the data set, where it has parts.
        names: text file of the images to take, if not all of the split (coco, lvis, voc, sbd).
        annotations: the json (coco, lvis) or the folder of masks (index_png), if elsewhere.
        images: folder of the photographs, if elsewhere (coco, lvis, yolo, index_png).

    Raises:
        UserError: the files cannot be read, or something is given that the source does not take.
    """
    given = {"names": names, "annotations": annotations, "images": images}
    for option in (option for option, value in given.items() if value is not None and option not in _TAKEN[name]):
        raise UserError(f"--source={name} takes no --{option}: its files are where --root says.")
    match name:
        case "coco":
            return coco_source(
                annotations or root / "annotations" / f"instances_{split}.json", images or root / split, names
            )
        case "lvis":
            return lvis_source(annotations or root / "annotations" / f"lvis_v1_{split}.json", images or root, names)
        case "voc":
            return voc_source(root, names or root / "ImageSets" / "Segmentation" / f"{split}.txt")
        case "sbd":
            return sbd_source(root, names or root / f"{split}.txt")
        case "labelme":
            return labelme_source(root)
        case "yolo":
            return yolo_source(images or root / "images" / split)
        case "index_png":
            return index_png_source(images or root / "images", annotations or root / "masks")
    raise ValueError(f"no source {name!r}; there are {', '.join(SOURCES)}")
