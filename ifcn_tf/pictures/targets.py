"""Pictures of training targets: which windows are positive or negative, and the masks of positive ones."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from ifcn_tf.geometry import WindowGrid

POSITIVE, NEGATIVE, IGNORED = (60, 255, 90), (255, 60, 60), (255, 220, 0)
#: Pixels between the parts of a picture.
_GAP = 8
_GROUND = (30, 30, 30)


def draw_targets(
    image: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    windows: np.ndarray,
    masks: np.ndarray,
    grid: WindowGrid,
) -> Image.Image:
    """Window centres on the resized photograph, and beside it each window's crop over its target.

    Args:
        image: uint8 [H, W, 3], RGB.
        positive, negative: bool [h, w], classes of the windows; the others are ignored.
        windows: integers [p, 2], centre cells (y, x) of the windows to show.
        masks: bool [p, m, m], their targets.
        grid: where windows lie.
    """
    photograph = _draw_centres(image, positive, negative, grid)
    pairs = [_draw_window(image, window, mask, grid) for window, mask in zip(windows, masks, strict=True)]
    rows = max(1, photograph.height // (_pair_size(grid)[1] + _GAP))
    columns = -(-len(pairs) // rows)
    pair_width, pair_height = _pair_size(grid)
    width = photograph.width + columns * (pair_width + _GAP)
    sheet = Image.new("RGB", (width, max(photograph.height, rows * (pair_height + _GAP))), _GROUND)
    sheet.paste(photograph, (0, 0))
    for i, pair in enumerate(pairs):
        column, row = divmod(i, rows)
        sheet.paste(pair, (photograph.width + _GAP + column * (pair_width + _GAP), row * (pair_height + _GAP)))
    return sheet


def _pair_size(grid: WindowGrid) -> tuple[int, int]:
    side = grid.window_px
    return side, 2 * side


def _draw_centres(image: np.ndarray, positive: np.ndarray, negative: np.ndarray, grid: WindowGrid) -> Image.Image:
    """The photograph, darkened, with a dot at each window's centre."""
    picture = Image.fromarray(image // 2)
    draw = ImageDraw.Draw(picture)
    for i, j in np.ndindex(positive.shape):
        y, x = grid.extent(np.array([i, j]))[0] + grid.window_px // 2
        colour = POSITIVE if positive[i, j] else NEGATIVE if negative[i, j] else IGNORED
        radius = 3 if positive[i, j] else 1 if negative[i, j] else 2
        draw.ellipse((x - radius, y - radius, x + radius - 1, y + radius - 1), fill=colour)
    return picture


def _draw_window(image: np.ndarray, window: np.ndarray, mask: np.ndarray, grid: WindowGrid) -> Image.Image:
    """A window's crop above its target, both at the size of the resized image."""
    (top, left), _ = grid.extent(window)
    side = grid.window_px
    crop = Image.fromarray(image).crop((left, top, left + side, top + side))  # black beyond the border
    target = Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).resize((side, side), Image.Resampling.NEAREST)
    shade = Image.merge("RGB", (Image.new("L", target.size), target, Image.new("L", target.size)))
    pair = Image.new("RGB", (side, 2 * side), _GROUND)
    pair.paste(crop, (0, 0))
    pair.paste(Image.blend(crop, shade, 0.5), (0, side))
    return pair
