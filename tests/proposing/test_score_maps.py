"""Score maps as a picture: each in its relative position, darker where the network is less sure."""

import dataclasses

import numpy as np
import tensorflow as tf

from ifcn_tf.images.tensors import resize
from ifcn_tf.models.method import build_network
from ifcn_tf.pictures.proposals import draw_score_maps, heat
from ifcn_tf.proposing.score_maps import score_maps
from tests.support.tiny import TINY


def test_each_map_stands_in_its_relative_position():
    """Nine maps of 6 x 3 cells of 4 px, gaps of 1 px: only that of the lower middle part, number 7, is bright."""
    maps = np.full((6, 3, 9), -20.0)
    maps[..., 7] = 20
    picture = np.asarray(draw_score_maps(maps))
    assert picture.shape == (3 * 25, 3 * 13, 3)
    bright = picture.sum(-1) > picture[1, 1].sum()
    assert bright[51:75, 14:26].all() and not bright[1:25, 1:13].any() and not bright[51:75, 1:13].any()


def test_colours_get_lighter_with_the_value():
    lightness = heat(np.linspace(0, 1, 11)[None])[0].astype(int).sum(-1)
    assert np.all(np.diff(lightness) > 0)


def test_the_maps_are_the_networks_at_one_scale():
    """An image of 60 x 90 px brought to 40 x 60 has 5 x 8 cells, the last column half outside."""
    network = build_network(dataclasses.replace(TINY, k=3), "float32")
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    maps = score_maps(network, image, 40)
    expected = network.map_model(resize(tf.constant(image), 40, 60)[None])["score_maps"][0]
    assert maps.shape == (5, 8, 9)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)
