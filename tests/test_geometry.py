"""The conventions, pinned with numbers worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import InstanceFCNConfig
from ifcn_tf.config.proposing import SIX_SCALES, ProposerConfig
from ifcn_tf.geometry import WindowGrid, position_bins, relative_side, resized_hw


def test_scales_are_600_times_powers_of_one_and_a_half():
    assert tuple(round(600 * 1.5**power) for power in range(-4, 2)) == SIX_SCALES


@pytest.mark.parametrize(
    ("size_hw", "shorter_side", "expected"),
    [
        ((480, 640), 600, (600, 800)),  # * 1.25
        ((480, 640), 119, (119, 159)),  # 640 * 119 / 480 = 158.67
        ((375, 500), 178, (178, 237)),  # 500 * 178 / 375 = 237.33
        ((500, 375), 178, (237, 178)),
        ((2, 3), 3, (3, 5)),  # 4.5 rounds up
        ((1, 1), 900, (900, 900)),
        ((10, 20000), 119, (1, 2700)),  # 10 * 2700 / 20000 = 1.35
        ((10, 500_000), 119, (1, 2700)),
        ((100, 500), 900, (540, 2700)),  # 4500 would pass the limit of 2700: scale 5.4
    ],
)
def test_resized_size_for_numbers_arrays_and_tensors(size_hw, shorter_side, expected):
    assert resized_hw(*size_hw, shorter_side, 2700) == expected
    assert tuple(int(side) for side in resized_hw(*np.array(size_hw), shorter_side, 2700)) == expected
    assert tuple(int(side) for side in resized_hw(*tf.constant(size_hw, tf.int64), shorter_side, 2700)) == expected


@pytest.mark.parametrize(
    ("size_hw", "factor", "expected"),
    [
        ((480, 640), 0.25, 120),
        ((640, 480), 2.0, 960),
        ((427, 640), 2**-1.5, 151),  # 150.97
        ((500, 375), 2**0.5, 530),  # 530.33
        ((3, 90), 0.5, 2),  # 1.5 rounds up
        ((15, 100), 0.7, 11),  # 10.5, though the nearest float is below 0.7
        ((1, 1000), 0.25, 1),  # never nothing
    ],
)
def test_relative_side_for_numbers_arrays_and_tensors(size_hw, factor, expected):
    assert relative_side(*size_hw, factor) == expected
    assert int(relative_side(*np.array(size_hw), factor)) == expected
    assert int(relative_side(*tf.constant(size_hw, tf.int64), factor)) == expected


def test_window_covers_168_px_around_its_centre_cell():
    # Cell 10 covers pixels 80..88; ten cells before and after it make 0..168.
    grid = WindowGrid()
    assert (grid.stride, grid.window_cells, grid.window_px, grid.mask_cells, grid.mask_cell_px) == (8, 21, 168, 21, 8)
    top_left, bottom_right = grid.extent(np.array([[10, 12], [0, 0]]))
    assert top_left.tolist() == [[0, 16], [-80, -80]]
    assert bottom_right.tolist() == [[168, 184], [88, 88]]


def test_windows_of_deepmask():
    # Window (19, 29): seven cells of 16 px before its centre cell, which begins at (304, 464), and seven from there on.
    grid = WindowGrid(stride=16, window_cells=14, mask_cells=56)
    assert (grid.window_px, grid.mask_cell_px) == (224, 4)
    for windows in (np.array([[19, 29], [0, 0]]), tf.constant([[19, 29], [0, 0]])):
        top_left, bottom_right = (np.array(corner) for corner in grid.extent(windows))
        assert top_left.tolist() == [[192, 352], [-112, -112]]
        assert bottom_right.tolist() == [[416, 576], [112, 112]]


def test_a_map_has_a_cell_for_every_stride_begun():
    for grid, expected in ((WindowGrid(), [15, 20]), (WindowGrid(16, 14, 56), [8, 10])):
        assert list(grid.map_hw(119, 160)) == expected
        assert [int(cells) for cells in grid.map_hw(*tf.constant([119, 160], tf.int64))] == expected


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        ((16, 14, 55), "55 cells of a mask do not divide a window of 224 px evenly"),
        ((8, 21, 14), "14 cells of a mask do not divide"),  # of 12 px each, and neighbouring windows are 8 px apart
        ((8, 21, 336), "336 cells of a mask do not divide"),  # of half a pixel
    ],
)
def test_the_cells_of_a_mask_are_whole_parts_of_a_stride(grid, sentence):
    with pytest.raises(ValueError, match=sentence):
        WindowGrid(*grid)


@pytest.mark.parametrize(("k", "widths"), [(3, [7, 7, 7]), (5, [5, 4, 4, 4, 4]), (7, [3] * 7)])
def test_widths_of_the_relative_positions(k, widths):
    assert np.bincount(position_bins(k, 21)).tolist() == widths
    assert (np.diff(position_bins(k, 21)) >= 0).all()


def test_settings_survive_json_and_refuse_nonsense():
    config = ProposerConfig(shorter_sides=(100, 200), nms_iou=0.5)
    assert ProposerConfig.from_dict(config.to_dict()) == config
    with pytest.raises(UserError, match="nms_treshold: ProposerConfig has no such setting"):
        ProposerConfig.from_dict({"nms_treshold": 0.5})
    with pytest.raises(UserError, match="k must be 3, 5 or 7, not 4"):
        InstanceFCNConfig(k=4)
    for values in ({"shorter_sides": 600}, {"shorter_sides": ["a"]}, {"num_proposals": "10"}, {"pre_nms": 1.5}):
        with pytest.raises(UserError, match=f"{next(iter(values))} must be"):
            ProposerConfig.from_dict(values)
    assert ProposerConfig.from_dict({"min_area": 3}).min_area == 3.0
    with pytest.raises(UserError, match=r"pre_nms must lie in 1\.\.1000000"):
        ProposerConfig(pre_nms=3 * 10**9)
    with pytest.raises(UserError, match="mask_threshold must lie between 0 and 1"):
        ProposerConfig(mask_threshold=1.0)
