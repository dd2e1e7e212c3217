"""The classes of the pixels of many images as files: label images, pictures and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ifcn_tf.common.files import BadImageError, UserError, atomic_write, read_text, whole_file, write_bytes
from ifcn_tf.common.progress import track
from ifcn_tf.images.files import encode
from ifcn_tf.pictures.classes import class_picture, draw_classes
from ifcn_tf.results.folder import Failure

#: In the folder of the label images: names of the classes, one a line, from value 0 on.
NAMES = "classes.txt"


class AnySegmenter(Protocol):
    """What `segment_images` needs: `segmenting.segmenter.Segmenter`, or another of its kind."""

    @property
    def names(self) -> Sequence[str]:
        """Of the classes, from 0 on."""

    def read(self, path: Path) -> np.ndarray:
        """An image file's pixels, uint8 [H, W, 3]; raises BadImageError on a bad file."""

    def segment(self, image: np.ndarray) -> np.ndarray:
        """The class of each pixel of an image, uint8 [H, W]."""

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """How likely each class is at each pixel, float32 [H, W, classes]."""


def segment_images(
    segmenter: AnySegmenter, paths: Sequence[Path], folder: Path, overlays: bool = True, probabilities: bool = False
) -> list[Failure]:
    """Writes `labels/STEM.png`, with VOC's colours as palette, and `labels/classes.txt`, the names of the values.

    Args:
        segmenter: names the classes.
        paths: image files of distinct stems.
        folder: where to write; made when absent.
        overlays: also write `overlays/STEM.png`, the classes over the photograph with their names.
        probabilities: also write `probabilities/STEM.npz`, the array "probabilities", float16 [H, W, classes].

    Returns:
        The images that failed; all others have their files.

    Raises:
        UserError: the folder cannot be written.
    """
    with atomic_write(folder / "labels" / NAMES) as file:
        file.writelines(f"{name}\n" for name in segmenter.names)
    failures = []
    for path in track(paths, len(paths), "segmenting"):
        try:
            image = segmenter.read(path)
        except BadImageError as error:
            failures.append(Failure(path, str(error)))
            continue
        try:
            likely = segmenter.probabilities(image) if probabilities else None
            classes = segmenter.segment(image) if likely is None else likely.argmax(-1).astype(np.uint8)
        except BadImageError as error:  # which knows the size alone
            failures.append(Failure(path, f"{path}: {error}"))
            continue
        write_bytes(folder / "labels" / f"{path.stem}.png", encode(class_picture(classes), "PNG"))
        if overlays:
            picture = draw_classes(image, classes, segmenter.names)
            write_bytes(folder / "overlays" / f"{path.stem}.png", encode(picture, "PNG"))
        if likely is not None:
            with whole_file(folder / "probabilities" / f"{path.stem}.npz") as unfinished:
                np.savez_compressed(unfinished, probabilities=likely.astype(np.float16))
    return failures


def read_class_names(folder: Path) -> list[str]:
    """Names of the classes of a folder of label images, empty where it has no list of them; raises UserError."""
    path = folder / NAMES
    if not path.exists():
        return []
    names = read_text(path).splitlines()
    if len(set(names)) != len(names) or not all(names):
        raise UserError(f"{path} has an empty name, or one twice: it needs a name for each value, one a line.")
    return names
