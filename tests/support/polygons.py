"""Masks of every form, and what polygons cover."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage


def blob(seed, size=80, threshold=0.52):
    """Smooth noise cut at a level: parts, holes and holes that touch at a corner."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((size, size + 11)), size / 12)
    return noise > np.quantile(noise, threshold)


def filled(rings, size_hw, zoom=10):
    """What even-odd filling of rings of (x, y) points covers at the centres of pixels, bool [H, W], by Pillow."""
    covered = np.zeros((size_hw[0] * zoom, size_hw[1] * zoom), bool)
    for ring in rings:
        canvas = Image.new("1", covered.shape[::-1])
        ImageDraw.Draw(canvas).polygon([(zoom * x, zoom * y) for x, y in np.asarray(ring).tolist()], fill=1)
        covered ^= np.asarray(canvas)
    return covered[zoom // 2 :: zoom, zoom // 2 :: zoom]


def iou(first, second):
    return (first & second).sum() / (first | second).sum()
