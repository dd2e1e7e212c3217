"""What a network is loaded with, from the file beside its weights and from its caller."""

from __future__ import annotations

import pytest

from ifcn_tf.common.files import UserError
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


def test_bundled_models_go_by_their_names():
    assert load_network("vgg16", precision="float32")[0].config.trunk == "vgg16"
    of_default, of_none = (load_network(name, precision="float32")[0].config for name in ("default", None))
    assert of_default == of_none
    assert of_default.trunk == "efficientnet_lite2"


def test_untrained_networks_are_of_the_trunk_that_is_asked_for():
    network, _ = load_network(backbone_weights="imagenet", trunk="efficientnet_lite2", k=3, precision="float32")
    assert (network.config.trunk, network.config.k) == ("efficientnet_lite2", 3)
    assert network.model.get_layer("stem_conv").get_weights()[0].std() > 0.1
    with pytest.raises(UserError, match="trunk 'efficientnet_lite' is not known: the nearest is efficientnet_lite"):
        load_network(backbone_weights="imagenet", trunk="efficientnet_lite")


def test_weights_say_what_they_are_of():
    for asked, sentence in (
        ({"trunk": "vgg16"}, "holds weights for trunk = efficientnet_lite2, not vgg16"),
        ({"k": 3}, "k = 5"),
    ):
        with pytest.raises(UserError, match=sentence):
            load_network("default", **asked)
