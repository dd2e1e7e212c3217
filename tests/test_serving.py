"""The client against stand-ins for TensorFlow Serving on loopback: answers, errors, retries, several in flight."""

import io
import json
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from ifcn_tf.batch import find_images, propose_images
from ifcn_tf.config import ModelConfig, ProposerConfig, ShownConfig
from ifcn_tf.files import BadImageError, UserError
from ifcn_tf.model.instance_fcn import build_instance_fcn
from ifcn_tf.predictor import Predictor
from ifcn_tf.serving import connect
from tests.fake_server import SERVERS, BrokenError, padded_answer, rest_of_answer, rest_server

ROOT = Path(__file__).parents[1]
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


QUICK = {"attempts": 3, "first_pause": 0.001, "timeout": 5.0}


def constant_answer(size_hw=(20, 30), **changes):
    """One proposal, the left half of the image; two places are padding."""
    logits = np.full((1, 3, 21, 21), -5, np.float32)
    logits[0, 0, :, :10] = 5.0
    answer = {
        "scores": np.array([[0.75, 0, 0]], np.float32),
        "windows_yxyx": np.zeros((1, 3, 4), np.float32) + np.float32([0, 0, *size_hw]),
        "boxes_yxyx": np.zeros((1, 3, 4), np.float32),
        "mask_logits": logits,
    } | rest_of_answer(1, size_hw, CONFIG)
    changed = {**answer, **changes}
    return {name: value for name, value in changed.items() if value is not None}


def image(height=20, width=30):
    return np.zeros((height, width, 3), np.uint8)


def failing(times, error, then):
    """A model that raises an error some times and then answers; counts its calls."""

    def model(encoded):
        model.calls += 1
        if model.calls <= times:
            raise error
        return then

    model.calls = 0
    return model


@BOTH
def test_an_array_is_answered(protocol):
    with SERVERS[protocol](lambda encoded: constant_answer()) as server:
        found = connect(server, protocol, **QUICK).propose(image())
    assert (found.size_hw, found.scores.tolist()) == ((20, 30), [0.75])
    assert found.masks()[0, :, :14].all()
    assert not found.masks()[0, :, 15:].any()


@BOTH
def test_probabilities_give_the_masks_of_logits(protocol):
    logits = np.random.default_rng(0).normal(0, 8, (1, 3, 21, 21)).astype(np.float32)
    logits[0, 0, 0] = -1e4  # sigmoid is exactly 0, and of 100 exactly 1
    logits[0, 0, 1] = 100
    probabilities = tf.sigmoid(logits).numpy()
    answers = [{"mask_logits": logits}, {"mask_logits": None, "mask_probabilities": probabilities}]
    masks = []
    for changes in answers:
        with SERVERS[protocol](lambda encoded, changes=changes: constant_answer(**changes)) as server:
            masks.append(connect(server, protocol, **QUICK).propose(image()).masks()[0])
    assert 0.2 < masks[0].mean() < 0.8
    assert (masks[0] != masks[1]).mean() < 0.02


@BOTH
@pytest.mark.parametrize("status", [503, 429])
def test_a_server_that_fails_twice_is_asked_again(protocol, status):
    model = failing(2, BrokenError(status, "busy"), constant_answer())
    with SERVERS[protocol](model) as server:
        assert len(connect(server, protocol, **QUICK).propose(image())) == 1
        assert model.calls == 3
        model.calls = -1  # fails three times: one too many
        with pytest.raises(UserError, match="busy"):
            connect(server, protocol, **QUICK).propose(image())
        assert model.calls == 2


@BOTH
def test_what_is_wrong_is_not_asked_again(protocol):
    model = failing(9, BrokenError(400, "input tensor alias not found in signature: image_bytes"), {})
    with (
        SERVERS[protocol](model) as server,
        pytest.raises(UserError, match="does not take image_bytes in a signature serving_default: serve one that"),
    ):
        connect(server, protocol, **QUICK).propose(image())
    assert model.calls == 1


@BOTH
def test_a_slow_server_is_given_up(protocol):
    release = threading.Event()

    def slow(encoded):
        slow.calls += 1
        release.wait(10)
        return constant_answer()

    slow.calls = 0
    with SERVERS[protocol](slow) as server:
        client = connect(server, protocol, timeout=0.3, attempts=2, first_pause=0.0)
        with pytest.raises(UserError, match=r"did not answer within 0\.3 s: raise --timeout"):
            client.propose(image())
        assert slow.calls == 2
        release.set()


@BOTH
def test_pauses_grow_and_vary(protocol, monkeypatch):
    pauses = []
    monkeypatch.setattr("ifcn_tf.serving.transport.time.sleep", pauses.append)
    model = failing(99, BrokenError(503, "busy"), {})
    with SERVERS[protocol](model) as server, pytest.raises(UserError):
        connect(server, protocol, attempts=9, first_pause=1.0).propose(image())
    expected = [1, 2, 4, 8, 16, 30, 30, 30]
    assert all(0.5 * most <= pause <= most for pause, most in zip(pauses, expected, strict=True))
    assert len({pause / most for pause, most in zip(pauses, expected, strict=True)}) == 8


@BOTH
def test_where_nothing_can_be_reached(protocol):
    with SERVERS[protocol](lambda encoded: {}) as server:
        pass
    with pytest.raises(UserError, match=f"cannot reach {server}: is a server running there"):
        connect(server, protocol, **QUICK)


@BOTH
def test_models_and_versions(protocol):
    states = {2: "AVAILABLE", 10: "AVAILABLE", 11: "LOADING"}
    with SERVERS[protocol](lambda encoded: constant_answer(), states) as server:
        ask = partial(connect, server, protocol, **QUICK)
        with pytest.raises(UserError, match=f"{server} has no model other: choose one that it serves"):
            ask(model="other")
        with pytest.raises(UserError, match="has no version 3 of the model ifcn, but 2, 10"):
            ask(version=3)
        assert ask(version=2).pinned().settings["version"] == 2
        assert ask().settings["version"] == 0
        assert ask().pinned().settings == {"server": server, "model": "ifcn", "version": 10}
        assert len(ask().pinned().propose(image())) == 1
    with (
        SERVERS[protocol](lambda encoded: {}, {1: "LOADING"}) as server,
        pytest.raises(UserError, match="no version of the model ifcn ready yet"),
    ):
        connect(server, protocol, **QUICK)


@BOTH
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scores": None}, "it has no scores"),
        ({"mask_logits": None}, "it has no mask_logits"),
        ({"error": None}, r"it has no error \[1\]"),
        ({"num_proposals": np.array([4], np.int32)}, "it has no num_proposals and mask_threshold that fit"),
        ({"windows_yxyx": np.zeros((1, 3, 5), np.float32)}, r"it has no windows_yxyx \[1, N, 4\]"),
        ({"mask_logits": np.zeros((1, 3, 21, 20), np.float32)}, "it has no square masks"),
        ({"scores": np.zeros((2, 3), np.float32)}, r"it has no scores \[1, N\]"),
        ({"scores": np.full((1, 3), np.nan, np.float32)}, "it has no finite scores"),
        ({"image_hw": np.array([[30, 20]], np.int32)}, r"is 20 x 30 px \(upright\), and 30 x 20 on the server"),
    ],
)
def test_answers_of_another_shape(protocol, changes, sentence):
    with SERVERS[protocol](lambda encoded: constant_answer(**changes)) as server:
        client = connect(server, protocol, **QUICK)
        with pytest.raises(UserError, match=sentence):
            client.propose(image())


def test_a_server_of_something_else(tmp_path):
    def serving(folder):
        handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    (tmp_path / "v1" / "models").mkdir(parents=True)
    page = tmp_path / "v1" / "models" / "ifcn"
    server = serving(tmp_path)
    address = f"127.0.0.1:{server.server_port}"
    for content, sentence in (("<html>", "does not answer with JSON"), ("{}", "as TensorFlow Serving does")):
        page.write_text(content)
        with pytest.raises(UserError, match=sentence):
            connect(address, **QUICK)
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match=r"cannot ask ht!p://x: give HOST:PORT"):
        connect("ht!p://x", **QUICK)


@BOTH
def test_messages_have_a_limit(protocol):
    with SERVERS[protocol](lambda encoded: constant_answer()) as server:
        noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
        with pytest.raises(UserError, match=r"the request has .* bytes, over the limit of 1000"):
            connect(server, protocol, max_message_bytes=1000, **QUICK).propose(noise)
        with pytest.raises(UserError, match=r"raise (it|the limit) \(--max_mb"):
            connect(server, protocol, max_message_bytes=3000, **QUICK).propose(image())  # the masks alone are 5,292


def test_wrong_settings():
    for settings in ({"attempts": 0}, {"timeout": 0.0}, {"version": -1}, {"model": ""}, {"max_message_bytes": 2**31}):
        with pytest.raises(UserError, match=next(iter(settings))):
            connect("127.0.0.1:1", **settings)
    with pytest.raises(UserError, match="protocol must be rest or grpc, not soap"):
        connect("127.0.0.1:1", "soap")


@BOTH
def test_an_image_that_the_server_refuses_is_left_out(protocol, photos, tmp_path):
    def model(encoded):
        size = Image.open(io.BytesIO(encoded)).size[::-1]
        if size == (71, 100):
            return constant_answer((0, 0)) | rest_of_answer(0, (0, 0), CONFIG, "image 0 of the batch is too odd")
        return constant_answer((90, 60) if size == (60, 90) else size)

    paths = find_images(str(photos))
    with SERVERS[protocol](model) as server:
        failures = propose_images(connect(server, protocol, **QUICK), paths, tmp_path / "out", in_flight=4)
        with pytest.raises(BadImageError, match=r"cat\.jpg: image 0 of the batch is too odd"):
            connect(server, protocol, **QUICK).propose(photos / "cat.jpg")
    assert [failure.path.name for failure in failures] == ["cat.jpg"]
    results = json.loads((tmp_path / "out" / "proposals.json").read_text())
    assert [result["image_id"] for result in results] == [139, "dog", "owl", "turned"]


def test_several_are_in_flight_and_stay_in_order(photos, tmp_path):
    """Four requests meet at a barrier that opens for no fewer, and the first image is answered last."""
    barrier, order = threading.Barrier(4, timeout=5), []

    def model(encoded):
        size = Image.open(io.BytesIO(encoded)).size[::-1]
        if len(order) < 4:
            barrier.wait()
            time.sleep(0.3 if size == (70, 100) else 0)
        order.append(size)
        return constant_answer((90, 60) if size == (60, 90) else size)

    paths = find_images(str(photos))[:4]
    with rest_server(model) as server:
        assert propose_images(connect(server, **QUICK), paths, tmp_path / "out", in_flight=4) == []
    assert order[3] == (70, 100)  # 139, first by name
    results = json.loads((tmp_path / "out" / "proposals.json").read_text())
    assert [result["image_id"] for result in results] == [139, "cat", "dog", "owl"]


def test_resuming_asks_for_what_is_missing_only(photos, tmp_path):
    paths, served = find_images(str(photos))[:4], []

    def model(encoded):
        served.append(1)
        return constant_answer(Image.open(io.BytesIO(encoded)).size[::-1])

    with rest_server(model) as server:
        client = connect(server, **QUICK).pinned()
        propose_images(client, paths[:3], tmp_path / "out", in_flight=2)
        assert propose_images(client, paths, tmp_path / "out", resume=True, in_flight=2) == []
        assert len(served) == 4
    with (
        rest_server(model, {2: "AVAILABLE"}) as server,
        pytest.raises(UserError, match="was made with another server, version"),
    ):
        propose_images(connect(server, **QUICK).pinned(), paths, tmp_path / "out", resume=True)


def test_an_interruption_waits_for_no_answer(photos, tmp_path):
    """The command as users call it; the server never answers."""
    asked = threading.Event()

    def model(encoded):
        asked.set()
        threading.Event().wait(20)
        return {}

    with rest_server(model) as server:
        arguments = [f"--server={server}", f"--images={photos}", f"--output={tmp_path / 'out'}"]
        command = [sys.executable, "-m", "pipelines.request", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert asked.wait(30)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        stderr = process.communicate(timeout=20)[1]
        assert time.monotonic() - start < 10
    assert process.returncode == 130
    assert stderr.strip().splitlines()[-1] == "interrupted"
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_the_command_reports_what_failed(photos, tmp_path):
    (photos / "broken.jpg").write_text("no image")
    with rest_server(lambda encoded: constant_answer((70, 100))) as server:
        arguments = ["--images", str(photos / "[0b]*"), f"--output={tmp_path / 'out'}", "--format=csv", "--distinct=1"]
        command = [sys.executable, "-m", "pipelines.request", f"--server={server}", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 1, done.stderr
        assert "1 of 2 image(s) done" in done.stdout
        assert "broken.jpg is not a readable JPEG" in done.stdout
        assert (tmp_path / "out" / "csv" / "000000000139.csv").exists()
        done = subprocess.run([*command, "--model=other"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {server} has no model other")
    assert len(done.stderr.strip().splitlines()) == 1
