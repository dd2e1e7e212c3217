"""What was found and what was missed, over the photographs (figures 8 and 9 of the paper)."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping, Sequence
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
#: Between pictures side by side [px].
_GAP = 12


@dataclasses.dataclass(frozen=True)
class Shown:
    """A picture that was written: its image, and of each method in it the best IoU of every object, float64 [n]."""

    image: Example
    file_name: str
    best_ious: list[np.ndarray]

    @property
    def mean_ious(self) -> list[float]:
        """Of each method the mean over objects of the best IoU."""
        return [float(ious.mean()) for ious in self.best_ious]

    @property
    def missed(self) -> list[int]:
        """Of each method the number of objects that it misses."""
        return [int((ious <= _FOUND_IOU).sum()) for ious in self.best_ious]

    @property
    def order(self) -> tuple[float, str]:
        """What the page is sorted by: how good the last method is, beside other ones by how much better than they."""
        *others, last = self.mean_ious
        return last - sum(others), str(self.image.image_id)


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


def write_pictures(folder: Path, results: Mapping[str, Results], truth: Truth, photographs: Path) -> Path:
    """Writes a picture of every image with objects, named by its id, and index.html with the worst images first.

    In each picture the best proposal of every object is painted; missed objects are outlined in red. Several methods
    stand side by side; first come then the images in which the last one loses most to the others.

    Args:
        folder: where to write.
        results: of each method, with masks.
        truth: what to find.
        photographs: folder of the images.

    Returns:
        index.html.

    Raises:
        UserError: a photograph is damaged or not of its size.
    """
    images, of_methods = [image for image in truth.images if not image.crowd.all()], list(results.values())
    shown = [_write_picture(folder, of_methods, image, photographs) for image in track(images, len(images), "drawing")]
    with atomic_write(folder / "index.html") as file:
        file.write(_page(list(results), sorted(shown, key=lambda entry: entry.order)))
    return folder / "index.html"


def _write_picture(folder: Path, of_methods: Sequence[Results], image: Example, photographs: Path) -> Shown:
    photograph = _read(photographs / image.file_name, image.size_hw)
    pictures, best_ious = zip(*(_picture(photograph, found, image) for found in of_methods), strict=True)
    gap = np.full((photograph.shape[0], _GAP, 3), 255, np.uint8)
    joined = np.concatenate([part for picture in pictures for part in (gap, picture)][1:], 1)
    name = f"{quote(str(image.image_id), safe='')}.jpg"  # an id may hold what no file's name can
    write_bytes(folder / name, encode(Image.fromarray(joined), "JPEG", quality=90))
    return Shown(image, name, list(best_ious))


def _picture(photograph: np.ndarray, results: Results, image: Example) -> tuple[np.ndarray, np.ndarray]:
    """What a method finds and misses in a photograph, uint8 [H, W, 3], and the best IoU of each object."""
    objects = [rle for rle, crowd in zip(image.rles, image.crowd, strict=True) if not crowd]
    proposals = results.of(image.image_id).best(SHOWN_LIMIT).rles
    ious = np.zeros((1, len(objects)))
    if proposals:
        ious = np.asarray(coco_mask.iou(proposals, objects, [0] * len(objects)))
    best, best_ious = ious.argmax(0), ious.max(0)
    is_found = best_ious > _FOUND_IOU
    found = decode([proposals[best[i]] for i in np.flatnonzero(is_found)], image.size_hw)
    missed = decode([objects[i] for i in np.flatnonzero(~is_found)], image.size_hw)
    return draw(photograph, found, missed), best_ious


def _read(path: Path, size_hw: tuple[int, int]) -> np.ndarray:
    """The photograph as `propose` sees it, upright."""
    image = read_pixels(path)
    if image.shape[:2] != tuple(size_hw):
        raise UserError(
            f"{path} is {image.shape[0]} x {image.shape[1]} upright (height x width), the truth says {size_hw}."
        )
    return image


def _page(methods: Sequence[str], shown: Sequence[Shown]) -> str:
    objects = sum(len(entry.best_ious[0]) for entry in shown)
    missed = " / ".join(str(sum(counts)) for counts in zip(*(entry.missed for entry in shown), strict=True))
    figures = "\n".join(map(_figure, shown))
    beside = ", ".join(map(html.escape, methods))
    order = (
        "the mean best IoU of an image's objects"
        if len(methods) == 1
        else f"what the last method loses to the other in it; from left to right: {beside}"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Worst images first</title>
<style>
body {{ font: 14px sans-serif; margin: 2em; }}
main {{ display: flex; flex-wrap: wrap; gap: 16px; }}
figure {{ margin: 0; width: {320 * len(methods)}px; }}
img {{ width: 100%; }}
</style>
<h1>Worst images first</h1>
<p>Each object's best proposal of the first {SHOWN_LIMIT} is painted; the {missed} of {objects} objects without one of
IoU above {_FOUND_IOU} are outlined in red. Sorted by {order}.</p>
<main>
{figures}
</main>
</html>
"""


def _figure(entry: Shown) -> str:
    name, label = quote(entry.file_name), html.escape(str(entry.image.image_id))
    ious, missed = (" / ".join(texts) for texts in ([f"{iou:.2f}" for iou in entry.mean_ious], map(str, entry.missed)))
    text = f"{label}: mean best IoU {ious}, missed {missed} of {len(entry.best_ious[0])}"
    picture = f'<a href="{name}"><img src="{name}" alt="{text}" loading="lazy"></a>'
    return f"<figure>{picture}<figcaption>{text}</figcaption></figure>"
