"""Masks at image size in a served graph: those that `masks.paste` makes, and none that would exhaust a server."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcn_tf.masks.paste import paste
from ifcn_tf.masks.rle import decode
from ifcn_tf.saved_model import full_masks
from ifcn_tf.saved_model.full_masks import pack_batch
from ifcn_tf.saved_model.signatures import ServingConfig, ServingModule
from tests.support.exported import CONFIG, encoded, narrow_network, scene, session

SIZES_HW = ((240, 320), (333, 211), (60, 480), (1, 1))


def test_full_masks_are_the_pasted_ones():
    """Sizes differ within the batch, so each mask lies in the top left of its canvas, and nothing lies beside it."""
    answer = session()(image_bytes=[encoded(scene(i, size), "PNG") for i, size in enumerate(SIZES_HW)])
    height, width = answer["image_hw"].max(0)
    assert answer["full_masks_packed"].shape == (4, CONFIG.num_proposals, height, -(-width // 8))
    for i, count in enumerate(answer["num_proposals"]):
        h, w = answer["image_hw"][i]
        logits, windows = answer["mask_logits"][i, :count], answer["windows_yxyx"][i, :count]
        expected = decode(paste(logits, windows, (h, w), CONFIG.mask_threshold), (h, w))
        full = np.unpackbits(answer["full_masks_packed"][i], axis=-1)
        assert (full[:count, :h, :w] != expected).mean() < 1e-5
        assert full.sum() == full[:count, :h, :w].sum() > 0


@given(size_hw=st.tuples(st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_any_window_is_pasted_alike(size_hw, seed):
    """Windows of any place and size, most of them overhanging the image."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-60, 40, (4, 2)).astype(np.float32)
    windows = np.concatenate([corners, corners + rng.uniform(21, 90, (4, 2)).astype(np.float32)], 1)
    logits = rng.normal(0, 2, (4, 21, 21)).astype(np.float32)
    answers = {
        "mask_logits": logits,
        "windows_yxyx": windows,
        "num_proposals": np.int32(3),
        "image_hw": np.int32(size_hw),
    }
    tensors = {name: tf.constant(value[None]) for name, value in answers.items()}
    packed = PACK({**tensors, "scores": tf.zeros([1, 4])}).numpy()[0]
    full = np.unpackbits(packed, axis=-1)[:, :, : size_hw[1]].astype(bool)
    expected = decode(paste(logits, windows, size_hw, 0.4), size_hw)
    assert (full[:3] != expected[:3]).sum() <= 1  # a pixel on the threshold itself
    assert not full[3].any()


PACK = tf.function(lambda answers: pack_batch(answers, 0.4), reduce_retracing=True)


def empty_answers(*sizes_hw, count=3):
    """Answers without proposals of images of some sizes."""
    batch = len(sizes_hw)
    return {
        "mask_logits": tf.zeros([batch, count, 21, 21]),
        "windows_yxyx": tf.zeros([batch, count, 4]),
        "num_proposals": tf.zeros([batch], tf.int32),
        "image_hw": tf.constant(sizes_hw),
        "scores": tf.zeros([batch, count]),
    }


def test_full_masks_that_would_not_fit_are_refused_before_they_are_painted():
    """Two long images share a canvas that neither has alone: 100,000 x 12,500 bytes for each of six masks."""
    with pytest.raises(tf.errors.InvalidArgumentError, match="send fewer or smaller images at once"):
        PACK(empty_answers((1, 100_000), (100_000, 1)))
    graph = tf.function(lambda: pack_batch(empty_answers((1, 9), (9, 1)), 0.4)).get_concrete_function().graph
    (loop,) = (op for op in graph.get_operations() if "While" in op.type)
    assert "Assert" in {op.type for op in everything_before(loop)}


def everything_before(operation):
    """All that has to run before an operation of a graph does."""
    found, waiting = set(), [operation]
    while waiting:
        op = waiting.pop()
        before = {*op.control_inputs, *(tensor.op for tensor in op.inputs)} - found
        found |= before
        waiting += before
    return found


def test_an_image_too_large_for_full_masks_is_answered_so(monkeypatch):
    """10 x 1,000 px take 10 * 125 * 20 bytes for 20 masks, and 160,000 to paint; the other images have their answer."""
    monkeypatch.setattr(full_masks, "MAX_BYTES", 150_000)
    module = ServingModule(narrow_network(), CONFIG, ServingConfig(full_masks=True))
    small, long = scene(0, (60, 70)), scene(1, (10, 1000))
    answer = module.signatures()["serving_default"](tf.constant([encoded(small), encoded(long)]))
    sentence = "image 2 of the batch is too large for 20 masks at image size, which would take over 150000 bytes."
    assert [text.decode() for text in answer["error"].numpy()] == ["", sentence]
    assert answer["image_hw"].numpy().tolist() == [[60, 70], [0, 0]]
    assert answer["num_proposals"].numpy().tolist()[1] == 0 < answer["num_proposals"].numpy()[0]
    assert answer["full_masks_packed"].shape == (2, 20, 60, 9)
