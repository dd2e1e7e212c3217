"""Upsampling by resizing is the published one, by a transposed convolution with a bilinear kernel."""

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.models.fcn.upsampling import Upsampled

#: Factors, and where the first cell lies: of VGG-16 with its padding at all strides, of EfficientNet-Lite, and others.
PLACES = [(32, -19.5), (16, -11.5), (8, -23.5), (2, 4.5), (2, 9.5), (32, 31.0), (8, 7.0), (2, 1.0), (4, 0.0), (3, -2.0)]


def bilinear(factor):
    """The published kernel, [2 factor, 2 factor]."""
    rise = 1 - np.abs(np.arange(2 * factor) - (factor - 0.5)) / factor
    return np.outer(rise, rise).astype(np.float32)


def transposed(scores, factor):
    """Transposed convolution of each channel: [1, h, w, C] -> [1, (h + 1) factor, (w + 1) factor, C]."""
    _, height, width, channels = scores.shape
    size = [1, (height + 1) * factor, (width + 1) * factor, channels]
    kernel = np.eye(channels, dtype=np.float32) * bilinear(factor)[:, :, None, None]
    return tf.nn.conv2d_transpose(scores, kernel, size, factor, "VALID")


@pytest.mark.parametrize(("factor", "first"), PLACES)
def test_a_ramp_stays_a_ramp(factor, first):
    """Between the first and the last of 6 and 7 cells, whose values are 3 + 2 y - 5 x of their places on the map."""
    y, x = (first + factor * np.arange(count) for count in (6, 7))
    scores = (3 + 2 * y[:, None] - 5 * x[None])[None, ..., None].astype(np.float32)
    size_hw = (round(y[-1]) + factor // 2, round(x[-1]) + factor // 2)
    found = Upsampled(factor, first)(scores, np.zeros((1, *size_hw, 2), np.float32)).numpy()
    assert found.shape == (1, *size_hw, 1)
    rows, columns = (np.arange(count, dtype=float) for count in size_hw)
    inside_y, inside_x = ((p >= max(a[0], 0)) & (p <= a[-1]) for p, a in ((rows, y), (columns, x)))
    expected = (3 + 2 * rows[:, None] - 5 * columns[None])[inside_y][:, inside_x]
    assert expected.size > 9
    np.testing.assert_allclose(found[0, ..., 0][inside_y][:, inside_x], expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("factor", [2, 8, 16])
def test_between_zeros_it_is_the_transposed_convolution(factor):
    """Of which cell 0 lies at factor - 1/2, and cell 0 of what is padded by a cell at -1/2."""
    scores = np.random.default_rng(0).normal(size=(1, 4, 3, 2)).astype(np.float32)
    expected = transposed(scores, factor)
    padded = np.pad(scores, [(0, 0), (1, 1), (1, 1), (0, 0)])
    found = Upsampled(factor, -0.5)(padded, expected)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_beyond_the_outermost_cells_these_hold():
    found = Upsampled(2, 5.0)(np.array([[[[1.0], [7.0]]]], np.float32), np.zeros((1, 3, 12, 1), np.float32))
    np.testing.assert_array_equal(found[0, :, :, 0], [[1, 1, 1, 1, 1, 1, 4, 7, 7, 7, 7, 7]] * 3)


def test_it_is_rebuilt_of_its_arguments():
    layer = Upsampled(4, 1.5, name="up")
    assert Upsampled.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer.compute_output_shape((1, 5, 6, 7), (1, None, 9, 2)) == (1, None, 9, 7)
