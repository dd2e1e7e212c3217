"""Windows that are judged in an image and in its mirror image."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.geometry import WindowGrid
from ifcn_tf.models.method import build_network
from ifcn_tf.proposing.mirrored import Mirrored
from ifcn_tf.proposing.network import network_proposer
from tests.support.exported import scene
from tests.support.narrow_deepmask import NARROW
from tests.support.tiny import TINY


@pytest.mark.parametrize("config", [TINY, NARROW], ids=["odd windows", "even windows"])
def test_a_mirror_image_has_the_mirror_images_of_the_windows(config):
    network, random = build_network(config, "float32"), np.random.default_rng(0)
    network.model.set_weights([w + random.normal(0, 0.1, w.shape) for w in network.model.get_weights()])
    model = network_proposer(network, ProposerConfig(flip=True)).model
    image, windows = scene(0, (64, 320))[None].astype(np.float32), np.array([[0, 7], [2, 8], [3, 10]], np.int32)
    later = 1 - config.window_cells % 2
    mirrored = np.stack([windows[:, 0], 320 // config.grid.stride - 1 - windows[:, 1] + later], 1).astype(np.int32)
    there, here = model.features(tf.constant(image[:, :, ::-1])), model.features(tf.constant(image))
    np.testing.assert_allclose(model.objectness(there, mirrored), model.objectness(here, windows), atol=1e-5)
    masks = model.masks(here, windows).numpy()
    np.testing.assert_allclose(model.masks(there, mirrored).numpy()[:, :, ::-1], masks, atol=1e-5)
    alone = network_proposer(network, ProposerConfig()).model
    assert np.abs(alone.masks(alone.features(tf.constant(image)), windows) - masks).max() > 1e-3


class FirstColumns:
    """Scores a cell of 8 px by its first column, and says the same of each cell of a mask of one cell."""

    def features(self, image):
        return {"first": image[0, ::8, ::8, 0]}

    def objectness(self, features, windows):
        return tf.gather_nd(features["first"], windows)

    def masks(self, features, windows):
        return self.objectness(features, windows)[:, None, None]


def test_the_last_cell_of_a_row_goes_on_with_its_last_column():
    columns = np.tile(np.arange(20.0, dtype=np.float32)[None, None, :, None], (1, 8, 1, 3))
    model = Mirrored(FirstColumns(), WindowGrid(8, 1, 1))
    features = model.features(tf.constant(columns))
    # Cells begin at columns 0, 8 and 16; mirrored they begin at their last ones: 7, 15, and 19 for what would be 23.
    found = model.objectness(features, np.array([[0, 0], [0, 1], [0, 2]], np.int32))
    np.testing.assert_array_equal(found, [3.5, 11.5, 17.5])
