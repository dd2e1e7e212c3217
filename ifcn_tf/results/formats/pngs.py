"""Masks as PNGs: one black and white picture a mask, or one picture whose values are the numbers of objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ifcn_tf.common.files import write_bytes
from ifcn_tf.images.files import encode
from ifcn_tf.pictures.paint import palette
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.formats.image_proposals import Images
from ifcn_tf.results.formats.table import write_table

#: No object has this number: readers of VOC's form take it for pixels that belong to none.
_VOID = 255


def binary_masks(images: Images, output: Path, simplify: float) -> None:
    """STEM/000.png, 001.png ... of each image: black and white, best first, with their scores in index.csv."""
    for image in images:
        folder = output / image.path.stem
        for earlier in folder.glob("*.png"):
            earlier.unlink()
        for number in range(len(image.proposals)):
            mask = image.proposals[[number]].masks()[0]
            write_bytes(folder / f"{number:03d}.png", encode(Image.fromarray(mask), "PNG"))
        write_table(folder / "index.csv", image.proposals)


def index_png(images: Images, output: Path, simplify: float) -> None:
    """STEM.png of each image: 0 is background, 1 the best object, better ones over others; 255 is left out."""
    for image in images:
        write_bytes(output / f"{image.path.stem}.png", encode(_index(image.proposals), "PNG"))


def _index(proposals: Proposals) -> Image.Image:
    """A picture with a palette while 8 bits are enough, else one of 16 bits."""
    indices = np.zeros(proposals.size_hw, np.uint16)
    for rank in reversed(range(len(proposals))):
        indices[proposals[[rank]].masks()[0]] = rank + 1 + (rank + 1 >= _VOID)
    if len(proposals) >= _VOID:
        return Image.fromarray(indices)
    picture = Image.fromarray(indices.astype(np.uint8))
    picture.putpalette(np.concatenate([np.zeros((1, 3)), palette(_VOID)]).round().astype(np.uint8).tobytes())
    return picture
