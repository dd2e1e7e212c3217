"""Section 3 of the definition of targets once more, slow and obvious: full masks, loops over windows and objects."""

from __future__ import annotations

import numpy as np

from ifcn_tf.config.training import DataConfig
from ifcn_tf.geometry import WindowGrid


def boxes_in_view(masks, resized_hw, flipped):
    """Tight boxes (top, left, bottom, right) of bool [n, H, W] in px of the resized, mirrored image."""
    boxes = []
    for mask in masks:
        ys, xs = np.nonzero(mask[:, ::-1] if flipped else mask)
        scale_y, scale_x = resized_hw[0] / mask.shape[0], resized_hw[1] / mask.shape[1]
        boxes.append((ys.min() * scale_y, xs.min() * scale_x, (ys.max() + 1) * scale_y, (xs.max() + 1) * scale_x))
    return boxes


def point(y, x, hw, resized_hw, flipped):
    """Pixel of the original at a point of the view, or None outside."""
    x = resized_hw[1] - x if flipped else x
    row, column = int(np.floor(y * hw[0] / resized_hw[0])), int(np.floor(x * hw[1] / resized_hw[1]))
    return (row, column) if 0 <= row < hw[0] and 0 <= column < hw[1] else None


def classify(masks, is_crowd, hw, resized_hw, flipped, config: DataConfig, grid: WindowGrid):
    """Class of every window, int [h, w]: 1 positive, 0 negative, -1 neither; and the owner of each positive one."""
    shape = (-(-resized_hw[0] // grid.stride), -(-resized_hw[1] // grid.stride))
    # The middle of an odd number of cells is the middle of the centre cell, of an even number its beginning.
    middle = grid.stride / 2 if grid.window_cells % 2 else 0
    classes, owners = np.full(shape, -1), np.full(shape, -1)
    boxes = boxes_in_view(masks, resized_hw, flipped)
    for i, j in np.ndindex(shape):
        y, x = grid.stride * i + middle, grid.stride * j + middle
        pixel = point(y, x, hw, resized_hw, flipped)
        if pixel and any(mask[pixel] for mask, crowd in zip(masks, is_crowd, strict=True) if crowd):
            continue
        best, negative = np.inf, True
        for n, (top, left, bottom, right) in enumerate(boxes):
            dy, dx, side = abs((top + bottom) / 2 - y), abs((left + right) / 2 - x), max(bottom - top, right - left)
            factor = max(side / config.object_side, config.object_side / side)
            close = max(dy, dx) <= config.centre_tolerance
            if close and factor <= config.side_tolerance and not is_crowd[n] and dy**2 + dx**2 < best:
                best, owners[i, j], classes[i, j] = dy**2 + dx**2, n, 1
            if max(dy, dx) <= config.negative_distance and factor < config.negative_side_factor:
                negative = False
        if negative:
            classes[i, j] = 0
    return classes, owners


def coverage(mask, window, resized_hw, flipped, grid: WindowGrid):
    """Share of the pixel centres in each cell of a window's mask at which a mask [H, W] lies, float [m, m]."""
    top_left = [grid.stride * (centre - grid.window_cells // 2) for centre in window]
    side = grid.stride * grid.window_cells // grid.mask_cells
    shares = np.zeros((grid.mask_cells, grid.mask_cells))
    for i, j in np.ndindex(shares.shape):
        top, left = top_left[0] + side * i, top_left[1] + side * j
        for row, column in np.ndindex(side, side):
            pixel = point(top + row + 0.5, left + column + 0.5, mask.shape, resized_hw, flipped)
            shares[i, j] += pixel is not None and bool(mask[pixel])
    return shares / side**2
