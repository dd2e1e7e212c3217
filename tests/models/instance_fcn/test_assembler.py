"""The assembling module against numbers by hand, a naive loop, and the paper's claims about it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.geometry import OUTSIDE_LOGIT, blended_bins, position_bins
from ifcn_tf.models.instance_fcn.assembler import Assembler, assemble, assemble_blended


def assemble_naively(score_maps, windows, k, cells):
    """The definition, one cell at a time, for one image."""
    height, width, _ = score_maps.shape
    masks = np.full((len(windows), cells, cells), OUTSIDE_LOGIT, np.float32)
    for n, (y, x) in enumerate(windows):
        for i in range(cells):
            for j in range(cells):
                row, column = y - cells // 2 + i, x - cells // 2 + j
                if 0 <= row < height and 0 <= column < width:
                    masks[n, i, j] = score_maps[row, column, (i * k // cells) * k + j * k // cells]
    return masks


def test_by_hand_on_a_4_x_4_map():
    # Map c holds 100 c + 10 y + x. A window of 4 cells with k = 2 has parts of 2 x 2 cells; centred on (2, 2) it covers
    # the whole map: upper left part from map 0, upper right from map 1, lower left from map 2, lower right from map 3.
    y, x, c = np.meshgrid(np.arange(4), np.arange(4), np.arange(4), indexing="ij")
    score_maps = (100 * c + 10 * y + x).astype(np.float32)[None]
    out = OUTSIDE_LOGIT
    whole, shifted = assemble(score_maps, np.array([[[2, 2], [3, 1]]], np.int32), 2, 4)[0].numpy()
    assert whole.tolist() == [
        [0, 1, 102, 103],
        [10, 11, 112, 113],
        [220, 221, 322, 323],
        [230, 231, 332, 333],
    ]
    # Centred on (3, 1): rows 1..4 and columns -1..2, so the last row and the first column lie outside.
    assert shifted.tolist() == [
        [out, 10, 111, 112],
        [out, 20, 121, 122],
        [out, 230, 331, 332],
        [out, out, out, out],
    ]


@pytest.mark.parametrize("k", [3, 5, 7])
@pytest.mark.parametrize("map_hw", [(30, 26), (15, 20), (1, 1)])
def test_equals_the_naive_loop(k, map_hw):
    rng = np.random.default_rng(k)
    score_maps = rng.normal(size=(2, *map_hw, k * k)).astype(np.float32)
    corners = [(y, x) for y in (0, map_hw[0] - 1) for x in (0, map_hw[1] - 1)]  # overhang on all four sides
    windows = np.array([corners + [tuple(rng.integers(map_hw)) for _ in range(6)] for _ in range(2)])
    masks = assemble(score_maps, windows.astype(np.int32), k, 21)
    for image in range(2):
        np.testing.assert_array_equal(masks[image], assemble_naively(score_maps[image], windows[image], k, 21))


def test_gradient_of_a_score_is_the_sum_over_the_windows_that_copied_it():
    rng = np.random.default_rng(0)
    score_maps = tf.constant(rng.normal(size=(1, 12, 9, 9)), tf.float32)
    windows = rng.integers((12, 9), size=(8, 2))
    upstream = rng.normal(size=(8, 21, 21)).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(score_maps)
        loss = tf.reduce_sum(assemble(score_maps, windows[None].astype(np.int32), 3, 21)[0] * upstream)
    expected = np.zeros((12, 9, 9))
    for (y, x), gradient in zip(windows, upstream, strict=True):
        for i in range(21):
            for j in range(21):
                if 0 <= y - 10 + i < 12 and 0 <= x - 10 + j < 9:
                    expected[y - 10 + i, x - 10 + j, (i // 7) * 3 + j // 7] += gradient[i, j]
    np.testing.assert_allclose(tape.gradient(loss, score_maps)[0], expected, atol=1e-5)


@pytest.mark.parametrize("k", [3, 5, 7])
def test_local_coherence(k):
    """Section 3.2: neighbouring windows agree on every shared cell that lies in the same part of both."""
    score_maps = np.random.default_rng(1).normal(size=(1, 40, 40, k * k)).astype(np.float32)
    one, below = assemble(score_maps, np.array([[[20, 20], [21, 20]]], np.int32), k, 21)[0].numpy()
    bins = position_bins(k, 21)
    same_part = bins[1:] == bins[:-1]  # row i + 1 of the one window is row i of the window below
    np.testing.assert_array_equal(one[1:][same_part], below[:-1][same_part])
    assert (one[1:][~same_part] != below[:-1][~same_part]).all()
    assert same_part.sum() == 21 - k  # all but the k - 1 borders of parts, of 20 shared rows


def test_layer_comes_back_from_its_config():
    layer = Assembler(3, 15, name="other", dtype="float32")
    copy = Assembler.from_config(layer.get_config())
    assert (copy.k, copy.cells, copy.name) == (3, 15, "other")
    outputs = layer(keras.Input((None, None, 9)), keras.Input((None, 2), dtype="int32"))
    assert outputs.shape == (None, None, 15, 15)


def test_bins_blend_near_their_borders():
    """k = 5 over 21 cells: cells 0..4 are bin 0, 5..8 bin 1. Around cell 4 are 3, 4, 5: a third of them is bin 1."""
    assert [(bins.tolist(), shares.tolist()) for bins, shares in blended_bins(5, 21, 0)] == [
        (position_bins(5, 21).tolist(), [1] * 21)
    ]
    (last, share), (first, rest) = blended_bins(5, 21, 1)
    np.testing.assert_array_equal(last[:9], [0, 0, 0, 0, 1, 1, 1, 1, 2])
    np.testing.assert_array_equal(first[:9], [0, 0, 0, 0, 0, 0, 1, 1, 1])
    np.testing.assert_allclose(share[:9], [1, 1, 1, 1, 1 / 3, 2 / 3, 1, 1, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(share + rest, 1)


@pytest.mark.parametrize("radius", [0, 1])
def test_blended_masks_average_the_maps_of_shifted_bins(radius):
    """For each shift of the bins by -radius..radius along each axis, the naive loop with these bins."""
    k, cells = 5, 21
    rng = np.random.default_rng(3)
    score_maps = rng.normal(size=(1, 30, 26, k * k)).astype(np.float32)
    windows = np.array([[[15, 13], [2, 25], [29, 0]]], np.int32)
    found = assemble_blended(score_maps, windows, k, cells, radius)[0].numpy()
    shifts = [np.clip(np.arange(cells) + d, 0, cells - 1) * k // cells for d in range(-radius, radius + 1)]
    for n, (y, x) in enumerate(windows[0]):
        for i, j in np.ndindex(cells, cells):
            row, column = y - cells // 2 + i, x - cells // 2 + j
            if 0 <= row < 30 and 0 <= column < 26:
                expected = np.mean([score_maps[0, row, column, a[i] * k + b[j]] for a in shifts for b in shifts])
                assert found[n, i, j] == pytest.approx(expected, abs=1e-5)
            else:
                assert found[n, i, j] == pytest.approx(OUTSIDE_LOGIT)
