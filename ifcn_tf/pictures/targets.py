"""Pictures of training targets: which windows are positive or negative, and the masks of positive ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ifcn_tf.geometry import WindowGrid
from ifcn_tf.pictures.paint import Canvas

POSITIVE, NEGATIVE, IGNORED = (40, 255, 70), (255, 30, 30), (255, 210, 0)
#: Radius of a dot, of a positive window and of others [cells].
_LARGE, _SMALL = 0.36, 0.2
#: An image is shown twice as large, or larger, so that its sides have about so many pixels.
_SHORTER_PX, _LONGER_PX = 480, 2000
_GAP = 8  # between the parts of a picture [px]
#: A line of the legend is so high [px], and higher beside a photograph of more lines than so many.
_LINE_PX, _LINES = 24, 40
_GROUND, _INK = (30, 30, 30), (255, 255, 255)


def draw_targets(
    image: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    windows: np.ndarray,
    masks: np.ndarray,
    grid: WindowGrid,
    title: str,
    others: str = "ignored",
) -> Image.Image:
    """Window centres on the resized photograph, enlarged, beside it each window's crop over its target, and a legend.

    Args:
        image: uint8 [H, W, 3], RGB.
        positive, negative: bool [h, w], classes of the windows.
        windows: integers [p, 2], centre cells (y, x) of the windows to show.
        masks: bool [p, m, m], their targets; m divides the side of a window.
        grid: where windows lie.
        title: what is shown, for the legend.
        others: what windows are that are neither positive nor negative.
    """
    zoom = max(2, min(round(_SHORTER_PX / min(image.shape[:2])), _LONGER_PX // max(image.shape[:2])))
    photograph = _draw_centres(image, positive, negative, zoom, grid)
    pairs = [_draw_window(image, window, mask, grid) for window, mask in zip(windows, masks, strict=True)]
    line = max(_LINE_PX, photograph.height // _LINES)
    height, width = image.shape[:2]
    notes = [f"{title} ({height} x {width}, shown {zoom} times as large)", *_notes(len(pairs), grid)]
    legend = _draw_legend(positive, negative, others, notes, line)
    parts = [(photograph, (0, 0)), *_beside(photograph, pairs)]
    parts.append((legend, (0, max(y + part.height for part, (_, y) in parts))))
    size = [max(start[axis] + part.size[axis] for part, start in parts) for axis in range(2)]
    sheet = Image.new("RGB", (size[0], size[1]), _GROUND)
    for part, start in parts:
        sheet.paste(part, start)
    return sheet


def _beside(photograph: Image.Image, pairs: Sequence[Image.Image]) -> list[tuple[Image.Image, tuple[int, int]]]:
    """Where each pair is (x, y): in columns to the right of the photograph, no longer than it unless one pair is."""
    width, height = (pairs[0].width + _GAP, pairs[0].height + _GAP) if pairs else (0, 1)
    rows = max(1, (photograph.height + _GAP) // height)
    places = (divmod(i, rows) for i in range(len(pairs)))
    return [
        (pair, (photograph.width + _GAP + column * width, row * height))
        for pair, (column, row) in zip(pairs, places, strict=True)
    ]


def _draw_centres(
    image: np.ndarray, positive: np.ndarray, negative: np.ndarray, zoom: int, grid: WindowGrid
) -> Image.Image:
    """The photograph, so many times as large, with a dot at each window's centre."""
    picture = Image.fromarray(image).resize((zoom * image.shape[1], zoom * image.shape[0]), Image.Resampling.BICUBIC)
    draw, cell = ImageDraw.Draw(picture), zoom * grid.stride
    for i, j in np.ndindex(positive.shape):
        colour = POSITIVE if positive[i, j] else NEGATIVE if negative[i, j] else IGNORED
        y, x = zoom * (grid.extent(np.array([i, j]))[0] + grid.window_px / 2)
        _draw_dot(draw, x, y, cell, colour)
    return picture


def _draw_dot(draw: ImageDraw.ImageDraw, x: float, y: float, cell: int, colour: tuple[int, int, int]) -> None:
    """The dot of a window; its dark rim sets it off from any photograph."""
    radius = (_LARGE if colour == POSITIVE else _SMALL) * cell
    draw.ellipse((x - radius, y - radius, x + radius - 1, y + radius - 1), fill=colour, outline=(0, 0, 0))


def _notes(num_pairs: int, grid: WindowGrid) -> list[str]:
    side = grid.window_px
    beside = ["beside: positive windows, each above its target"] if num_pairs else []
    return [f"a dot is the centre of a window of {side} x {side} px", *beside]


def _draw_legend(
    positive: np.ndarray, negative: np.ndarray, others: str, notes: Sequence[str], line: int
) -> Image.Image:
    """What the colours mean, with the number of windows of each class, and further lines, so many pixels high each."""
    ignored = ~(positive | negative)
    classes = ((POSITIVE, "positive", positive), (NEGATIVE, "negative", negative), (IGNORED, others, ignored))
    legend = Image.new("RGB", (20 * line, (len(classes) + len(notes)) * line + _GAP), _GROUND)
    draw, font = ImageDraw.Draw(legend), ImageFont.load_default(size=line * 0.62)
    for row, (colour, name, windows) in enumerate(classes):
        _draw_dot(draw, line / 2, (row + 0.5) * line + _GAP / 2, line, colour)
        draw.text((line, row * line + _GAP), f"{name}: {windows.sum()} windows", font=font, fill=_INK)
    for row, note in enumerate(notes, len(classes)):
        draw.text((_GAP, row * line + _GAP), note, font=font, fill=_INK)
    return legend


def _draw_window(image: np.ndarray, window: np.ndarray, mask: np.ndarray, grid: WindowGrid) -> Image.Image:
    """A window's crop above its target, both at the size of the resized image."""
    (top, left), _ = grid.extent(window)
    side = grid.window_px
    crop = Image.fromarray(image).crop((left, top, left + side, top + side))  # black beyond the border
    canvas = Canvas(np.asarray(crop))
    canvas.paint(mask.repeat(side // len(mask), 0).repeat(side // len(mask), 1), np.array(POSITIVE))
    pair = Image.new("RGB", (side, 2 * side), _GROUND)
    pair.paste(crop, (0, 0))
    pair.paste(Image.fromarray(canvas.image()), (0, side))
    return pair
