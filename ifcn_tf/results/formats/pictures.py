"""Formats for people: a picture of each image in which its proposals are told apart."""

from __future__ import annotations

from pathlib import Path

from ifcn_tf.common.files import write_bytes
from ifcn_tf.images.files import encode
from ifcn_tf.pictures.proposals import Style, draw_proposals
from ifcn_tf.results.formats.image_proposals import Images

#: How each of these formats draws.
STYLES: dict[str, Style] = {"overlays": "masks", "outlines": "outlines", "cutouts": "cutouts"}


def overlays(images: Images, output: Path, simplify: float) -> None:
    """STEM.png of each image: the photograph with coloured masks and their scores."""
    _draw(images, output, "masks")


def outlines(images: Images, output: Path, simplify: float) -> None:
    """STEM.png of each image: the photograph with the outlines of masks and their scores."""
    _draw(images, output, "outlines")


def cutouts(images: Images, output: Path, simplify: float) -> None:
    """STEM.png of each image: the pixels in masks alone, on a transparent ground."""
    _draw(images, output, "cutouts")


def _draw(images: Images, output: Path, style: Style) -> None:
    for image in images:
        picture = draw_proposals(image.pixels(), image.proposals, style)
        write_bytes(output / f"{image.path.stem}.png", encode(picture, "PNG"))
