"""Section 3 of the definition of targets once more, slow and obvious: full masks, loops over windows and objects."""

from __future__ import annotations

import numpy as np

from ifcn_tf.config.training import DataConfig


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


def classify(masks, is_crowd, hw, resized_hw, flipped, config: DataConfig):
    """Class of every window, int [h, w]: 1 positive, 0 negative, -1 neither; and the owner of each positive one."""
    shape = (-(-resized_hw[0] // 8), -(-resized_hw[1] // 8))
    classes, owners = np.full(shape, -1), np.full(shape, -1)
    boxes = boxes_in_view(masks, resized_hw, flipped)
    for i, j in np.ndindex(shape):
        y, x = 8 * i + 4, 8 * j + 4
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


def coverage(mask, window, resized_hw, flipped, cells=21):
    """Share of the pixel centres in each cell of a window (y, x) at which a mask [H, W] lies, float [cells, cells]."""
    shares = np.zeros((cells, cells))
    for i, j in np.ndindex(cells, cells):
        top, left = 8 * (window[0] - cells // 2 + i), 8 * (window[1] - cells // 2 + j)
        for row, column in np.ndindex(8, 8):
            pixel = point(top + row + 0.5, left + column + 0.5, mask.shape, resized_hw, flipped)
            shares[i, j] += pixel is not None and bool(mask[pixel])
    return shares / 64
