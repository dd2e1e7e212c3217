"""From a photograph to the class of each pixel."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.config.segmenting import SegmenterConfig
from ifcn_tf.images.tensors import resize
from ifcn_tf.models.method import build_network
from ifcn_tf.models.weights import save_weights
from ifcn_tf.segmenting.segmenter import Segmenter, load_segmenter
from tests.models.fcn.test_network import with_random_scores
from tests.support.exported import scene
from tests.support.narrow_fcn import CLASSES, SMALL
from tests.support.tiny import TINY


@pytest.fixture(scope="module")
def network():
    return with_random_scores(SMALL)


def test_an_image_is_seen_as_it_is(network):
    image = scene(0, (50, 70))
    scores = network.map_model(image[None].astype(np.float32))["scores"][0]
    segmenter = Segmenter(network, SegmenterConfig())
    np.testing.assert_array_equal(segmenter.segment(image), np.argmax(scores, -1))
    np.testing.assert_allclose(segmenter.probabilities(image), tf.nn.softmax(scores), atol=1e-4)
    assert segmenter.names == CLASSES


def test_or_at_another_size_from_which_scores_come_back(network):
    image = scene(1, (60, 40))
    seen = resize(tf.constant(image), 96, 64)
    scores = tf.image.resize(network.map_model(seen[None])["scores"], (60, 40))[0]
    found = Segmenter(network, SegmenterConfig(shorter_side=64)).segment(image)
    np.testing.assert_array_equal(found, np.argmax(scores, -1))


@pytest.mark.parametrize("side", [0, 32])
def test_images_smaller_than_the_stride_have_classes(network, side):
    segmenter = Segmenter(network, SegmenterConfig(shorter_side=side, longer_side_limit=200))
    for size_hw in ((1, 1), (1, 300), (31, 2)):
        assert segmenter.segment(np.full((*size_hw, 3), 77, np.uint8)).shape == size_hw


def test_weights_are_loaded_with_their_settings(network, tmp_path):
    save_weights(network, tmp_path, {"segmenter": {"shorter_side": 64}}, {})
    Image.fromarray(scene(2, (40, 55))).save(tmp_path / "a.png")
    path = tmp_path / "model.weights.h5"
    expected = Segmenter(network, SegmenterConfig(shorter_side=64)).segment(scene(2, (40, 55)))
    np.testing.assert_array_equal(load_segmenter(path, precision="float32").segment(tmp_path / "a.png"), expected)
    with pytest.raises(UserError, match="shorter_side must be 0, or lie in 8"):
        load_segmenter(path, shorter_side=3)
    with pytest.raises(BadImageError, match="over the limit of 9"):
        load_segmenter(path, max_pixels=9).segment(tmp_path / "a.png")


def test_weights_of_another_method_are_refused(tmp_path):
    save_weights(build_network(TINY, "float32"), tmp_path, {}, {})
    with pytest.raises(UserError, match=r"model\.weights\.h5: instance_fcn does not name the class of each pixel"):
        load_segmenter(tmp_path / "model.weights.h5")
