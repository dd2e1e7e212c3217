"""Which masks are shown, and which one a click takes, on rectangles of known sizes."""

import math

import numpy as np
import pytest

from ifcn_tf.web.choice import Choice, Wanted, under_point
from tests.support.rectangles import rectangles

SIZE = (100, 200)
#: Best first: a house, its door, the door's window, a tree apart, and a shadow of low score under all.
HOUSE, DOOR, WINDOW, TREE, SHADOW = range(5)
BOXES = [(10, 10, 90, 90), (50, 40, 90, 60), (60, 45, 70, 55), (20, 120, 80, 160), (0, 0, 100, 200)]
PROPOSALS = rectangles(SIZE, BOXES, [0.9, 0.8, 0.6, 0.5, 0.2])
IN_WINDOW, IN_DOOR, IN_TREE, IN_NOTHING = (65.5, 50.5), (85, 50), (30, 130), (95, 195)
ALL = np.arange(5)
GOOD = Wanted().of(PROPOSALS)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), [HOUSE, DOOR, WINDOW, TREE]),
        (Wanted(min_score=0), ALL),
        (Wanted(min_score=0.55), [HOUSE, DOOR, WINDOW]),
        (Wanted(min_size=100 / 20000), [HOUSE, DOOR, WINDOW, TREE]),  # the window has just so many pixels
        (Wanted(min_size=101 / 20000), [HOUSE, DOOR, TREE]),
        (Wanted(count=2), [HOUSE, DOOR]),
        (Wanted(min_size=0.01, count=3), [HOUSE, DOOR, TREE]),
        (Wanted(box_yxyx=(0, 0, 100, 100)), [HOUSE, DOOR, WINDOW]),
        (Wanted(box_yxyx=(54, 40, 90, 60)), [DOOR, WINDOW]),  # 36 of 40 rows of the door
        (Wanted(box_yxyx=(55, 40, 90, 60)), [WINDOW]),
        (Wanted(box_yxyx=(-50, -50, 500, 500), min_score=0), ALL),
        (Wanted(box_yxyx=(3, 3, 3, 9)), []),
    ],
)
def test_what_is_good(wanted, expected):
    assert wanted.of(PROPOSALS).tolist() == list(expected)


def test_the_smallest_mask_under_a_point_comes_first():
    assert under_point(PROPOSALS, IN_WINDOW).tolist() == [WINDOW, DOOR, HOUSE, SHADOW]
    assert under_point(PROPOSALS, IN_TREE).tolist() == [TREE, SHADOW]


@pytest.mark.parametrize(("point", "expected"), [((59.9, 50), DOOR), ((60, 50), WINDOW), ((69.9, 50), WINDOW)])
def test_a_point_belongs_to_the_pixel_that_it_lies_in(point, expected):
    assert under_point(PROPOSALS, point)[0] == expected


def test_points_outside_and_no_proposals():
    assert under_point(PROPOSALS, (-1, 50)).tolist() == []
    assert under_point(PROPOSALS, (50, 200)).tolist() == []
    assert under_point(PROPOSALS[[]], IN_TREE).tolist() == []
    assert Wanted(box_yxyx=(0, 0, 9, 9)).of(PROPOSALS[[]]).tolist() == []


def test_more_masks_than_one_byte_counts():
    many = rectangles((20, 20), [(0, 0, 20, 20)] * 299 + [(5, 5, 6, 6)], [0.5] * 300)
    assert under_point(many, (5, 5)).tolist() == [299, *range(299)]


def clicked(*clicks):
    choice = Choice()
    for point, add in clicks:
        choice.click(PROPOSALS, GOOD, point, add)
    return choice.taken


def test_further_clicks_at_a_point_take_the_next_larger_mask_and_begin_anew():
    turns = [clicked(*[(IN_WINDOW, False)] * count) for count in range(1, 5)]
    assert turns == [[WINDOW], [DOOR], [HOUSE], [WINDOW]]


def test_a_click_elsewhere_begins_with_the_smallest_and_gives_back_the_rest():
    assert clicked((IN_WINDOW, False), (IN_WINDOW, False), (IN_TREE, False)) == [TREE]
    assert clicked((IN_WINDOW, False), (IN_DOOR, False)) == [DOOR]


def test_the_same_point_is_one_hundredth_of_the_side():
    near = 0.01 * math.sqrt(100 * 200)
    y, x = IN_WINDOW
    assert clicked((IN_WINDOW, False), ((y + near - 0.01, x), False)) == [DOOR]
    assert clicked((IN_WINDOW, False), ((y + near + 0.01, x), False)) == [WINDOW]


def test_shift_adds_and_at_the_same_point_replaces_what_it_added():
    assert clicked((IN_TREE, False), (IN_WINDOW, True)) == [TREE, WINDOW]
    assert clicked((IN_TREE, False), (IN_WINDOW, True), (IN_WINDOW, True)) == [TREE, DOOR]


def test_shift_gives_back_what_was_taken():
    assert clicked((IN_TREE, False), (IN_DOOR, True), ((40, 140), True)) == [DOOR]


def test_clicks_on_nothing():
    assert clicked((IN_TREE, False), (IN_NOTHING, True)) == [TREE]
    assert clicked((IN_TREE, False), (IN_NOTHING, False)) == []


def test_cleared_choices_begin_anew():
    choice = Choice()
    choice.click(PROPOSALS, GOOD, IN_WINDOW, add=False)
    choice.clear()
    assert choice.taken == []
    choice.click(PROPOSALS, GOOD, IN_WINDOW, add=False)
    assert choice.taken == [WINDOW]
