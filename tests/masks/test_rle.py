"""Run lengths: masks in, the same masks out, and what pycocotools must not be asked about."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from ifcn_tf.masks.rle import encode, from_run_lengths, run_lengths, tight_box_xywh, whole_masks


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_run_lengths_are_those_of_the_mask(height, width, count, seed):
    rng = np.random.default_rng(seed)
    masks = rng.random((count, height, width)) < rng.choice([0.0, 0.1, 0.5, 1.0], (count, 1, 1))
    rles = [encode(mask) for mask in masks]
    for mask, rle, runs in zip(masks, rles, run_lengths(rles), strict=True):
        np.testing.assert_array_equal(np.repeat(np.arange(len(runs)) % 2, runs), mask.ravel("F"))
        assert from_run_lengths(runs, (height, width)) == rle


def test_a_box_is_tight():
    mask = np.zeros((9, 12), bool)
    assert tight_box_xywh(encode(mask)) == (0, 0, 0, 0)
    mask[2, 3] = mask[6, 10] = True
    assert tight_box_xywh(encode(mask)) == (3, 2, 8, 5)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_empty_runs_change_no_overlap(height, width, seed):
    """pycocotools stops at an empty run between two others, and so finds another IoU than the pixels have."""
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(2):
        ends = np.sort(rng.integers(0, height * width + 1, 6))
        masks.append(from_run_lengths(np.diff([0, *np.repeat(ends, 2), height * width]), (height, width)))
    first, second = (coco_mask.decode(rle) > 0 for rle in masks)
    whole = whole_masks([rle["counts"].encode() for rle in masks], (height, width))
    assert whole == [encode(first), encode(second)]
    union = (first | second).sum()
    expected = (first & second).sum() / union if union else 0
    assert coco_mask.iou(whole[:1], whole[1:], [0])[0, 0] == pytest.approx(expected)


def test_damaged_masks_are_none():
    mask = encode(np.eye(4, dtype=bool))
    assert whole_masks([mask["counts"].encode(), b"5", b"", b"0a0"], (4, 4)) == [mask, None, None, None]
