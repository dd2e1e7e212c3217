"""Imports that were documented go on working."""

import importlib

import pytest

FORMER = {
    "ifcn_tf.images.read_image": "ifcn_tf.images.tensors",
    "ifcn_tf.onnx_predictor.OnnxPredictor": "ifcn_tf.engines.onnx_predictor",
    "ifcn_tf.predictor.load_network": "ifcn_tf.proposing.network",
    "ifcn_tf.proposer.Proposer": "ifcn_tf.proposing.proposer",
    "ifcn_tf.proposer.WindowModel": "ifcn_tf.proposing.proposer",
    "ifcn_tf.score_maps.score_maps": "ifcn_tf.proposing.score_maps",
    "ifcn_tf.visualize.draw_proposals": "ifcn_tf.pictures.proposals",
    "ifcn_tf.visualize.draw_score_maps": "ifcn_tf.pictures.proposals",
}


@pytest.mark.parametrize("name", FORMER)
def test_a_documented_name_is_what_it_was(name):
    module, _, attribute = name.rpartition(".")
    found = getattr(importlib.import_module(module), attribute)
    assert found is getattr(importlib.import_module(FORMER[name]), attribute)


def test_other_names_of_images_are_refused():
    with pytest.raises(AttributeError, match="has no attribute 'write_image'"):
        importlib.import_module("ifcn_tf.images").write_image  # noqa: B018
