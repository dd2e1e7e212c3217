"""The scales of the pyramid, absolute or relative, by hand."""

from __future__ import annotations

import math

import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import DEEPMASK_FACTORS, ProposerConfig

SIX = [(119, 159), (178, 237), (267, 356), (400, 533), (600, 800), (900, 1200)]
#: 480 * 2^{-2, -1.5, ..., 1} are 120, 169.7, 240, 339.4, 480, 678.8, 960; 170 / 480 * 640 is 226.7, and so on.
SEVEN = [(120, 160), (170, 227), (240, 320), (339, 452), (480, 640), (679, 905), (960, 1280)]


@pytest.mark.parametrize(("factors", "expected"), [((), SIX), (DEEPMASK_FACTORS, SEVEN)])
def test_scales_of_a_photograph(factors, expected):
    config = ProposerConfig(scale_factors=factors)
    assert config.pyramid_hw(480, 640) == expected
    assert config.pyramid_hw(640, 480) == [(width, height) for height, width in expected]
    tensors = config.pyramid_hw(*tf.constant([480, 640], tf.int64))
    assert [(int(height), int(width)) for height, width in tensors] == expected


@pytest.mark.parametrize(
    ("size_hw", "factors", "expected"),
    [
        ((3000, 4000), (0.25, 2.0), [(750, 1000), (2025, 2700)]),  # 6000 x 8000 would pass the limit of 2700
        ((1000, 4500), (), [*[(side, round(4.5 * side)) for side in (119, 178, 267, 400)], (600, 2700), (600, 2700)]),
        ((1, 1000), (0.25,), [(1, 1000)]),  # a side of one pixel is not halved
    ],
)
def test_scales_of_large_and_long_images(size_hw, factors, expected):
    found = ProposerConfig(scale_factors=factors).pyramid_hw(*size_hw)
    assert found == [(height, math.floor(width + 0.5)) for height, width in expected]


@pytest.mark.parametrize(
    ("settings", "max_pixels", "expected"),
    [
        ({}, 10**9, 900 * 2700),
        ({"shorter_sides": (3000,)}, 10**9, 2700 * 2700),
        ({"scale_factors": (0.5, 0.25)}, 640 * 480, 320 * 240),
        ({"scale_factors": (2.0, 0.5)}, 1000, 4000),
        ({"scale_factors": (2.0, 0.5)}, 10**9, 2700 * 2700),
        ({"scale_factors": (0.01,)}, 100, 1),
    ],
)
def test_pixels_of_the_largest_resized_image(settings, max_pixels, expected):
    assert ProposerConfig(**settings).most_pixels(max_pixels) == expected


def test_the_scales_named_last_are_those_that_count():
    absolute, relative = ProposerConfig(shorter_sides=(300,), nms_iou=0.5), ProposerConfig(scale_factors=(0.5,))
    assert absolute.changed({"scale_factors": [2]}).pyramid_hw(100, 100) == [(200, 200)]
    assert relative.changed({"shorter_sides": [300]}).pyramid_hw(100, 100) == [(300, 300)]
    assert relative.changed({"min_area": 3}).pyramid_hw(100, 100) == [(50, 50)]
    assert absolute.changed({"min_area": 3}) == ProposerConfig(shorter_sides=(300,), nms_iou=0.5, min_area=3.0)
    for config in (absolute, relative):
        assert relative.changed(config.to_dict()) == absolute.changed(config.to_dict()) == config


@pytest.mark.parametrize("factor", [0.0, -1.0, 100.5, math.nan, math.inf])
def test_factors_that_are_no_scale_are_refused(factor):
    with pytest.raises(UserError, match=r"scale_factors must lie in 0\.01\.\.100"):
        ProposerConfig(scale_factors=(1.0, factor))


@pytest.mark.parametrize("count", [0, 10**6 + 1])
def test_a_number_of_ranked_proposals_that_cannot_be_is_refused(count):
    with pytest.raises(UserError, match=r"num_ranked must lie in 1\.\.1000000"):
        ProposerConfig(num_ranked=count)


@pytest.mark.parametrize("samples", [-1, 9])
def test_samples_that_cannot_be_are_refused(samples):
    with pytest.raises(UserError, match=r"edge_samples must lie in 0\.\.8"):
        ProposerConfig(edge_samples=samples)
