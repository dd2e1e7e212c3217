"""The loss on windows worked out by hand, and what it leaves out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.config.training import LossConfig
from ifcn_tf.geometry import OUTSIDE_LOGIT, WindowGrid
from ifcn_tf.models.instance_fcn.loss import cells_on_map, window_losses, window_statistics

#: Cross-entropy of a logit of +-log 3 (probability .75 or .25) when it is right, and when it is wrong.
RIGHT, WRONG = -math.log(0.75), -math.log(0.25)
LOGIT = math.log(3)
GRID = WindowGrid()


def losses(windows, labels, weights, objectness, mask_logits, masks, image_hw=(400, 400), config=LossConfig()):  # noqa: B008
    count = len(windows)
    outputs = {
        "objectness_logits": tf.constant([objectness], tf.float32),
        "mask_logits": tf.constant(np.reshape(mask_logits, (1, count, 21, 21)), tf.float32),
    }
    inputs = {"image": tf.zeros((1, *image_hw, 3)), "windows": tf.constant([windows], tf.int32)}
    targets = {
        "labels": tf.constant([labels], tf.float32),
        "weights": tf.constant([weights], tf.float32),
        "masks": tf.constant(np.reshape(masks, (1, count, 21, 21)), tf.float32),
    }
    return {name: float(value) for name, value in window_losses(outputs, inputs, targets, config, GRID).items()}


def grids(*values):
    return np.stack([np.full((21, 21), value) for value in values])


def test_positive_negative_and_padding():
    # Positive: objectness right, mask logits +log 3 against a target of 1 in 10 of 21 rows: 210 right, 231 wrong.
    # Negative: objectness wrong; its mask, wildly wrong, has no target. Padding: wrong everywhere, counts nowhere.
    masks = grids(0, 0, 0)
    masks[0, :10] = 1
    found = losses([(25, 25), (20, 20), (0, 0)], [1, 0, 0], [1, 1, 0], [LOGIT, LOGIT, 50], grids(LOGIT, 99, 99), masks)
    objectness, mask = (RIGHT + WRONG) / 2, (210 * RIGHT + 231 * WRONG) / 441
    assert found["objectness_loss"] == pytest.approx(objectness, rel=1e-5)
    assert found["mask_loss"] == pytest.approx(mask, rel=1e-5)
    assert found["loss"] == pytest.approx(objectness + 2 * mask, rel=1e-5)


def test_cells_outside_the_map_do_not_count():
    # An image of 170 x 100 px has a map of 22 x 13 cells. The window at (3, 2) covers rows -7..13, columns -8..12, so
    # 14 x 13 = 182 cells lie on the map. Their logits are right; those outside are OUTSIDE_LOGIT where the target is 1.
    logits, masks = grids(OUTSIDE_LOGIT), grids(1)
    logits[0, 7:, 8:] = LOGIT
    found = losses([(3, 2)], [1], [1], [LOGIT], logits, masks, image_hw=(170, 100))
    assert found["mask_loss"] == pytest.approx(RIGHT, rel=1e-5)
    assert int(np.sum(cells_on_map(tf.constant([[3, 2]]), 22, 13, 21))) == 182


def test_an_overhanging_window_weighs_by_its_cells():
    # One whole window (441 cells, right) and the one above (182 cells, wrong): the mean is over 623 pixels.
    logits = grids(LOGIT, LOGIT)
    found = losses([(11, 11), (39, 42)], [1, 1], [1, 1], [0, 0], logits, grids(1, 0), image_hw=(368, 400))
    # Map 46 x 50: the second window covers rows 29..49 (17 on the map) and columns 32..52 (18 on the map).
    cells = 17 * 18
    assert found["mask_loss"] == pytest.approx((441 * RIGHT + cells * WRONG) / (441 + cells), rel=1e-5)


def test_no_positive_and_no_window_at_all():
    negative = losses([(5, 5)], [0], [1], [-LOGIT], grids(3), grids(0))
    assert negative["objectness_loss"] == pytest.approx(RIGHT, rel=1e-5)
    assert negative["mask_loss"] == 0
    nothing = losses([(0, 0)], [0], [0], [9], grids(3), grids(0))
    assert nothing == {"loss": 0, "objectness_loss": 0, "mask_loss": 0}


def test_a_window_that_counts_less_leaves_the_others_as_they_were():
    """The mean is over windows, not over weights: else a photograph of such windows alone would count as any other."""
    found = losses(
        [(25, 25), (20, 20), (0, 0)], [1, 0, 0], [1, 0.25, 0], [LOGIT, LOGIT, 9], grids(LOGIT, 0, 0), grids(1, 0, 0)
    )
    assert found["objectness_loss"] == pytest.approx((RIGHT + WRONG / 4) / 2, rel=1e-5)
    assert found["mask_loss"] == pytest.approx(RIGHT, rel=1e-5)
    alone = losses([(5, 5), (6, 6)], [0, 0], [0.25, 0.25], [LOGIT, LOGIT], grids(3, 3), grids(0, 0))
    assert alone["objectness_loss"] == pytest.approx(WRONG / 4, rel=1e-5)


def test_literal_normalisation_divides_both_sums_by_the_windows():
    config = LossConfig(mask_weight=1, normalization="literal")
    found = losses([(25, 25), (20, 20)], [1, 0], [1, 1], [LOGIT, -LOGIT], grids(LOGIT, 0), grids(1, 0), config=config)
    assert found["objectness_loss"] == pytest.approx(RIGHT, rel=1e-5)
    assert found["mask_loss"] == pytest.approx(441 * RIGHT / 2, rel=1e-5)
    assert found["loss"] == pytest.approx(RIGHT + 441 * RIGHT / 2, rel=1e-5)


def cross_entropy(target, probability):
    return -target * math.log(probability) - (1 - target) * math.log(1 - probability)


def test_objectness_toward_the_iou_of_the_own_mask():
    """IoU 7 / 14 and 1; negatives stay at 0, whatever their mask is, and windows without a common cell fall to it."""
    masks, config = grids(0, 0, 1, 0), LossConfig(objectness_target="iou")
    masks[0, :14], masks[1, :7], masks[2, 7:] = 1, 1, 0
    logits = grids(-1, -1, -1, 1)
    logits[0, :7], logits[1, :7], logits[2, 7:] = 1, 1, 1
    windows, labels, objectness = [(25, 25), (20, 20), (15, 15), (30, 30)], [1, 1, 1, 0], [LOGIT] * 4
    found = losses(windows, labels, [1] * 4, objectness, logits, masks, config=config)
    expected = [cross_entropy(iou, 0.75) for iou in (0.5, 1, 0, 0)]
    assert found["objectness_loss"] == pytest.approx(np.mean(expected), rel=1e-5)
    plain = losses(windows, labels, [1] * 4, objectness, logits, masks)
    assert plain["objectness_loss"] == pytest.approx((3 * RIGHT + WRONG) / 4, rel=1e-5)
    assert found["mask_loss"] == plain["mask_loss"]


def test_no_gradient_of_objectness_reaches_the_mask():
    mask_logits, masks = tf.constant(grids(1.0)[None], tf.float32), tf.ones((1, 1, 21, 21))
    inputs = {"image": tf.zeros((1, 400, 400, 3)), "windows": tf.constant([[(25, 25)]])}
    targets = {"labels": tf.ones((1, 1)), "weights": tf.ones((1, 1)), "masks": masks}
    config = LossConfig(mask_weight=0, objectness_target="iou")
    with tf.GradientTape() as tape:
        tape.watch(mask_logits)
        outputs = {"objectness_logits": tf.zeros((1, 1)), "mask_logits": mask_logits}
        loss = window_losses(outputs, inputs, targets, config, GRID)["loss"]
    assert not np.any(tape.gradient(loss, mask_logits)) and loss > 0


def statistics(windows, labels, objectness, mask_logits, masks, image_hw=(400, 400)):
    outputs = {"objectness_logits": tf.constant([objectness]), "mask_logits": tf.constant(mask_logits[None])}
    inputs = {"image": tf.zeros((1, *image_hw, 3)), "windows": tf.constant([windows])}
    targets = {
        "labels": tf.constant([labels], tf.float32),
        "weights": tf.ones([1, len(labels)]),
        "masks": tf.constant(masks[None], tf.float32),
    }
    return {name: float(value) for name, value in window_statistics(outputs, inputs, targets, GRID).items()}


def test_statistics_of_windows():
    masks = grids(0, 0, 0)
    masks[0, :14], masks[1, :7] = 1, 1
    logits = grids(-1, -1, 1)
    logits[0, :7], logits[1, :7] = 1, 1  # IoU 7 / 14 and 1
    found = statistics([(25, 25), (20, 20), (30, 30)], [1, 1, 0], [LOGIT, LOGIT, -LOGIT], logits, masks)
    expected = {"positives": 2, "negatives": 1, "positive_score": 0.75, "negative_score": 0.25, "mask_iou": 0.75}
    assert found == pytest.approx(expected, rel=1e-5)


def test_mask_iou_is_that_of_the_cells_on_the_map():
    # An image of 170 x 100 px has a map of 22 x 13 cells, of which the window at (3, 2) shows rows 0..13 in its rows
    # 7..20 and all columns in its columns 8..20. Target: its columns 0..13; found: 8..19, and nothing outside the map.
    # On the map 6 of 12 columns are in both.
    masks, logits = grids(0), grids(OUTSIDE_LOGIT)
    masks[0, :, :14] = 1
    logits[0, 7:, 8:20] = LOGIT
    found = statistics([(3, 2)], [1], [LOGIT], logits, masks, image_hw=(170, 100))
    assert found["mask_iou"] == pytest.approx(6 / 12, rel=1e-5)
    # The other way round: logits outside of the map are no prediction, whatever they are.
    logits[0, :7], logits[0, :, :8] = LOGIT, LOGIT
    found = statistics([(3, 2)], [1], [LOGIT], logits, masks, image_hw=(170, 100))
    assert found["mask_iou"] == pytest.approx(6 / 12, rel=1e-5)
