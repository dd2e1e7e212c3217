"""Score maps as a picture: each in its relative position, darker where the network is less sure."""

import numpy as np

from ifcn_tf.visualize import draw_score_maps, heat


def test_each_map_stands_in_its_relative_position():
    """Nine maps of 24 x 12 cells with a gap of 1: only that of the lower middle part, number 7, is bright."""
    score_maps = np.full((24, 12, 9), -20.0)
    score_maps[..., 7] = 20
    picture = np.asarray(draw_score_maps(score_maps))
    assert picture.shape == (3 * 25, 3 * 13, 3)
    bright = picture.sum(-1) > picture[1, 1].sum()
    assert bright[51:75, 14:26].all() and not bright[1:25, 1:13].any() and not bright[51:75, 1:13].any()


def test_colours_get_lighter_with_the_value():
    lightness = heat(np.linspace(0, 1, 11)[None])[0].astype(int).sum(-1)
    assert np.all(np.diff(lightness) > 0)
