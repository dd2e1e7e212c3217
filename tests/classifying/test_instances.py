"""Which proposals are instances, and how their masks vote: problems done by hand."""

import numpy as np
import tensorflow as tf
from scipy.special import expit

from ifcn_tf.classifying.instances import iou, select, voted
from ifcn_tf.config.classifying import ClassifyingConfig

#: Of the second with the first the IoU is .6, of the third with either 0.
PLACES = np.array([[0, 0, 10, 10], [0, 0, 10, 6], [20, 20, 30, 30]], np.float32)
BOXES = tf.constant(np.tile(PLACES[:, None], (1, 2, 1)))


def selected(scores, boxes=BOXES, **settings):
    number, label = select(tf.constant(scores, tf.float32), boxes, ClassifyingConfig(**settings))
    return list(zip(number.numpy().tolist(), label.numpy().tolist(), strict=True))


def test_overlap_suppresses_within_a_class_alone():
    scores = [[0.9, 0.05], [0.8, 0.7], [0.3, 0.0]]
    assert selected(scores) == [(0, 0), (1, 1), (2, 0)]  # (1, 0) and (0, 1) overlap better ones of their class
    assert selected(scores, nms_iou=0.7) == [(0, 0), (1, 0), (1, 1), (2, 0), (0, 1)]
    assert selected(scores, num_instances=2) == [(0, 0), (1, 1)]
    assert selected(scores, min_score=0.5) == [(0, 0), (1, 1)]


def test_a_box_refined_for_a_class_is_what_overlaps():
    moved = BOXES.numpy()
    moved[1, 0] = [0, 50, 10, 60]
    assert selected([[0.9, 0.0], [0.8, 0.0], [0.0, 0.0]], tf.constant(moved)) == [(0, 0), (1, 0)]


def test_no_proposal_is_no_instance():
    assert selected(np.zeros((0, 2)), BOXES[:0]) == []


def votes(scores, logits, **settings):
    """The mean probability of each instance of the one class there is."""
    config, size = ClassifyingConfig(**settings), tf.constant([100, 100])
    count = len(scores)
    boxes, scores = BOXES[:count, :1], tf.constant(scores, tf.float32)[:, None]
    windows = tf.tile(tf.constant([[0.0, 0, 40, 40]]), [count, 1])
    masks = tf.constant(logits, tf.float32)[:, None, None] * tf.ones([count, 4, 4])
    chosen = select(scores, boxes, config)
    found = voted({"windows_yxyx": windows, "mask_logits": masks}, scores, boxes, chosen, size, config).numpy()
    threshold = np.log(config.voting_threshold / (1 - config.voting_threshold))
    return expit(found + threshold)


def test_masks_that_overlap_vote_by_their_scores():
    means = votes([0.9, 0.3, 0.5], [2.0, -1.0, 1.0])
    assert means.shape == (2, 4, 4)  # the second is suppressed, but votes for the first
    np.testing.assert_allclose(means[0], (0.9 * expit(2) + 0.3 * expit(-1)) / 1.2, rtol=1e-4)
    np.testing.assert_allclose(means[1], expit(1), rtol=1e-4)


def test_those_that_overlap_less_do_not():
    np.testing.assert_allclose(votes([0.9, 0.3], [2.0, -1.0], voting_iou=0.61)[0], expit(2), rtol=1e-4)


def test_the_threshold_is_where_logits_are_0():
    """Mean .5 is above a threshold of .4, and below one of .6."""
    scores, boxes = tf.constant([[1.0]]), BOXES[:1, :1]
    proposals = {"windows_yxyx": tf.constant([[0.0, 0, 10, 10]]), "mask_logits": tf.zeros([1, 4, 4])}
    for threshold, sign in ((0.4, 1), (0.6, -1)):
        config = ClassifyingConfig(voting_threshold=threshold)
        chosen = select(scores, boxes, config)
        found = voted(proposals, scores, boxes, chosen, tf.constant([10, 10]), config)
        assert (np.sign(found) == sign).all()


def test_a_vote_counts_where_its_own_window_lies():
    """The window of the second is the upper half of the first's."""
    config, boxes = ClassifyingConfig(), tf.constant(np.tile(PLACES[:1, None], (2, 1, 1)))
    scores = tf.constant([[0.6], [0.4]])
    windows = tf.constant([[0.0, 0, 8, 8], [0, 0, 4, 8]])
    proposals = {"windows_yxyx": windows, "mask_logits": tf.fill([2, 4, 4], 3.0)}
    found = voted(proposals, scores, boxes, select(scores, boxes, config), tf.constant([8, 8]), config)[0]
    means = expit(found.numpy() + np.log(0.4 / 0.6))
    np.testing.assert_allclose(means[:2], expit(3.0), rtol=1e-4)
    np.testing.assert_allclose(means[2:], 0.6 * expit(3.0), rtol=1e-4)


def test_iou_by_hand():
    boxes = tf.constant([[0.0, 0, 2, 2], [0, 0, 0, 0]])
    np.testing.assert_allclose(iou(boxes[:, None], boxes), [[1, 0], [0, 0]])
    np.testing.assert_allclose(iou(boxes[0], tf.constant([1.0, 1, 3, 3])), 1 / 7, rtol=1e-6)
