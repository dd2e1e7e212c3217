"""Proposals that somebody points at, on masks by hand."""

import numpy as np
import pytest

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.config.proposing import PromptConfig
from ifcn_tf.masks.rle import encode
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.prompts import Prompted

SIZE = (8, 10)
#: Rows and columns that each mask fills, and scores: a large one, its left part, a dot in that, one apart.
RECTANGLES = ((1, 1, 7, 6), (1, 1, 7, 3), (2, 2, 3, 3), (0, 7, 4, 10))
SCORES = (0.7, 0.7, 0.9, 0.8)


def rectangle(top, left, bottom, right):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def proposals():
    return Proposals(SIZE, np.array(SCORES, np.float32), [encode(rectangle(*sides)) for sides in RECTANGLES])


def numbers(chosen):
    """Which of the rectangles were chosen, in their order."""
    return [RECTANGLES.index(tuple(box)) for box in chosen.boxes_yxyx().astype(int).tolist()]


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((2, 2), [2, 1, 0]),  # by score; of the two of .7 the smaller one first
        ((2.9, 2.9), [2, 1, 0]),  # the same pixel
        ((3, 2), [1, 0]),
        ((6, 5), [0]),
        ((0, 9), [3]),
        ((7, 9), []),
    ],
)
def test_at_a_point(point, expected):
    assert numbers(proposals().at(*point)) == expected
    assert proposals()[:0].at(*point).size_hw == SIZE


@pytest.mark.parametrize("point", [(8, 0), (0, 10), (-0.5, 0), (float("nan"), 0)])
def test_a_point_outside_is_refused(point):
    with pytest.raises(UserError, match="lies outside of the image, which has 8 rows and 10 columns"):
        proposals().at(*point)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0, 0, 8, 10), [2, 3, 1, 0]),
        ((-5, -5, 50, 50), [2, 3, 1, 0]),
        ((1, 1, 7, 6), [2, 1, 0]),  # its own tight box
        ((1, 1, 7, 5.5), [2, 1]),
        ((1.5, 1, 7, 6), [2]),
        ((4, 0, 8, 10), []),
    ],
)
def test_within_a_box(box, expected):
    assert numbers(proposals().within(box)) == expected
    assert len(proposals()[:0].within(box)) == 0


def test_covering_a_mask_is_being_at_all_of_its_points():
    rng = np.random.default_rng(0)
    for _ in range(20):
        points = rng.integers(0, SIZE, (2, 2))
        mask = np.zeros(SIZE, bool)
        mask[tuple(points.T)] = True
        expected = set(numbers(proposals().at(*points[0]))) & set(numbers(proposals().at(*points[1])))
        found = numbers(proposals().covering(mask))
        assert set(found) == expected and found == [number for number in (2, 3, 1, 0) if number in expected]
    for number, sides in enumerate(RECTANGLES):
        assert number in numbers(proposals().covering(rectangle(*sides)))


def test_masks_that_nothing_can_cover_are_refused():
    with pytest.raises(UserError, match="has no pixel"):
        proposals().covering(np.zeros(SIZE, bool))
    with pytest.raises(UserError, match=r"the mask is \(10, 8\), the image \(8, 10\)"):
        proposals().covering(np.ones(SIZE[::-1], bool))


class Rectangles:
    """Stands in for a predictor."""

    def __init__(self):
        self.settings = {"weights": "abc"}

    def propose_file(self, path):
        return np.zeros((*SIZE, 3), np.uint8), proposals()


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (PromptConfig(point=(2, 2)), [2, 1, 0]),
        (PromptConfig(box_yxyx=(0, 0, 8, 5)), [2, 1]),
        (PromptConfig((3, 2), (0, 0, 8, 5)), [1]),
    ],
)
def test_a_predictor_is_prompted(prompt, expected):
    prompted = Prompted(Rectangles(), prompt)
    assert numbers(prompted.propose_file("photo.jpg")[1]) == expected
    assert prompted.settings == {"weights": "abc", "prompt": prompt.to_dict()}


def test_an_image_without_the_point_fails_alone():
    with pytest.raises(BadImageError, match=r"photo\.jpg: the point y = 50, x = 2 lies outside"):
        Prompted(Rectangles(), PromptConfig(point=(50, 2))).propose_file("photo.jpg")


@pytest.mark.parametrize("point", [(1.0,), (1.0, 2.0, 3.0), (-1.0, 2.0), (1.0, float("inf")), (float("nan"), 1.0)])
def test_what_is_no_point_is_refused(point):
    with pytest.raises(UserError, match=r"\(--point\) is Y,X"):
        PromptConfig(point=point)


@pytest.mark.parametrize(
    "box", [(1.0, 2.0, 3.0), (1.0, 2.0, 1.0, 4.0), (1.0, 5.0, 3.0, 4.0), (0.0, 0.0, float("nan"), 4.0)]
)
def test_what_is_no_box_is_refused(box):
    with pytest.raises(UserError, match=r"\(--box\) is TOP,LEFT,BOTTOM,RIGHT"):
        PromptConfig(box_yxyx=box)
