"""Laws of the fusion of maps: where cells go, what is cut off."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.models.trunks.fusion import Cropped, Doubled, fused


def of_rows(values, width=3):
    """A map [1, n, width, 1] whose rows are the values."""
    return np.tile(np.float32(values)[None, :, None, None], (1, 1, width, 1))


def test_doubling_by_hand():
    doubled = Doubled()(of_rows([2, 6, 4])).numpy()
    assert doubled.shape == (1, 6, 6, 1)
    assert doubled[0, :, 4, 0].tolist() == [2, 2, 4, 6, 5, 4]
    across = Doubled()(of_rows([2, 6, 4]).transpose(0, 2, 1, 3)).numpy()
    assert across[0, 4, :, 0].tolist() == [2, 2, 4, 6, 5, 4]
    assert Doubled().compute_output_shape((1, None, 3, 7)) == (1, None, 6, 7)


@pytest.mark.parametrize("side", [3, 5])
def test_doubling_puts_cells_back_where_a_strided_convolution_centres_them(side):
    """The mean of a ramp is its value at the centre, so the maps of both strides hold the places of their cells."""
    fine = of_rows(np.arange(16), width=16)
    kernel = np.full((side, side, 1, 1), 1 / side**2, np.float32)
    coarse = tf.nn.conv2d(fine, kernel, 2, "SAME")
    np.testing.assert_allclose(coarse[0, 1:-1, 3, 0], [3, 5, 7, 9, 11, 13], rtol=1e-6)
    np.testing.assert_allclose(Doubled()(coarse)[0, 4:-4, 6], fine[0, 4:-4, 6], rtol=1e-6)


def test_twice_doubled_is_interpolated_by_four():
    coarse = of_rows([0, 8, 4])
    assert Doubled()(Doubled()(coarse))[0, 3:, 0, 0].numpy().tolist() == [0, 2, 4, 6, 8, 7, 6, 5, 4]


def test_doubling_keeps_the_precision():
    assert Doubled(dtype="mixed_bfloat16")(of_rows([2, 6, 4])).dtype == tf.bfloat16


def test_cropping_leaves_the_cells_that_an_image_begins():
    features, image = of_rows(np.arange(8), width=8), np.zeros((1, 33, 8, 3), np.float32)
    cropped = Cropped(8)(features, image).numpy()
    assert cropped[0, :, 0, 0].tolist() == [0, 1, 2, 3, 4] and cropped.shape == (1, 5, 1, 1)
    assert Cropped(8).compute_output_shape((2, 8, 8, 5), (2, 33, None, 3)) == (2, 5, None, 5)


def test_the_sum_by_hand():
    """1 x 1 kernels of ones and a 3 x 3 kernel that copies its centre: what is left is the sum of the maps."""
    image = keras.Input((None, None, 3))
    maps = {step: keras.Input((None, None, 1)) for step in (32, 16, 8)}
    model = keras.Model([image, *maps.values()], fused(maps, image, 1, "float32"))
    for step in maps:
        model.get_layer(f"fusion_stride{step}").set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    centre = np.zeros((3, 3, 1, 1))
    centre[1, 1] = 1
    model.get_layer("fusion").set_weights([centre, np.array([0.5])])
    values = [of_rows([8], 1), of_rows([3, 5], 2), of_rows([1, 2, 3, -99], 4)]
    result = model([np.zeros((1, 30, 9, 3), np.float32), *values])
    # Stride 16: 8 + 3, 8 + 5; doubled 11, 11, 12, 13; the last is below 0.
    assert result[0, :, 1, 0].numpy().tolist() == [12.5, 13.5, 15.5, 0]
    assert result.shape == (1, 4, 2, 1)
