"""The focus beside a network's weights: it comes back with all that is beside them, and a damaged one is refused."""

from __future__ import annotations

import numpy as np
import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.models.focus import build_focus, load_focus, save_with_focus
from ifcn_tf.models.score_head import build_score_head, load_score_head, save_with_score_head
from ifcn_tf.models.weights import FOCUS, beside, save_weights, store_as_float16
from tests.support.exported import narrow_network


@pytest.fixture
def plain(tmp_path):
    save_weights(narrow_network(), tmp_path / "plain", {}, {})
    return tmp_path / "plain" / "model.weights.h5"


@pytest.fixture
def focused(plain, tmp_path):
    save_with_focus(plain, build_focus(5, 600, (900, 1350)), tmp_path / "focused")
    return tmp_path / "focused" / "model.weights.h5"


def test_it_comes_back_beside_the_same_weights(plain, focused, tmp_path):
    store_as_float16(focused, tmp_path / "half")
    for path in (focused, tmp_path / "half" / "model.weights.h5"):
        found = load_focus(path)
        assert (found.seen_from, found.sides) == (600, (900, 1350))
        expected = build_focus(5, 600, (900, 1350)).network.get_weights()
        for mine, theirs in zip(found.network.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert focused.read_bytes() == plain.read_bytes() and load_focus(plain) is None


def test_a_head_that_is_trained_later_or_before_stays_beside_it(plain, focused, tmp_path):
    save_with_score_head(focused, build_score_head(3), tmp_path / "later")
    save_with_score_head(plain, build_score_head(3), tmp_path / "scored")
    save_with_focus(tmp_path / "scored" / "model.weights.h5", build_focus(5, 600, (900,)), tmp_path / "both")
    for folder in ("later", "both"):
        path = tmp_path / folder / "model.weights.h5"
        assert load_focus(path) is not None and load_score_head(path) is not None


def test_what_is_not_the_focus_that_was_saved_is_refused(focused):
    path = beside(focused, FOCUS)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match=r"focus\.weights\.h5 is damaged, or not the file that"):
        load_focus(focused)
    path.unlink()
    with pytest.raises(UserError, match=r"there is no .*focus\.weights\.h5"):
        load_focus(focused)


def test_its_cells_are_means_of_the_features():
    """An untrained network answers alike for cells alike, and the mean of 1 and 3 is 2."""
    network = build_focus(1, 600, (900,)).network
    features = np.array([[1, 3, 2, 2], [3, 1, 2, 2]], np.float32)[None, ..., None]
    found = network(features).numpy()
    assert found.shape == (1, 1, 2, 1) and found[0, 0, 0, 0] == found[0, 0, 1, 0] != 0
