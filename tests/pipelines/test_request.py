"""Many images to a stand-in for TensorFlow Serving: the files of propose, several in flight, interruptions."""

import io
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.config.proposing import ProposerConfig, ShownConfig
from ifcn_tf.models.method import build_network
from ifcn_tf.predictor import Predictor
from ifcn_tf.results.folder import Output, find_images, in_this_process, propose_images
from ifcn_tf.serving import connect
from tests.support.fake_server import (
    QUICK,
    SERVERS,
    BrokenError,
    constant_answer,
    padded_answer,
    rest_of_answer,
    rest_server,
)
from tests.support.tiny import TINY

ROOT = Path(__file__).parents[2]
CONFIG = ProposerConfig(shorter_sides=(60, 90), num_proposals=30, nms_iou=0.97, min_area=20.0)
SHOWN = ShownConfig(min_score=0.0)
BOTH = pytest.mark.parametrize("protocol", ["rest", "grpc"])


@pytest.fixture(scope="module")
def predictor():
    return Predictor.of_network(build_network(TINY, "float32"), CONFIG)


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
    expected = propose_images(predictor, paths, Output(tmp_path / "propose", formats, SHOWN))
    with SERVERS[protocol](model_of(predictor)) as server:
        client = connect(server, protocol).pinned()
        output = Output(tmp_path / "request", formats, SHOWN)
        failures = propose_images(client, paths, output, in_this_process(client, 3))
    assert failures == expected
    assert len(json.loads((tmp_path / "request" / "proposals.json").read_text())) > 30
    files = {file.relative_to(tmp_path / "propose") for file in (tmp_path / "propose").rglob("*") if file.is_file()}
    assert files == {file.relative_to(tmp_path / "request") for file in (tmp_path / "request").rglob("*.*")}
    for file in sorted(files - {Path("run.json")}):
        assert (tmp_path / "propose" / file).read_bytes() == (tmp_path / "request" / file).read_bytes(), file
    run = json.loads((tmp_path / "request" / "run.json").read_text())
    assert (run["server"], run["model"], run["version"]) == (server, "ifcn", 1)


@BOTH
def test_an_image_that_the_server_refuses_is_left_out(protocol, photos, tmp_path):
    def model(encoded):
        size = Image.open(io.BytesIO(encoded)).size[::-1]
        if size == (71, 100):
            return constant_answer((0, 0)) | rest_of_answer(0, (0, 0), CONFIG, "image 3 of the batch is too odd.")
        return constant_answer((90, 60) if size == (60, 90) else size)

    paths = find_images(str(photos))
    with SERVERS[protocol](model) as server:
        client = connect(server, protocol, **QUICK)
        failures = propose_images(client, paths, Output(tmp_path / "out"), in_this_process(client, 4))
        with pytest.raises(BadImageError, match=r"cat\.jpg is too odd\."):
            connect(server, protocol, **QUICK).propose(photos / "cat.jpg")
    assert [failure.path.name for failure in failures] == ["cat.jpg"]
    results = json.loads((tmp_path / "out" / "proposals.json").read_text())
    assert [result["image_id"] for result in results] == [139, "dog", "owl", "turned"]


@BOTH
def test_one_image_that_cannot_be_asked_for_ends_no_run(protocol, photos, tmp_path):
    """A request that is too large or refused, another size on the server: each is named, the others are answered."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    Image.fromarray(noise).save(photos / "large.png")

    def model(encoded):
        size = Image.open(io.BytesIO(encoded)).size[::-1]
        if size == (71, 100):
            raise BrokenError(400, "no such image")
        return constant_answer((100, 72) if size == (72, 100) else size)

    paths = [path for path in find_images(str(photos)) if path.stem != "turned"]
    with SERVERS[protocol](model) as server:
        client = connect(server, protocol, max_message_bytes=150_000, **QUICK)
        failures = propose_images(client, paths, Output(tmp_path / "out"), in_this_process(client, 2))
    sentences = (
        f"{photos / 'cat.jpg'}: {server} refused the request: no such image",
        f"{photos / 'dog.gif'} is 72 x 100 px (upright), 100 x 72 on the server",
        f"{photos / 'large.png'}: the request has ",
    )
    for failure, sentence in zip(failures, sentences, strict=True):
        assert failure.reason.startswith(sentence)
    results = json.loads((tmp_path / "out" / "proposals.json").read_text())
    assert [result["image_id"] for result in results] == [139, "owl"]


def test_what_ends_a_run_says_how_to_go_on(photos, tmp_path):
    answers = iter([constant_answer((70, 100))])

    def model(encoded):
        if answer := next(answers, None):
            return answer
        raise BrokenError(404, "unloaded")

    paths = find_images(str(photos))[:3]
    with rest_server(model) as server, pytest.raises(UserError, match=r"\[unloaded\]; then run again with --resume, "):
        propose_images(connect(server, **QUICK), paths, Output(tmp_path / "out"))
    assert [path.stem for path in (tmp_path / "out" / "overlays").iterdir()] == ["000000000139"]


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
        client = connect(server, **QUICK)
        assert propose_images(client, paths, Output(tmp_path / "out"), in_this_process(client, 4)) == []
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
        propose_images(client, paths[:3], Output(tmp_path / "out"), in_this_process(client, 2))
        assert propose_images(client, paths, Output(tmp_path / "out"), in_this_process(client, 2), resume=True) == []
        assert len(served) == 4
    with (
        rest_server(model, {2: "AVAILABLE"}) as server,
        pytest.raises(UserError, match=r"was made with other settings \(server, version\)"),
    ):
        propose_images(connect(server, **QUICK).pinned(), paths, Output(tmp_path / "out"), resume=True)


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
    assert not list((tmp_path / "out").rglob(".unfinished-*"))


def test_the_command_without_pictures(photos, tmp_path):
    """And a line on files that look like images and cannot be read."""
    for name in ("a.heic", "b.HEIC", "c.svg", "d.txt"):
        (photos / name).write_text("")
    with rest_server(lambda encoded: constant_answer(Image.open(io.BytesIO(encoded)).size[::-1])) as server:
        arguments = [f"--server={server}", f"--images={photos}", f"--output={tmp_path / 'out'}", "--overlay=none"]
        command = [sys.executable, "-m", "pipelines.request", *arguments]
        (photos / "turned.png").unlink()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"masks for 4 image(s) of {photos} go into {tmp_path / 'out'}",
        "left out: 2 x .heic, 1 x .svg, which cannot be read: save them as JPEG or PNG",
        f"4 of 4 image(s) done: {tmp_path / 'out' / 'proposals.json'}",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["parts", "proposals.json", "run.json"]


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
        assert (tmp_path / "out" / "overlays" / "000000000139.png").exists()
        done = subprocess.run([*command, "--model=other"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {server} has no model other")
    assert len(done.stderr.strip().splitlines()) == 1
