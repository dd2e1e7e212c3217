"""Exported models: the same answers eagerly, reloaded, and through the loader and messages of servers."""

import dataclasses
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.benchmarks.timing import peak_bytes, resident_gib
from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.images.tensors import decode
from ifcn_tf.predictor import Predictor, load_saved_model
from ifcn_tf.saved_model.export import export
from ifcn_tf.saved_model.signatures import ServingConfig
from tests.support.exported import (
    CONFIG,
    MAX_PIXELS,
    SAMPLE,
    encoded,
    exif,
    model_folder,
    narrow_network,
    scene,
    session,
)

SIZES_HW = ((240, 320), (333, 211), (60, 480), (1, 1))
ARRAYS = ("scores", "boxes_yxyx", "windows_yxyx", "mask_logits")


@pytest.fixture(scope="module")
def photographs():
    """Encoded images of several sizes, and their pixels as `Predictor` reads them."""
    contents = [encoded(scene(i, size), "PNG") for i, size in enumerate(SIZES_HW)]
    contents += [encoded(scene(9, (120, 200)), exif=exif(6, ">")), SAMPLE.read_bytes()]
    return contents, [decode(tf.constant(c)).numpy() for c in contents]


@pytest.fixture(scope="module")
def predictor():
    return Predictor.of_network(narrow_network(), CONFIG)


@pytest.fixture(scope="module")
def reloaded():
    return tf.saved_model.load(str(model_folder() / "1"))


def arrays(answer):
    return {name: np.asarray(value) for name, value in answer.items()}


def test_bytes_give_the_eager_proposals(photographs, predictor, reloaded):
    """A batch of five sizes, one of them turned by EXIF: padded with zeros, and otherwise equal to `Proposer` alone."""
    contents, pixels = photographs
    pixels[4] = np.rot90(pixels[4], -1)  # orientation 6 is turned clockwise
    by_session = session()(image_bytes=contents)
    by_reload = arrays(reloaded.signatures["serving_default"](image_bytes=tf.constant(contents)))
    assert by_session.keys() == by_reload.keys()
    for name, value in by_reload.items():
        np.testing.assert_array_equal(by_session[name], value, err_msg=name)
    assert set(by_reload["error"].tolist()) == {b""}
    for i, image in enumerate(pixels):
        expected = arrays(predictor._graph(tf.constant(image)))
        count = by_reload["num_proposals"][i]
        assert count == len(expected["scores"]) > 0
        assert by_reload["image_hw"][i].tolist() == list(image.shape[:2])
        for name in ARRAYS:
            np.testing.assert_allclose(by_reload[name][i, :count], expected[name], rtol=1e-5, atol=1e-5, err_msg=name)
            assert not by_reload[name][i, count:].any()
    np.testing.assert_allclose(by_reload["mask_threshold"], 0.45)
    np.testing.assert_allclose(by_reload["min_area"], 0)


def test_some_images_have_fewer_proposals_than_n(photographs):
    """Else the padding above would be tested by nothing."""
    counts = session()(image_bytes=photographs[0])["num_proposals"]
    assert counts.min() < CONFIG.num_proposals == counts.max()


def test_pixels_give_what_their_bytes_give():
    images = np.stack([scene(i, (100, 140)) for i in range(3)])
    by_pixels = session()("image_tensor", image_tensor=images)
    by_bytes = session()(image_bytes=[encoded(image, "PNG") for image in images])
    for name, value in by_bytes.items():
        np.testing.assert_array_equal(by_pixels[name], value, err_msg=name)


def test_score_maps_are_those_of_the_network():
    images = np.stack([scene(i, (90, 133)) for i in range(2)])
    found = session()("score_maps", image_tensor=images)
    features = tf.function(narrow_network().window_model(CONFIG).features)
    expected = features(tf.constant(images, tf.float32))
    assert found["score_maps"].shape == (2, 12, 17, 25)
    np.testing.assert_allclose(found["score_maps"], expected["score_maps"], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found["objectness_logits"], expected["objectness_logits"], rtol=1e-4, atol=1e-4)


def test_a_bad_image_does_not_keep_the_others_from_their_answers():
    good, large = encoded(scene(0, (80, 100))), encoded(scene(0, (481, 640)), "PNG")
    contents = [good, good[:600], b"", b"GIF89a", large, good]
    answer = session()(image_bytes=contents)
    assert [sentence.decode() for sentence in answer["error"]] == [
        "",
        "image 2 of the batch is damaged or cut off: it cannot be decoded.",
        "image 3 of the batch is empty.",
        "image 4 of the batch is no JPEG or PNG image.",
        f"image 5 of the batch has 640 x 481 pixels, over the limit of {MAX_PIXELS}.",
        "",
    ]
    assert (answer["num_proposals"] > 0).tolist() == [True, False, False, False, False, True]
    alone = session()(image_bytes=[good])
    for name in ARRAYS:
        assert not answer[name][1:5].any()
        np.testing.assert_array_equal(answer[name][5], alone[name][0])
    every_one_bad = session()(image_bytes=contents[1:5])
    assert every_one_bad["num_proposals"].tolist() == [0] * 4
    assert all(every_one_bad["error"])


def test_an_empty_batch_fails_with_one_sentence(reloaded):
    no_bytes, no_pixels = {"image_bytes": np.zeros(0, "S1")}, {"image_tensor": np.zeros((0, 8, 8, 3), np.uint8)}
    for name, inputs in (("serving_default", no_bytes), ("image_tensor", no_pixels), ("score_maps", no_pixels)):
        tensors = {key: tf.constant(value) for key, value in inputs.items()}
        for ask in (lambda n, x, _: session()(n, **x), lambda n, _, x: reloaded.signatures[n](**x)):
            with pytest.raises(tf.errors.InvalidArgumentError, match="the batch is empty: send at least one image"):
                ask(name, inputs, tensors)


def test_pixels_are_limited_too():
    for shape, sentence in (
        ((2, 0, 5, 3), "image 2 of the batch is empty."),
        ((2, 481, 640, 3), f"image 2 of the batch has more pixels than the limit of {MAX_PIXELS}."),
    ):
        answer = session()("image_tensor", image_tensor=np.zeros(shape, np.uint8))
        assert answer["error"][1].decode() == sentence
        assert answer["num_proposals"].tolist() == [0, 0]


def test_score_maps_are_limited_too():
    for shape in ((2, 241, 640, 3), (1, 0, 5, 3), (1, 5, 0, 3)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"score_maps takes 1 to {MAX_PIXELS} pixels at once"):
            session()("score_maps", image_tensor=np.zeros(shape, np.uint8))


def test_probabilities_instead_of_logits(tmp_path, predictor):
    version = export(narrow_network(), CONFIG, tmp_path, ServingConfig(masks="probabilities"))
    answer = arrays(
        tf.saved_model.load(str(version)).signatures["image_tensor"](image_tensor=predictor.read(SAMPLE)[None])
    )
    assert "mask_logits" not in answer
    logits = session()(image_bytes=[SAMPLE.read_bytes()])["mask_logits"]
    expected = 1 / (1 + np.exp(-np.maximum(logits, -80)))
    assert 0.2 < expected.mean() < 0.8
    assert 1 < logits.max() < 15  # beyond, float32 has no probability other than 1
    np.testing.assert_allclose(answer["mask_probabilities"], expected, atol=1e-5)
    # Back to logits, whoever pastes them gets the same masks.
    found, wanted = load_saved_model(tmp_path).propose(SAMPLE), predictor.propose(SAMPLE)
    np.testing.assert_allclose(found.areas(), wanted.areas(), atol=3)
    with pytest.raises(UserError, match='masks must be "logits" or "probabilities"'):
        ServingConfig(masks="pictures")


def test_masks_follow_the_picture_in_exported_models_too(tmp_path):
    config = dataclasses.replace(CONFIG, edge_samples=2)
    here = Predictor.of_network(narrow_network(), config)
    served = load_saved_model(export(narrow_network(), config, tmp_path, ServingConfig(max_pixels=MAX_PIXELS)).parent)
    image = scene(3, (120, 200))
    expected, found = here.propose(image), served.propose(image)
    assert found.rles == expected.rles
    assert expected.rles != Predictor.of_network(narrow_network(), CONFIG).propose(image).rles


def test_stock_operations_alone():
    """No Python function, no custom operation, and no operation that only reads this machine's files."""
    graph = session().meta_graph.graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    operations = {node.op for node in nodes}
    assert {"DecodeImage", "NonMaxSuppressionV4"} <= operations
    assert not {name for name in operations if "Py" in name or name in ("ReadFile", "Print", "PrintV2")}
    functions = {function.signature.name for function in graph.library.function}
    stock = set(tf.raw_ops.__dict__)
    assert operations - functions - stock == set()


def test_predictor_from_a_saved_model(predictor):
    loaded = load_saved_model(model_folder())
    assert loaded.settings == predictor.settings
    expected, found = predictor.propose(SAMPLE), loaded.propose(SAMPLE)
    assert found.rles == expected.rles
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)
    assert loaded.max_pixels == MAX_PIXELS
    with pytest.raises(BadImageError, match="more pixels than the limit"):
        loaded.propose(np.zeros((481, 640, 3), np.uint8))


def test_what_is_no_exported_model(tmp_path):
    with pytest.raises(UserError, match=r"there is no model in .*absent that `ifcn-tf export` wrote"):
        load_saved_model(tmp_path / "absent")
    shutil.copytree(model_folder() / "1", tmp_path / "damaged")
    (tmp_path / "damaged" / "saved_model.pb").write_bytes(b"cut off")
    with pytest.raises(UserError, match="damaged, and cannot be loaded"):
        load_saved_model(tmp_path / "damaged")
    (tmp_path / "1").mkdir()
    with pytest.raises(UserError, match=r"there is no model in .*1 that"):
        load_saved_model(tmp_path)


def test_memory_stays_bounded():
    """A short form of what the benchmark measures over 500 requests: sizes at random, most of them new.

    TensorFlow keeps something of every new size, 0.1 MB here; a leak of 2 MB a request fails.
    """
    rng = np.random.default_rng(0)
    after = []
    for count in (60, 30):
        for _ in range(count):
            session()(image_bytes=[encoded(rng.integers(0, 255, (*rng.integers(16, 200, 2), 3), np.uint8))])
        after.append(resident_gib())
    assert after[1] - after[0] < 0.05


def test_the_peak_of_a_child_is_its_own():
    """This process holds TensorFlow, and the child holds nothing; `getrusage` would count the parent's memory in it."""
    program = "from ifcn_tf.benchmarks.timing import peak_bytes; print(peak_bytes())"
    done = subprocess.run([sys.executable, "-c", program], cwd=SAMPLE.parents[2], capture_output=True, text=True)
    assert 2**20 < int(done.stdout) < peak_bytes() / 3
    assert peak_bytes() / 2**30 >= resident_gib() > 0.2
