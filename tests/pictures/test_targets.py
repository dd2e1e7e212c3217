"""The picture of training targets: dots where windows are, targets on their crops, and what it all means."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw

from ifcn_tf.geometry import WindowGrid
from ifcn_tf.pictures.targets import IGNORED, NEGATIVE, POSITIVE, draw_targets

PLAIN = (90, 120, 150)


def drawing(height=300, width=400, windows=((18, 25),)):
    """A plain image: its upper half is positive, then comes a row that is ignored."""
    image = np.full((height, width, 3), PLAIN, np.uint8)
    rows = np.arange(height // 8)[:, None] * np.ones(width // 8, int)
    masks = np.zeros((len(windows), 21, 21), bool)
    masks[:, 5:10, 5:10] = True
    windows = np.array(windows, int).reshape(-1, 2)
    return draw_targets(image, rows < height // 16, rows > height // 16, windows, masks, WindowGrid(), "a scene")


def test_dots_of_three_colours_on_the_photograph_as_it_is():
    picture = np.asarray(drawing())
    for row, colour in ((0, POSITIVE), (18, IGNORED), (19, NEGATIVE), (36, NEGATIVE)):
        y, x = 16 * row + 8, 16 * 3 + 8  # twice as large
        assert tuple(picture[y - 1, x - 1]) == colour
        assert tuple(picture[y + 8, x + 8]) == PLAIN  # between four cells, as bright as it was
    # The dot of a positive window is larger: pi 0.36^2 of its cell, rim included, against pi 0.2^2.
    touched = (picture[:, :800] != PLAIN).any(-1)
    assert 0.33 < touched[:288].mean() < 0.48 and 0.08 < touched[320:592].mean() < 0.18


def test_small_images_are_shown_larger():
    for height, factor in ((119, 4), (300, 2), (900, 2)):
        assert drawing(height, height + 8, ()).width == max(factor * (height + 8), 20 * 24)
    assert drawing(8, 1600, ()).width == 2 * 1600  # and not 60 times, as its height would allow


def test_a_window_stands_beside_and_its_target_is_green():
    picture = np.asarray(drawing(windows=[(18, 25), (18, 20), (18, 30)]))
    assert picture.shape[1] == 800 + 3 * (8 + 168)  # one above the other does not fit beside 600 px
    crop, target = picture[:168, 808:976], picture[168:336, 808:976]
    assert (crop == PLAIN).all()
    beyond = np.ones((168, 168), bool)
    beyond[39:81, 39:81] = False  # behind the outline's rim
    assert (target[beyond] == PLAIN).all()
    assert (target[40, 40:80] == POSITIVE).all()  # the outline
    np.testing.assert_allclose(
        target[60, 60], [0.55 * p + 0.45 * g for p, g in zip(PLAIN, POSITIVE, strict=True)], atol=1
    )


def test_the_legend_names_colours_numbers_and_scale(monkeypatch):
    written, text = [], ImageDraw.ImageDraw.text
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda *a, **b: written.append(a[2]) or text(*a, **b))
    picture = np.asarray(drawing(windows=[(18, 25)]))
    assert written == [
        "positive: 900 windows",
        "negative: 900 windows",
        "ignored: 50 windows",
        "a scene (300 x 400, shown 2 times as large)",
        "a dot is the centre of a window of 168 x 168 px",
        "beside: positive windows, each above its target",
    ]
    legend = picture[600:, :24]
    assert all((legend == colour).all(-1).any() for colour in (POSITIVE, NEGATIVE, IGNORED))
