"""What was found and what was missed, over the photographs (figures 8 and 9 of the paper)."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from ifcn_tf.annotations.example import Example
from ifcn_tf.common.files import UserError, atomic_write, write_bytes
from ifcn_tf.common.ids import examples
from ifcn_tf.common.progress import track
from ifcn_tf.evaluation.truth import Truth
from ifcn_tf.images.files import encode, read_pixels
from ifcn_tf.masks.rle import decode
from ifcn_tf.pictures.found_and_missed import draw
from ifcn_tf.results.reader import Results

#: Proposals an image that pictures choose from.
SHOWN_LIMIT = 100
#: An object is missed when no proposal overlaps it by more than this IoU (DeepMask, figure 3).
_FOUND_IOU = 0.5


@dataclasses.dataclass(frozen=True)
class Shown:
    """A picture that was written: its image, objects, missed ones, and mean best IoU."""

    image: Example
    file_name: str
    missed: int
    best_ious: np.ndarray

    @property
    def mean_iou(self) -> float:
        """Mean over objects of the best IoU; what the page is sorted by."""
        return float(self.best_ious.mean())


def find_photographs(truth: Truth, folder: Path | None) -> Path:
    """Folder of the photographs: the one given, or else the truth's; raises UserError when an image is not there."""
    folder = folder or truth.photographs
    if folder is None:
        raise UserError("--show needs the photographs: give their folder with --images.")
    missing = [image.file_name for image in truth.images if not (folder / image.file_name).is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} photographs are not in {folder} ({examples(missing)}): give theirs with --images."
        )
    return folder


def write_pictures(folder: Path, results: Results, truth: Truth, photographs: Path) -> Path:
    """Writes a picture of every image with objects, named by its id, and index.html with the worst images first.

    In each picture the best proposal of every object is painted; missed objects are outlined in red.

    Args:
        folder: where to write.
        results: with masks.
        truth: what to find.
        photographs: folder of the images.

    Returns:
        index.html.

    Raises:
        UserError: a photograph is damaged or not of its size.
    """
    images = [image for image in truth.images if not image.crowd.all()]
    shown = [_write_picture(folder, results, image, photographs) for image in track(images, len(images), "drawing")]
    with atomic_write(folder / "index.html") as file:
        file.write(_page(sorted(shown, key=lambda entry: (entry.mean_iou, str(entry.image.image_id)))))
    return folder / "index.html"


def _write_picture(folder: Path, results: Results, image: Example, photographs: Path) -> Shown:
    photograph = _read(photographs / image.file_name, image.size_hw)
    objects = [rle for rle, crowd in zip(image.rles, image.crowd, strict=True) if not crowd]
    proposals = results.of(image.image_id).best(SHOWN_LIMIT).rles
    ious = np.zeros((1, len(objects)))
    if proposals:
        ious = np.asarray(coco_mask.iou(proposals, objects, [0] * len(objects)))
    best, best_ious = ious.argmax(0), ious.max(0)
    is_found = best_ious > _FOUND_IOU
    found, missed = np.flatnonzero(is_found), np.flatnonzero(~is_found)
    picture = draw(
        photograph,
        decode([proposals[best[i]] for i in found], image.size_hw),
        decode([objects[i] for i in missed], image.size_hw),
    )
    name = f"{quote(str(image.image_id), safe='')}.jpg"  # an id may hold what no file's name can
    write_bytes(folder / name, encode(Image.fromarray(picture), "JPEG", quality=90))
    return Shown(image, name, len(missed), best_ious)


def _read(path: Path, size_hw: tuple[int, int]) -> np.ndarray:
    """The photograph as `propose` sees it, upright."""
    image = read_pixels(path)
    if image.shape[:2] != tuple(size_hw):
        raise UserError(
            f"{path} is {image.shape[0]} x {image.shape[1]} upright (height x width), the truth says {size_hw}."
        )
    return image


def _page(shown: Sequence[Shown]) -> str:
    objects = sum(len(entry.best_ious) for entry in shown)
    missed = sum(entry.missed for entry in shown)
    figures = "\n".join(_figure(entry) for entry in shown)
    return f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Worst images first</title>
<style>
body {{ font: 14px sans-serif; margin: 2em; }}
main {{ display: flex; flex-wrap: wrap; gap: 16px; }}
figure {{ margin: 0; width: 320px; }}
img {{ width: 100%; }}
</style>
<h1>Worst images first</h1>
<p>Each object's best proposal of the first {SHOWN_LIMIT} is painted; the {missed} of {objects} objects without one of
IoU above {_FOUND_IOU} are outlined in red. Sorted by the mean best IoU of an image's objects.</p>
<main>
{figures}
</main>
</html>
"""


def _figure(entry: Shown) -> str:
    name, label = quote(entry.file_name), html.escape(str(entry.image.image_id))
    text = f"{label}: mean best IoU {entry.mean_iou:.2f}, missed {entry.missed} of {len(entry.best_ious)}"
    picture = f'<a href="{name}"><img src="{name}" alt="{text}" loading="lazy"></a>'
    return f"<figure>{picture}<figcaption>{text}</figcaption></figure>"
