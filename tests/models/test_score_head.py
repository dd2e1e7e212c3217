"""The score head beside a network's weights: it comes back, and what was damaged or left behind is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.models.score_head import build_score_head, load_score_head, save_with_score_head
from ifcn_tf.models.weights import SCORE_HEAD, beside, read_weights, save_weights, store_as_float16
from tests.support.exported import narrow_network


@pytest.fixture
def plain(tmp_path):
    save_weights(narrow_network(), tmp_path / "plain", {"proposer": {"nms_iou": 0.5}}, {})
    return tmp_path / "plain" / "model.weights.h5"


@pytest.fixture
def scored(plain, tmp_path):
    save_with_score_head(plain, build_score_head(7), tmp_path / "scored")
    return tmp_path / "scored" / "model.weights.h5"


def test_it_comes_back_beside_the_same_weights(plain, scored, tmp_path):
    store_as_float16(scored, tmp_path / "half")
    for path in (scored, tmp_path / "half" / "model.weights.h5"):
        found = load_score_head(path)
        for mine, theirs in zip(found.get_weights(), build_score_head(7).get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert scored.read_bytes() == plain.read_bytes()
    assert read_weights(scored).keys() == read_weights(plain).keys()
    assert json.loads((scored.parent / "config.json").read_text())["proposer"] == {"nms_iou": 0.5}


def test_weights_without_one_have_none(plain):
    assert load_score_head(plain) is None


def test_weights_that_are_trained_further_lose_it(scored):
    save_weights(narrow_network(), scored.parent, {}, {})
    assert load_score_head(scored) is None


def test_what_is_not_the_head_that_was_saved_is_refused(scored):
    path = beside(scored, SCORE_HEAD)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match=r"score_head\.weights\.h5 is damaged, or not the file that"):
        load_score_head(scored)
    path.unlink()
    with pytest.raises(UserError, match=r"there is no .*score_head\.weights\.h5"):
        load_score_head(scored)


def test_a_folder_that_is_there_is_not_written_into(scored):
    with pytest.raises(UserError, match="exists already"):
        save_with_score_head(scored, build_score_head(7), scored.parent)


def test_a_descriptor_far_out_counts_as_one_of_four_deviations():
    head = build_score_head(2)
    head.get_layer("standardized").set_weights([np.array([1, 5], np.float32), np.array([2, 3], np.float32)])
    far, near, other = head(np.array([[20_000, 5], [1 + 4 * 2, 5], [3, 5]], np.float32)).numpy()
    assert far == near and far != other
