"""From an exported model through the client to files: what `propose` writes with the same network."""

import json

import numpy as np
import pytest
from PIL import Image

from ifcn_tf.config.proposing import ShownConfig
from ifcn_tf.predictor import Predictor
from ifcn_tf.results.folder import Output, find_images, in_this_process, propose_images
from ifcn_tf.serving import connect
from tests.support.exported import CONFIG, MAX_PIXELS, SAMPLE, encoded, exif, narrow_network, scene, session
from tests.support.fake_server import QUICK, SERVERS


def answer(image_bytes):
    return session()(image_bytes=[image_bytes])


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_an_exported_model_gives_the_files_of_propose(protocol, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "7.jpg").write_bytes(SAMPLE.read_bytes())
    (photos / "turned.jpg").write_bytes(encoded(scene(1, (120, 200)), exif=exif(6, ">")))
    (photos / "small.png").write_bytes(encoded(scene(2, (60, 90)), "PNG"))
    (photos / "moving.gif").write_bytes(encoded(scene(3, (80, 70)), "GIF"))
    paths, shown = find_images(str(photos)), ShownConfig(min_score=0.0)
    output = Output(tmp_path / "propose", shown=shown)
    propose_images(Predictor.of_network(narrow_network(), CONFIG), paths, output)
    Image.fromarray(np.zeros((1, MAX_PIXELS + 1, 3), np.uint8)).save(photos / "wide.png")
    with SERVERS[protocol](answer) as server:
        client = connect(server, protocol, **{**QUICK, "timeout": 60.0})
        output = Output(tmp_path / "out", shown=shown)
        failures = propose_images(client, find_images(str(photos)), output, in_this_process(client, 3))
    (failure,) = failures
    assert failure.reason == f"{photos / 'wide.png'} has 307201 x 1 pixels, over the limit of 307200."
    ours, expected = (json.loads((tmp_path / run / "proposals.json").read_text()) for run in ("out", "propose"))
    assert [(o["image_id"], o["segmentation"]) for o in ours] == [(e["image_id"], e["segmentation"]) for e in expected]
    np.testing.assert_allclose([o["score"] for o in ours], [e["score"] for e in expected], atol=1e-5)
    assert len({o["image_id"] for o in ours}) == 4
