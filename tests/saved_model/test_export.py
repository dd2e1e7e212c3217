"""What an export leaves on disk, and what servers and tools make of it."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from ifcn_tf.benchmarks.session import Session
from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.predictor import load, load_saved_model
from ifcn_tf.results.folder import Output, propose_images
from ifcn_tf.saved_model.export import export
from ifcn_tf.saved_model.load import versions
from ifcn_tf.saved_model.signatures import ServingConfig
from ifcn_tf.saved_model.warm_up import REQUESTS, SIZES_HW
from tests.pipelines.test_commands import command
from tests.support.exported import CONFIG, SAMPLE, encoded, model_folder, narrow_network, scene, session

SERVING = SAMPLE.parents[1] / "serving"


@pytest.fixture
def quick_export(monkeypatch):
    """An export without its network: files and names are all that these tests ask for."""

    class Empty(tf.Module):
        def __init__(self, _, config, *others):
            super().__init__()
            self.config = config

        def signatures(self):
            return {"serving_default": tf.function(lambda x: {"y": x}).get_concrete_function(tf.TensorSpec([None]))}

        def max_pixels(self, _):
            return 100

    monkeypatch.setattr("ifcn_tf.saved_model.export.ServingModule", Empty)
    return lambda folder: export(narrow_network(), CONFIG, folder)


def contents(folder):
    return sorted(path.name for path in folder.iterdir())


def test_versions_count_up_and_nothing_is_replaced(quick_export, tmp_path):
    folder = tmp_path / "models" / "mine"
    assert quick_export(folder) == folder / "1"
    first = (folder / "1" / "saved_model.pb").stat()
    assert quick_export(folder) == folder / "2"
    (folder / "9").mkdir()  # someone else's
    (folder / "9" / "kept").write_text("")
    (folder / "notes").mkdir()
    assert quick_export(folder) == folder / "10"
    assert contents(folder) == ["1", "10", "2", "9", "notes"]
    assert (folder / "1" / "saved_model.pb").stat() == first
    assert contents(folder / "9") == ["kept"]


def test_a_version_that_appears_meanwhile_is_kept(quick_export, tmp_path, monkeypatch):
    quick_export(tmp_path)
    monkeypatch.setattr(
        "ifcn_tf.saved_model.export.versions", lambda folder: []
    )  # as if the other one came after the counting
    assert quick_export(tmp_path) == tmp_path / "2"


def test_nothing_half_written(quick_export, tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr("ifcn_tf.saved_model.export.write_requests", full_disk)
        with pytest.raises(UserError, match=r"cannot write .*: No space left on device; free some space\.$"):
            quick_export(tmp_path)
    assert contents(tmp_path) == []
    # What a killed export leaves has no number for a name: neither servers nor later exports take it for a version.
    (tmp_path / ".unfinished-abc" / "variables").mkdir(parents=True)
    assert versions(tmp_path) == []
    assert quick_export(tmp_path) == tmp_path / "1"
    with pytest.raises(UserError, match=r"cannot write .*file: File exists; choose another place\.$"):
        (tmp_path / "file").write_text("")
        quick_export(tmp_path / "file")


def test_what_was_abandoned_long_ago_is_removed(quick_export, tmp_path):
    for name, age in ((".unfinished-old", 2 * 86400), (".unfinished-new", 60)):
        (tmp_path / name / "variables").mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    quick_export(tmp_path)
    assert contents(tmp_path) == [".unfinished-new", "1"]


def test_other_users_can_read_a_version(quick_export, tmp_path):
    assert quick_export(tmp_path).stat().st_mode & 0o777 == 0o755


def test_a_model_has_a_name(tmp_path):
    with pytest.raises(UserError, match="model_name must not be empty"):
        export(narrow_network(), CONFIG, tmp_path, model_name="")


def test_warm_up_requests_are_answered():
    """Real messages, of several sizes and all signatures, through the loader that servers use."""
    records = list(tf.data.TFRecordDataset(str(model_folder() / "1" / REQUESTS)).as_numpy_iterator())
    requests = [PredictionLog.FromString(record).predict_log.request for record in records]
    assert {request.model_spec.name for request in requests} == {"ifcn"}
    names = [request.model_spec.signature_name for request in requests]
    assert sorted(set(names)) == ["image_tensor", "score_maps", "serving_default"]
    answers = [session().predict(request) for request in requests if request.model_spec.signature_name != "score_maps"]
    sizes = [tuple(answer["image_hw"][0].tolist()) for answer in answers]
    assert set(sizes) == set(SIZES_HW)
    assert all(answer["error"].tolist() == [b""] for answer in answers)


@pytest.mark.parametrize("scales", [{"shorter_sides": (8, 16)}, {"scale_factors": (0.25, 0.8)}])
def test_warm_up_requests_keep_to_the_limits(scales, tmp_path):
    """A server does not load a model whose warm-up fails. Score maps: at most 16 x 40 = .8^2 x 1000 px."""
    config = ProposerConfig(**scales, longer_side_limit=40, num_proposals=3)
    version = export(narrow_network(), config, tmp_path, ServingConfig(max_pixels=1000))
    small = Session(version)
    for record in tf.data.TFRecordDataset(str(version / REQUESTS)).as_numpy_iterator():
        answer = small.predict(PredictionLog.FromString(record).predict_log.request)
        assert not any(answer.get("error", []))
    small("score_maps", image_tensor=np.zeros((1, 16, 40, 3), np.uint8))
    with pytest.raises(tf.errors.InvalidArgumentError, match="score_maps takes 1 to 640 pixels at once"):
        small("score_maps", image_tensor=np.zeros((1, 16, 41, 3), np.uint8))


@pytest.mark.parametrize("content", ["{}", "[1]", '{"serving": {"max_pixels": 5}, "proposer": {"nms_iou": 7}}'])
def test_settings_of_another_form_are_named(tmp_path, content):
    (tmp_path / "1" / "assets.extra").mkdir(parents=True)
    (tmp_path / "1" / "assets.extra" / "ifcn.json").write_text(content)
    with pytest.raises(UserError, match=r"ifcn\.json is not what `ifcn-tf export` writes"):
        load_saved_model(tmp_path)


def test_settings_stand_beside_the_model():
    settings = json.loads((model_folder() / "1" / "assets.extra" / "ifcn.json").read_text())
    assert settings["proposer"] == CONFIG.to_dict()
    assert settings["precision"] == "float32"
    assert settings["serving"]["full_masks"] is True


def test_configuration_of_the_server():
    """Parsed as the server parses it; the paths of compose.yaml are those of the repository and of models.config."""
    config = text_format.Parse((SERVING / "models.config").read_text(), ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("ifcn", "/models/ifcn", "tensorflow")
    compose = (SERVING / "compose.yaml").read_text()
    for name in ("models.config", "batching.config"):
        assert (SERVING / name).exists()
        assert f"=/serving/{name}" in compose
    assert f"../{model.name}:{model.base_path}:ro" in compose


#: Fields of TensorFlow Serving's BatchingParameters, whose message tensorflow-serving-api does not have.
BATCHING = {
    *("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"),
    *("thread_pool_name", "allowed_batch_sizes", "pad_variable_length_inputs"),
}


def test_configuration_of_the_queue():
    lines = (SERVING / "batching.config").read_text().splitlines()
    fields = [re.fullmatch(r"(\w+) \{ value: \d+ \}", line) for line in lines if line and not line.startswith("#")]
    names = [field[1] for field in fields]
    assert len(names) == len(set(names)) == 4
    assert set(names) <= BATCHING


def saved_model_cli(*arguments):
    tool = Path(sys.executable).with_name("saved_model_cli")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_saved_model_cli(tmp_path):
    version = str(model_folder() / "1")
    shown = saved_model_cli("show", f"--dir={version}", "--tag_set=serve", "--signature_def=serving_default")
    for line in ("inputs['image_bytes'] tensor_info", "outputs['windows_yxyx'] tensor_info", "shape: (-1, 20, 21, 21)"):
        assert line in shown
    np.save(tmp_path / "coffee.npy", [SAMPLE.read_bytes()])
    flags = [f"--dir={version}", "--tag_set=serve", "--signature_def=serving_default", f"--outdir={tmp_path}"]
    saved_model_cli("run", *flags, f"--inputs=image_bytes={tmp_path / 'coffee.npy'}")
    np.testing.assert_array_equal(
        np.load(tmp_path / "scores.npy"), session()(image_bytes=[SAMPLE.read_bytes()])["scores"]
    )


def test_commands(tmp_path):
    """From weights to a version, and from it the same files as from the weights."""
    folder = f"{tmp_path / 'm'}"
    settings = ["--shorter_sides=119", "--num_proposals=9", "--precision=float32"]
    done = command("export", f"--output={folder}", *settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{folder}/1"
    done = command("propose", f"--images={SAMPLE}", f"--output={tmp_path / 'a'}", f"--saved_model={folder}")
    assert done.returncode == 0, done.stderr
    predictor = load(precision="float32", shorter_sides=(119,), num_proposals=9)
    propose_images(predictor, [SAMPLE], Output(tmp_path / "b"))
    for name in ("proposals.json", "overlays/coffee.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    by_command, by_library = (json.loads((tmp_path / name / "run.json").read_text()) for name in "ab")
    assert by_command.pop("places")["saved_model"] == folder
    assert by_command == by_library


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--output="], "--output is empty: give it a value"),
        (["--output=out/x", "--model_name="], "--model_name is empty"),
        (["--output=out/x.onnx"], "out/x.onnx is the name of a file: add --format=onnx"),
        (["--output=out/x.onnx", "--format=onnx", "--masks=logits"], "--masks belong to a SavedModel"),
    ],
)
def test_wrong_flags_end_with_one_sentence(arguments, sentence):
    done = command("export", *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {sentence}")
    assert len(done.stderr.splitlines()) == 1


def test_what_is_fixed_at_export_cannot_be_asked_for(tmp_path):
    done = command("propose", f"--images={SAMPLE}", f"--output={tmp_path}", "--saved_model=m", "--num_proposals=3")
    assert done.returncode == 1
    assert done.stderr == (
        "error: --saved_model has its own num_proposals, fixed when it was exported: leave --num_proposals out.\n"
    )


@pytest.fixture(scope="module")
def server():
    """Ports (gRPC, REST) of the official server, on this machine."""
    if not (binary := shutil.which("tensorflow_model_server")):
        pytest.skip("there is no tensorflow_model_server on PATH")
    with socket.socket() as first, socket.socket() as second:
        for free in (first, second):
            free.bind(("127.0.0.1", 0))
        ports = first.getsockname()[1], second.getsockname()[1]
    flags = (f"--port={ports[0]}", f"--rest_api_port={ports[1]}", f"--model_base_path={model_folder()}")
    process = subprocess.Popen([binary, "--model_name=ifcn", *flags], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not _is_available(ports[1]):
            assert process.poll() is None, "tensorflow_model_server has ended"
            assert time.monotonic() < deadline, "tensorflow_model_server does not get ready"
            time.sleep(0.2)
        yield ports
    finally:
        process.terminate()
        process.wait()


def _is_available(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models/ifcn") as answer:
            return json.load(answer)["model_version_status"][0]["state"] == "AVAILABLE"
    except OSError:
        return False


def test_the_official_server_answers(server):
    import base64

    content = encoded(scene(0, (120, 160)))
    expected = session()(image_bytes=[content])
    request = PredictRequest()
    request.model_spec.name = "ifcn"
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([content]))
    with grpc.insecure_channel(f"127.0.0.1:{server[0]}") as channel:
        answer = PredictionServiceStub(channel).Predict(request, timeout=120)
    found = {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(found["boxes_yxyx"], expected["boxes_yxyx"], atol=1e-3)
    body = json.dumps({"instances": [{"image_bytes": {"b64": base64.b64encode(content).decode()}}]}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{server[1]}/v1/models/ifcn:predict", body) as reply:
        (entry,) = json.load(reply)["predictions"]
    np.testing.assert_allclose(entry["boxes_yxyx"], expected["boxes_yxyx"][0], atol=1e-3)
