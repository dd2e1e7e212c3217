"""Training of a focus: which cells show what fits a finer scale, by hand; it learns it; what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from ifcn_tf.annotations.example import Example, Instance
from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models.focus import build_focus
from ifcn_tf.models.weights import save_weights
from ifcn_tf.proposing.network import load_network, network_proposer
from ifcn_tf.training import focusing
from ifcn_tf.training.focusing import Map, fit, shown, train_focus, trust_in
from tests.support.exported import narrow_network
from tests.support.prepared import prepare_shapes

CONFIG = ProposerConfig(shorter_sides=(119, 178, 267), num_proposals=20)


def box(left, top, width, height, is_crowd=False):
    mask = np.zeros((300, 400), bool)
    mask[top : top + height, left : left + width] = True
    return Instance.of_mask(mask, 1, is_crowd)


def cells(objects):
    example = Example("a", "a.jpg", (300, 400), tuple(objects))
    return shown(example, (38, 50), 600, (900, 1350), 16)


@pytest.mark.parametrize(
    ("longer", "fits"),
    [(10, (False, True)), (30, (False, True)), (34, (True, True)), (50, (True, False)), (150, (False, False))],
)
def test_an_object_fits_the_scales_where_its_longer_side_is_near_128_px(longer, fits):
    """Seen at twice its size: 30 px are 90 at 900 px, too few by a factor of 1.42, and 135 at 1350."""
    shows, counts = cells([box(40, 100, longer, 6)])
    assert tuple(shows.any((0, 1))) == fits and counts.all()


def test_it_is_seen_by_the_cells_that_it_reaches():
    """Columns 40 to 69 are 80 to 139 px there, 5 to 8.7 cells; rows 100 to 119 are 12.5 to 14.9."""
    shows, _ = cells([box(40, 100, 30, 20)])
    rows, columns = np.nonzero(shows[..., 1])
    assert set(rows) == {12, 13, 14, 15} and set(columns) == {4, 5, 6, 7, 8}


def test_what_lies_in_a_crowd_is_not_known():
    shows, counts = cells([box(0, 0, 400, 64, is_crowd=True)])
    assert not shows.any() and not counts[:8].any() and counts[9:].all()


def test_a_focus_learns_where_to_look_and_says_how_far_it_is_right(monkeypatch):
    """The first feature tells; the second is noise. Half of the photographs show something, in one quarter."""
    monkeypatch.setattr(focusing, "_BATCH", 64)
    random, maps = np.random.default_rng(0), []
    for number in range(20):
        shows = np.zeros((8, 8, 1), bool)
        shows[:4, 4:] = number % 2
        features = np.concatenate([shows + random.normal(0, 0.1, shows.shape), random.normal(0, 1, shows.shape)], -1)
        maps.append(Map(features.astype(np.float16), shows, np.ones((8, 8), bool)))
    focus = build_focus(2, 600, (900,))
    fit(focus.network, maps[:15], maps[15:])
    trust = trust_in(focus, maps[15:], 0.5)
    # A quarter of three photographs, and a block of 2 x 2 cells of the two that show nothing.
    np.testing.assert_allclose(trust.shares, [(3 * 16 + 2 * 4) / 64 / 5])
    np.testing.assert_allclose(trust.found, [1])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_shapes(tmp_path_factory.mktemp("data") / "scenes")


def saved(folder, config=CONFIG):
    save_weights(narrow_network(), folder, {"proposer": config.to_dict()}, {})
    return folder / "model.weights.h5"


def test_it_is_loaded_with_the_weights_that_it_was_trained_for(data, tmp_path, monkeypatch):
    monkeypatch.setattr(focusing, "_EPOCHS", 1)
    focus, trust = train_focus(saved(tmp_path / "first"), [data], tmp_path / "focused", "float32")
    assert (focus.seen_from, focus.sides) == (119, (178, 267))
    assert all(0 < share <= 1 for share in trust.shares) and all(0 <= found <= 1 for found in trust.found)
    network, config = load_network(tmp_path / "focused" / "model.weights.h5", precision="float32")
    assert config == CONFIG and network_proposer(network, config).pyramid.finer == [178, 267]


def test_what_cannot_be_learnt_from_is_refused(data, tmp_path):
    weights = saved(tmp_path / "first")
    with pytest.raises(UserError, match="exists already; remove it or choose another folder"):
        train_focus(weights, [data], tmp_path)
    few, partial = prepare_shapes(tmp_path / "few", 4, 1), prepare_shapes(tmp_path / "partial", partial=True)
    with pytest.raises(UserError, match="few: give 5 photographs or more, not 4"):
        train_focus(weights, [few], tmp_path / "focused")
    with pytest.raises(UserError, match=r"partial: some objects there are not labelled \(--partial\); take other data"):
        train_focus(weights, [data, partial], tmp_path / "focused")
    large = saved(tmp_path / "large", CONFIG.changed({"shorter_sides": (400, 8000, 9000)}))
    with pytest.raises(UserError, match=r"too few objects of .*scenes fit 8000 or 9000 px: give more photographs"):
        train_focus(large, [data], tmp_path / "focused", "float32")
    two = saved(tmp_path / "two", CONFIG.changed({"shorter_sides": (119, 178)}))
    with pytest.raises(UserError, match="a focus needs 3 shorter_sides or more"):
        train_focus(two, [data], tmp_path / "focused")
    assert not (tmp_path / "focused").exists()
