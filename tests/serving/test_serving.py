"""The client against stand-ins for TensorFlow Serving on loopback: answers, errors, retries, several in flight."""

import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.images.tensors import decode
from ifcn_tf.serving import connect
from ifcn_tf.serving.grpc import _channel
from tests.support.fake_server import QUICK, SERVERS, BrokenError, constant_answer

BOTH = pytest.mark.parametrize("protocol", ["rest", "grpc"])


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
def test_an_image_file_is_read_as_it_is_sent(protocol, tmp_path):
    """Upright, and as the server sees it: JPEG and PNG as they are, all else as PNG."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    sent = []
    with SERVERS[protocol](lambda encoded: sent.append(encoded) or constant_answer()) as server:
        client = connect(server, protocol, max_pixels=600, **QUICK)
        for name in ("a.png", "a.jpg", "a.gif", "a.bmp", "a.webp", "a.tif"):
            Image.fromarray(pixels).save(tmp_path / name)
            image, proposals = client.propose_file(tmp_path / name)
            assert proposals.size_hw == image.shape[:2]
            np.testing.assert_array_equal(client.read(str(tmp_path / name)), image)
            np.testing.assert_array_equal(decode(sent[-1]), image)
            as_it_is = sent[-1] == (tmp_path / name).read_bytes()
            assert as_it_is == (name in ("a.png", "a.jpg")) and (as_it_is or sent[-1].startswith(b"\x89PNG"))
        assert (client.read(tmp_path / "a.tif") == pixels).all()
        with pytest.raises(BadImageError, match="over the limit of 599"):
            connect(server, protocol, max_pixels=599, **QUICK).read(tmp_path / "a.png")


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
    model = failing(2, BrokenError(status, "its queue is full"), constant_answer())
    with SERVERS[protocol](model) as server:
        assert len(connect(server, protocol, **QUICK).propose(image())) == 1
        assert model.calls == 3
        model.calls = -1  # fails three times: one too many
        with pytest.raises(UserError, match=r"cannot answer now .*queue is full"):
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


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("host:1", ["insecure", "host:1"]),
        ("http://host:1", ["insecure", "host:1"]),
        ("https://host:1", ["secure", "host:1", "key"]),
    ],
)
def test_grpc_is_encrypted_where_the_address_says_so(server, expected, monkeypatch):
    made = []
    monkeypatch.setattr(grpc, "ssl_channel_credentials", lambda: "key")
    monkeypatch.setattr(grpc, "secure_channel", lambda place, key, options: made.extend(["secure", place, key]))
    monkeypatch.setattr(grpc, "insecure_channel", lambda place, options: made.extend(["insecure", place]))
    _channel(server, 1000)
    assert made == expected


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
        ({"image_hw": np.array([[30, 20]], np.int32)}, r"is 20 x 30 px \(upright\), 30 x 20 on the server"),
    ],
)
def test_answers_of_another_shape(protocol, changes, sentence):
    with SERVERS[protocol](lambda encoded: constant_answer(**changes)) as server:
        client = connect(server, protocol, **QUICK)
        with pytest.raises(UserError, match=sentence):
            client.propose(image())


PAGES = [
    ("<html>", "does not answer with JSON"),
    ("{}", "as TensorFlow Serving"),
    ('{"model_version_status": [{"version": "one", "state": "AVAILABLE"}]}', "as TensorFlow Serving"),
]


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
    for content, sentence in PAGES:
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
        with pytest.raises(UserError, match=r"the array: the request has .* bytes, over the limit of 1000"):
            connect(server, protocol, max_message_bytes=1000, **QUICK).propose(noise)
        with pytest.raises(UserError, match=r"raise (it|the limit) \(--max_mb"):
            connect(server, protocol, max_message_bytes=3000, **QUICK).propose(image())  # the masks alone are 5,292


@pytest.mark.parametrize(("protocol", "missing"), [("rest", "requests"), ("grpc", "grpc")])
def test_what_must_be_installed(protocol, missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    for module in ("ifcn_tf.serving.rest", "ifcn_tf.serving.grpc"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(UserError, match=f"asking a server needs {missing}: pip install 'ifcn-tf\\[serving\\]'"):
        connect("127.0.0.1:1", protocol, **QUICK)


def test_wrong_settings():
    for settings in ({"attempts": 0}, {"timeout": 0.0}, {"version": -1}, {"model": ""}, {"max_message_bytes": 2**31}):
        with pytest.raises(UserError, match=next(iter(settings))):
            connect("127.0.0.1:1", **settings)
    with pytest.raises(UserError, match="protocol must be rest or grpc, not soap"):
        connect("127.0.0.1:1", "soap")
    with pytest.raises(UserError, match="server must be HOST:PORT, not empty"):
        connect("", "grpc")
