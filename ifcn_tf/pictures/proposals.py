"""Pictures that people look at: proposals over their photograph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage, special

from ifcn_tf.pictures.paint import Canvas, colours_apart, typical_side
from ifcn_tf.proposals import Proposals

#: How proposals are drawn.
Style = Literal["masks", "outlines", "cutouts"]
#: Side of a cell in pictures of maps [px].
_CELL_PX = 4
#: Colours of the values 0, .5 and 1 of a map.
_RAMP = np.array([(13, 22, 64), (186, 54, 85), (252, 240, 164)])


def draw_proposals(image: np.ndarray, proposals: Proposals, style: Style = "masks") -> Image.Image:
    """Draws masks over a photograph, so that they can be told apart.

    Args:
        image: uint8 [H, W, 3], RGB.
        proposals: of this image, few and distinct (`Proposals.distinct`); the best one lies on top.
        style: "masks" fills each with a colour and outlines it, "outlines" leaves the photograph inside as it is; each
            has a tag with its name, if it has one, and its score where that fits into what is seen of it. "cutouts"
            shows the pixels in masks and nothing else, on a transparent ground.

    Returns:
        The picture, of the image's size; of cutouts with an alpha channel.
    """
    masks = proposals.masks()
    if style == "cutouts":
        shown = np.expand_dims(masks.any(0), 2)
        return Image.fromarray(np.concatenate([image * shown, shown * np.uint8(255)], 2))
    grounds = np.array([image[mask].mean(0) for mask in masks]).reshape(-1, 3)
    canvas, colours = Canvas(image), colours_apart(proposals.boxes_yxyx(), grounds)
    draw = canvas.paint if style == "masks" else canvas.outline
    for mask, colour in zip(masks[::-1], colours[::-1], strict=True):
        draw(mask, colour)
    picture = Image.fromarray(canvas.image())
    hidden = np.zeros(proposals.size_hw, bool)
    names = [""] * len(masks) if proposals.category_ids is None else [f"{label} " for label in proposals.labels]
    for mask, colour, name, score in zip(masks, colours, names, proposals.scores, strict=True):
        _draw_tag(picture, f"{name}{score:.2f}", mask & ~hidden, colour)
        hidden |= mask
    return picture


def _draw_tag(picture: Image.Image, text: str, visible: np.ndarray, colour: np.ndarray) -> None:
    """Writes a text on a tag as deep inside a region, bool [H, W], as it fits; nothing where it does not."""
    font = ImageFont.load_default(size=max(10, round(typical_side(picture.size) / 42)))
    left, top, right, bottom = font.getbbox(text)
    width, height = round(right - left) // 2 * 2 + 9, round(bottom - top) // 2 * 2 + 7
    fits = ndimage.minimum_filter(visible, (height, width), mode="constant")
    if not fits.any():
        return
    y, x = np.unravel_index(
        (fits * ndimage.distance_transform_edt(np.pad(visible, 1))[1:-1, 1:-1]).argmax(), fits.shape
    )
    x0, y0, draw = int(x) - width // 2, int(y) - height // 2, ImageDraw.Draw(picture)
    draw.rounded_rectangle((x0, y0, x0 + width - 1, y0 + height - 1), 4, fill=(20, 20, 20), outline=_rgb(colour))
    draw.text((x0 + 4 - left, y0 + 3 - top), text, font=font, fill=(255, 255, 255))


def _rgb(colour: np.ndarray) -> tuple[int, ...]:
    return tuple(colour.astype(int).tolist())


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
