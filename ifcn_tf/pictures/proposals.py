"""Pictures that people look at: proposals over their photograph."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage, special

from ifcn_tf.pictures.paint import Canvas, palette, typical_side
from ifcn_tf.proposals import Proposals

#: Side of a cell in pictures of maps [px].
_CELL_PX = 4
#: Colours of the values 0, .5 and 1 of a map.
_RAMP = np.array([(13, 22, 64), (186, 54, 85), (252, 240, 164)])


def draw_proposals(image: np.ndarray, proposals: Proposals) -> Image.Image:
    """Paints masks over a photograph: coloured, outlined, each with its score.

    Args:
        image: uint8 [H, W, 3], RGB.
        proposals: of this image, few and distinct (`Proposals.distinct`); the best one lies on top.

    Returns:
        The picture, of the image's size.
    """
    canvas, colours = Canvas(image), palette(len(proposals))
    for i in reversed(range(len(proposals))):
        canvas.paint(proposals[[i]].masks()[0], colours[i])
    picture = Image.fromarray(canvas.image())
    for i in reversed(range(len(proposals))):
        _draw_label(picture, f"{proposals.scores[i]:.2f}", proposals[[i]].masks()[0], colours[i])
    return picture


def _draw_label(picture: Image.Image, text: str, mask: np.ndarray, colour: np.ndarray) -> None:
    """Writes a text on a tag at the innermost pixel of a mask, and within the picture."""
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=max(10, round(typical_side(picture.size) / 40)))
    left, top, right, bottom = font.getbbox(text)
    width, height = right - left + 8, bottom - top + 6
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    x0 = float(np.clip(x - width / 2, 0, max(picture.width - width, 0)))
    y0 = float(np.clip(y - height / 2, 0, max(picture.height - height, 0)))
    draw.rounded_rectangle((x0, y0, x0 + width, y0 + height), 4, fill=(20, 20, 20), outline=tuple(colour.astype(int)))
    draw.text((x0 + 4 - left, y0 + 3 - top), text, font=font, fill=(255, 255, 255))


def draw_score_maps(score_maps: np.ndarray) -> Image.Image:
    """The instance-sensitive score maps of a photograph, each in its relative position (figure 5).

    Args:
        score_maps: float [h, w, k * k], logits (`score_maps.score_maps`).

    Returns:
        k x k maps of probabilities, 4 px a cell, the one of the upper left part of objects in the upper left corner.
    """
    k = math.isqrt(score_maps.shape[-1])
    probabilities = special.expit(score_maps).repeat(_CELL_PX, 0).repeat(_CELL_PX, 1)
    return Image.fromarray(tile([heat(probabilities[..., i]) for i in range(k * k)], k))


def heat(values: np.ndarray) -> np.ndarray:
    """Colours, uint8 [h, w, 3], for values [h, w] in 0..1: dark blue to red to light yellow."""
    return np.stack([np.interp(values, (0, 0.5, 1), channel) for channel in _RAMP.T], -1).astype(np.uint8)


def tile(tiles: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Puts equal pictures, uint8 [h, w, 3], in rows of so many, with white gaps between them and after the last."""
    gap = max(1, tiles[0].shape[0] // 24)
    framed = [np.pad(tile, [(gap, 0), (gap, 0), (0, 0)], constant_values=255) for tile in tiles]
    framed += [np.full_like(framed[0], 255)] * (-len(framed) % columns)
    rows = [np.concatenate(framed[i : i + columns], 1) for i in range(0, len(framed), columns)]
    return np.concatenate(rows)
