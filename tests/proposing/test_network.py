"""What a network is loaded with, from the file beside its weights and from its caller."""

from __future__ import annotations

from ifcn_tf.models.weights import save_weights
from ifcn_tf.proposing.network import load_network
from tests.support.exported import narrow_network


def test_the_callers_scales_replace_those_beside_the_weights(tmp_path):
    weights = tmp_path / "model.weights.h5"
    save_weights(narrow_network(), tmp_path, {"proposer": {"scale_factors": [0.5, 1]}}, {})
    stored, absolute, relative = (
        load_network(weights, **settings)[1]
        for settings in ({"nms_iou": 0.5}, {"shorter_sides": (300,)}, {"scale_factors": (2.0,)})
    )
    assert stored.pyramid_hw(60, 80) == [(30, 40), (60, 80)]
    assert absolute.pyramid_hw(60, 80) == [(300, 400)]
    assert relative.pyramid_hw(60, 80) == [(120, 160)]
