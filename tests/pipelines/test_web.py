"""The page's command where a server proposes."""

import importlib
import io

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image

from ifcn_tf.common.files import UserError
from tests.support.fake_server import constant_answer, rest_server


@pytest.fixture(scope="module")
def web():
    """The command, whose flags are gone when its tests end: TensorBoard has some of the same names."""
    yield importlib.import_module("pipelines.web")
    for flag in list(flags.FLAGS.flags_by_module_dict()["pipelines.web"]):
        delattr(flags.FLAGS, flag.name)


@pytest.fixture
def command(web):
    """The flags of `web` as they are after a command line; as before when the test ends."""
    with flagsaver.flagsaver():
        yield lambda *arguments: web.flags.FLAGS(["web", *arguments])


def test_masks_are_those_of_the_server(web, command):
    image, asked = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8), []

    def model(encoded):
        asked.append(np.asarray(Image.open(io.BytesIO(encoded))))
        return constant_answer()

    command()
    with rest_server(model) as server:
        propose, count = web._of_server(server)
        proposals = propose(image)
    assert (proposals.scores.tolist(), count) == ([0.75], web._COUNT)
    assert np.array_equal(asked, [image])


def test_a_page_shows_no_more_masks_than_can_be_drawn(web, command, monkeypatch):
    logits = np.full((1, 3, 21, 21), 5, np.float32)
    scores, number = np.float32([[0.9, 0.8, 0.7]]), np.array([3], np.int32)
    more = constant_answer(num_proposals=number, scores=scores, mask_logits=logits)
    monkeypatch.setattr(web, "_COUNT", 2)
    command()
    with rest_server(lambda encoded: more) as server:
        propose, _ = web._of_server(server)
        assert propose(np.zeros((20, 30, 3), np.uint8)).scores.tolist() == np.float32([0.9, 0.8]).tolist()


def test_settings_of_the_network_are_the_servers(web, command):
    command("--server=localhost:1", "--num_proposals=5")
    with pytest.raises(UserError, match="--server has a model with its own num_proposals: leave --num_proposals out"):
        web._of_server("localhost:1")


def test_the_size_of_photographs_is_the_pages(web, command):
    command("--server=localhost:1", "--max_pixels=10")
    with rest_server(lambda encoded: constant_answer()) as server:
        web._of_server(server)
