"""Pasting, cropping and run lengths."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from ifcn_tf.masks.paste import crop, logits, paste
from ifcn_tf.masks.rle import areas, decode


def paste_naively(logits, window_yxyx, size_hw, threshold):
    """Bilinear interpolation pixel by pixel. Returns the values above the threshold's logit, -inf off the window."""
    m, (top, left, bottom, right) = len(logits), window_yxyx
    heights, widths = (bottom - top) / m, (right - left) / m
    sliver = 1e-3  # cells; a cell that reaches into the image by less lies outside
    rows = [i for i in range(m) if top + (i + 1 - sliver) * heights > 0 and top + (i + sliver) * heights < size_hw[0]]
    columns = [
        j for j in range(m) if left + (j + 1 - sliver) * widths > 0 and left + (j + sliver) * widths < size_hw[1]
    ]
    values = np.full(size_hw, -np.inf)
    for y, x in np.ndindex(size_hw):
        if top <= y + 0.5 < bottom and left <= x + 0.5 < right:
            u = np.clip((y + 0.5 - top) / heights - 0.5, rows[0], rows[-1])
            v = np.clip((x + 0.5 - left) / widths - 0.5, columns[0], columns[-1])
            i, j = int(u), int(v)
            below, beside = min(i + 1, m - 1), min(j + 1, m - 1)
            upper = logits[i, j] * (1 - v + j) + logits[i, beside] * (v - j)
            lower = logits[below, j] * (1 - v + j) + logits[below, beside] * (v - j)
            values[y, x] = upper * (1 - u + i) + lower * (u - i)
    return values - np.log(threshold / (1 - threshold))


@settings(max_examples=60, deadline=None)
@example(seed=17, resolution=5, height=1, width=17)  # a cell reaches into the image by 0.0007 of its width
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 5, 21]), st.integers(1, 40), st.integers(1, 40))
def test_paste_equals_pixel_by_pixel_interpolation(seed, resolution, height, width):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(3, resolution, resolution)).astype(np.float32)
    corners = rng.uniform(-30, 30, (3, 2))
    windows = np.concatenate([corners, corners + rng.uniform(3, 70, (3, 2))], 1)
    rles = paste(logits, windows, (height, width), 0.4)
    for mask, rle, logit, window in zip(decode(rles, (height, width)), rles, logits, windows, strict=True):
        values = paste_naively(logit, window, (height, width), 0.4)
        certain = np.abs(values) > 1e-5  # nearer to the threshold float32 decides
        np.testing.assert_array_equal(mask[certain], values[certain] >= 0)
        assert rle["counts"] == coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()


def test_one_cell_by_hand():
    # A window of 2 x 2 cells of 4 px at (2, 2)..(10, 10) whose upper left cell alone is inside: +1 there, -1 beside it.
    # Cell centres are at 4 and 8; the interpolated value along the top row is 1 up to 4 and falls to -1 at 8, so it is
    # >= 0 at pixel centres up to 6.0: pixels 2..5. Along the diagonal (1 - 2 s)(1 - s) ... is checked above.
    logits = np.array([[[1, -1], [-1, -1]]], np.float32)
    mask = decode(paste(logits, np.array([[2, 2, 10, 10.0]]), (12, 12), 0.5), (12, 12))[0]
    assert mask[2].nonzero()[0].tolist() == [2, 3, 4, 5]
    assert mask[:, 2].nonzero()[0].tolist() == [2, 3, 4, 5]
    assert not mask[6:].any()
    assert not mask[:, 6:].any()


def test_cells_outside_the_image_do_not_reach_into_it():
    # Half of the window lies above the image. The cells there are marked with a logit of -10,000, and yet the image's
    # first row belongs to the mask.
    logits = np.full((1, 21, 21), 3.0, np.float32)
    logits[:, :10] = -1e4
    mask = decode(paste(logits, np.array([[-80, 0, 88, 168.0]]), (100, 168)), (100, 168))[0]
    assert mask[:88].all()
    assert not mask[88:].any()


@pytest.mark.parametrize("shape", ["ellipse", "rectangle", "ring"])
def test_crop_then_paste_is_nearly_the_identity(shape):
    y, x = np.mgrid[:300, :400] + 0.5
    radius = np.hypot((y - 140) / 55, (x - 200) / 70)
    mask = {
        "ellipse": radius < 1,
        "rectangle": (abs(y - 140) < 50) & (abs(x - 200) < 64),
        "ring": (radius < 1) & (radius > 0.45),
    }[shape]
    window = np.array([140 - 84, 200 - 84, 140 + 84, 200 + 84.0])
    share = crop(mask, window, 21)
    assert share.sum() * 64 == pytest.approx(mask.sum())  # the exact average loses no pixel
    rle = paste((share - 0.5)[None], window[None], mask.shape, 0.5)
    truth = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    assert coco_mask.iou(rle, [truth], [0])[0, 0] > 0.94


def test_crop_by_hand():
    # One pixel of a 3 x 3 image, under a window of 2 x 2 cells of 1.5 px: the pixel (1, 1) covers 0.5 x 0.5 px of each
    # cell, of an area of 2.25. A window moved up by 3 px sees nothing of it but nothing else either.
    mask = np.zeros((3, 3), bool)
    mask[1, 1] = True
    np.testing.assert_allclose(crop(mask, (0, 0, 3, 3), 2), np.full((2, 2), 0.25 / 2.25))
    assert not crop(mask, (-3, 0, 0, 3), 2).any()


def test_many_masks_are_worked_on_in_chunks(monkeypatch):
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(300, 21, 21)).astype(np.float32)  # more than 255, where pycocotools' area fails
    windows = np.tile([[-5, 10, 40, 60.0]], (300, 1)) + rng.uniform(-9, 9, (300, 4))
    whole = paste(logits, windows, (50, 70))
    monkeypatch.setattr("ifcn_tf.masks.paste._COLUMNS_A_CHUNK", 100)
    assert paste(logits, windows, (50, 70)) == whole
    assert areas(whole).tolist() == decode(whole, (50, 70)).sum((1, 2)).tolist()


def test_no_masks():
    assert paste(np.zeros((0, 21, 21)), np.zeros((0, 4)), (5, 5)) == []
    assert decode([], (5, 6)).shape == (0, 5, 6)


def test_logits_of_probabilities():
    """log(3 / 1) and its negative; 0 and 1 are the smallest normal float32 and the one below 1."""
    found = logits(np.float32([0.75, 0.25, 0, 1]))
    np.testing.assert_allclose(found, [np.log(3), -np.log(3), -126 * np.log(2), 24 * np.log(2)], rtol=1e-6)
