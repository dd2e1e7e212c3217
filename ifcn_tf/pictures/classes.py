"""Pictures of the class of each pixel: VOC's colours, and a photograph with its classes and their names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ifcn_tf.common.classes import VOID
from ifcn_tf.pictures.paint import Canvas, typical_side

_MARGIN = 4


def class_palette() -> np.ndarray:
    """VOC's colours of the values 0 to 255, uint8 [256, 3] RGB: the bits of a value, three at a time, from high to low.

    0 is black, 255 a light grey.
    """
    values, colours = np.arange(256), np.zeros((256, 3), np.uint8)
    for place in range(8):
        for channel in range(3):
            colours[:, channel] |= ((values >> (3 * place + channel) & 1) << (7 - place)).astype(np.uint8)
    return colours


def class_picture(classes: np.ndarray) -> Image.Image:
    """Classes, uint8 [H, W], as a picture whose values they are, with VOC's colours as its palette."""
    picture = Image.fromarray(classes)
    picture.putpalette(class_palette().tobytes())
    return picture


def draw_classes(image: np.ndarray, classes: np.ndarray, names: Sequence[str]) -> Image.Image:
    """Paints the classes of pixels over a photograph, with a legend of those that are there below it.

    Args:
        image: uint8 [H, W, 3], RGB.
        classes: uint8 [H, W]; 0, the background, is left as it is.
        names: of the classes, from 0 on.

    Returns:
        The picture, as wide as the image, and higher by the legend.
    """
    canvas, palette = Canvas(image), class_palette()
    present = np.setdiff1d(classes, [0]).tolist()
    for number in present:
        canvas.paint(classes == number, palette[number].astype(np.float32))
    entries = [("void" if number == VOID else names[number], palette[number]) for number in present]
    legend = _legend(entries or [(f"{names[0]} alone", palette[0])], image.shape[:2])
    return Image.fromarray(np.concatenate([canvas.image(), legend]))


def _legend(entries: Sequence[tuple[str, np.ndarray]], size_hw: tuple[int, ...]) -> np.ndarray:
    """Names behind squares of their colours, line by line, on white: uint8 [h, W, 3]."""
    font = ImageFont.load_default(size=max(10, round(typical_side(size_hw) / 32)))
    line = round(font.getbbox("Ag")[3]) + 2 * _MARGIN
    places, x, y = [], _MARGIN, _MARGIN
    for name, _ in entries:
        width = line + round(font.getlength(name)) + 2 * _MARGIN
        if x > _MARGIN and x + width > size_hw[1]:
            x, y = _MARGIN, y + line
        places.append((x, y))
        x += width
    picture = Image.new("RGB", (size_hw[1], y + line), "white")
    draw = ImageDraw.Draw(picture)
    for (name, colour), (left, top) in zip(entries, places, strict=True):
        side = line - 2 * _MARGIN
        draw.rectangle((left, top, left + side, top + side), fill=tuple(colour.tolist()), outline="black")
        draw.text((left + line, top - _MARGIN // 2), name, fill="black", font=font)
    return np.asarray(picture)
