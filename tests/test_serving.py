"""The client against stand-ins for TensorFlow Serving on loopback: answers, errors, retries, several in flight."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ifcn_tf.batch import find_images, propose_images
from ifcn_tf.config import ModelConfig, ProposerConfig, ShownConfig
from ifcn_tf.model.instance_fcn import build_instance_fcn
from ifcn_tf.predictor import Predictor
from ifcn_tf.serving import connect
from tests.fake_server import SERVERS, padded_answer

CONFIG = ProposerConfig(shorter_sides=(60, 90), num_proposals=30, nms_iou=0.97, min_area=20.0)
SHOWN = ShownConfig(min_score=0.0)
BOTH = pytest.mark.parametrize("protocol", ["rest", "grpc"])


@pytest.fixture(scope="module")
def predictor():
    config = ModelConfig(trunk_channels=(8, 8, 8, 16, 16), branch_channels=16)
    return Predictor.of_network(build_instance_fcn(config, "float32"), CONFIG)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for i, (stem, suffix) in enumerate([("000000000139", "png"), ("cat", "jpg"), ("dog", "gif"), ("owl", "bmp")]):
        pixels = random.integers(0, 256, (8, 10 + i, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((100, 70 + i)).save(folder / f"{stem}.{suffix}")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(random.integers(0, 256, (60, 90, 3)).astype(np.uint8)).save(folder / "turned.png", exif=turned)
    return folder


def model_of(predictor):
    """The predictor behind bytes, EXIF included, as an exported model answers."""

    def model(encoded):
        import io

        from PIL import ImageOps

        with Image.open(io.BytesIO(encoded)) as picture:
            if picture.getexif().get(0x0112, 1) != 1:
                turned = io.BytesIO()
                ImageOps.exif_transpose(picture).save(turned, "PNG")
                encoded = turned.getvalue()
        return padded_answer(predictor, encoded, CONFIG.num_proposals)

    return model


@BOTH
def test_the_same_files_as_propose(protocol, predictor, photos, tmp_path):
    (photos / "broken.jpg").write_text("no image")
    paths, formats = find_images(str(photos)), ["csv", "labelme", "binary_masks"]
    expected = propose_images(predictor, paths, tmp_path / "propose", formats, SHOWN)
    with SERVERS[protocol](model_of(predictor)) as server:
        client = connect(server, protocol).pinned()
        failures = propose_images(client, paths, tmp_path / "request", formats, SHOWN, in_flight=3)
    assert failures == expected
    assert len(json.loads((tmp_path / "request" / "proposals.json").read_text())) > 30
    files = {file.relative_to(tmp_path / "propose") for file in (tmp_path / "propose").rglob("*") if file.is_file()}
    assert files == {file.relative_to(tmp_path / "request") for file in (tmp_path / "request").rglob("*.*")}
    for file in sorted(files - {Path("run.json"), Path("overlays/cat.png")}):
        assert (tmp_path / "propose" / file).read_bytes() == (tmp_path / "request" / file).read_bytes(), file
    # Pillow and TensorFlow decode a JPEG to slightly different levels: only the picture under the masks shows it.
    cats = [Image.open(tmp_path / run / "overlays" / "cat.png") for run in ("propose", "request")]
    assert abs(np.subtract(*(np.asarray(cat, int) for cat in cats))).mean() < 4
    run = json.loads((tmp_path / "request" / "run.json").read_text())
    assert (run["server"], run["model"], run["version"]) == (server, "ifcn", 1)
