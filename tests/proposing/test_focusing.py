"""Proposing with a focus: what is looked at in part is found as in the whole, and nothing elsewhere."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models.focus import build_focus
from ifcn_tf.proposing.chips import Focusing
from ifcn_tf.proposing.mirrored import Mirrored
from ifcn_tf.proposing.network import network_proposer
from ifcn_tf.proposing.proposer import Proposer
from tests.support.exported import narrow_network, scene

CONFIG = ProposerConfig(shorter_sides=(120, 270, 180), num_proposals=50, pre_nms=10_000, focus_threshold=0.5)
#: Of 120 x 160 px, 15 x 20 cells, 8 x 10 of a focus.
CELLS_HW = (8, 10)


def focusing(*expected):
    """A focus for 180 and 270 px that expects objects in some rows and columns of cells, whatever it sees."""
    heat = np.full((1, *CELLS_HW, 2), -9, np.float32)
    for number, (rows, columns) in enumerate(expected):
        heat[0, rows, columns, number] = 9

    def network(features):
        tf.debugging.assert_equal(tf.shape(features)[1:3], [15, 20])
        return tf.constant(heat)

    return Focusing(network, 120, (180, 270))


EVERYWHERE = (slice(None), slice(None))


@pytest.fixture(scope="module")
def image():
    return tf.constant(scene(0, (240, 320)))


def proposer(focus=None, mirrored=False, **changes):
    network, config = narrow_network(), dataclasses.replace(CONFIG, **changes)
    model = network.window_model(config)
    return Proposer(Mirrored(model, network.config.grid) if mirrored else model, config, focus=focus)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_focus_on_everything_changes_nothing(image, mirrored):
    found = proposer(focusing(EVERYWHERE, EVERYWHERE), mirrored)(image)
    expected = proposer(None, mirrored)(image)
    assert len(expected["scores"]) > 20
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-4)


def windows(found, scale):
    """Logits and masks by window, of one scale."""
    columns = (found[name].numpy() for name in ("scale", "window", "logits", "mask_logits"))
    return {
        tuple(window): (logit, mask) for number, window, logit, mask in zip(*columns, strict=True) if number == scale
    }


def test_a_part_of_a_scale_is_seen_as_in_the_whole_and_nothing_beside_it(image):
    """180 px: blocks of rows 1 to 2 and columns 2 to 3, so cells 6 to 17 and 12 to 23 of 23 x 30; 270 px: the last."""
    focus = focusing((slice(2, 6), slice(4, 8)), (slice(6, 8), slice(8, 10)))
    found, expected = proposer(focus).best_windows(image), proposer().best_windows(image)
    assert windows(found, 0).keys() == windows(expected, 0).keys()
    # Scales that are seen whole come first, then the others, as the configuration has them: 120, then 270 and 180.
    middle, last = windows(found, 2), windows(found, 1)
    assert middle.keys() == {(y, x) for y in range(6, 18) for x in range(12, 24)}
    assert last.keys() == {(y, x) for y in range(27, 34) for x in range(36, 45)}
    for part, whole in ((middle, windows(expected, 2)), (last, windows(expected, 1))):
        for window, (logit, mask) in part.items():
            assert logit == pytest.approx(whole[window][0], abs=1e-4)
            inner = slice(2, -2)  # farther out the network sees the border of the part
            np.testing.assert_allclose(mask[inner, inner], whole[window][1][inner, inner], atol=1e-3)


def test_a_proposal_lies_on_the_image_where_it_does_without_a_focus(image):
    focus = focusing((slice(2, 6), slice(4, 8)), (slice(6, 8), slice(8, 10)))
    found, expected = proposer(focus).best_windows(image), proposer().best_windows(image)
    places = {
        (number, *window): box
        for number, window, box in zip(
            expected["scale"].numpy(), expected["window"].numpy(), expected["windows_yxyx"].numpy(), strict=True
        )
    }
    keys = zip(found["scale"].numpy(), found["window"].numpy(), strict=True)
    np.testing.assert_allclose(found["windows_yxyx"], [places[number, *window] for number, window in keys], atol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [{"focus_threshold": 0.0}, {"shorter_sides": (119, 178, 267)}, {"scale_factors": (0.5, 1.0)}],
)
def test_all_is_looked_at_whole_where_a_focus_is_not_wanted_or_cannot_see(changes):
    network = narrow_network()
    network.focus = build_focus(16, 120, (180, 270))
    try:
        assert network_proposer(network, CONFIG).focus is not None
        assert network_proposer(network, CONFIG.changed(changes)).focus is None
    finally:
        del network.focus
