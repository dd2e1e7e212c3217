"""The loss by hand."""

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.training import LossConfig
from ifcn_tf.models.deepmask.loss import crop_losses, crop_statistics

CONFIG = LossConfig(mask_weight=1.0, objectness_weight=1 / 32)


def example(trains_masks, label=1.0, weight=1.0):
    """Masks of 2 x 2 cells whose logits are 0 on the left and 2 on the right, the target of 4 x 4 px 1 on the right."""
    target = np.zeros((1, 1, 4, 4), np.float32)
    target[..., 2:] = label
    outputs = {
        "objectness_logits": tf.constant([[1.5]]),
        "mask_logits": tf.constant([[[[0.0, 2.0], [0.0, 2.0]]]]),
    }
    return outputs, {
        "labels": tf.constant([[label]]),
        "weights": tf.constant([[weight]]),
        "masks": tf.constant(target),
        "trains_masks": tf.constant([trains_masks]),
    }


def test_the_mask_term_is_the_mean_over_the_pixels_of_the_interpolated_logits():
    """Pixel centres are a quarter of a cell from those of the cells: logits 0, 0.5, 1.5, 2 along a row."""
    expected = np.mean(np.logaddexp(0, [0.0, 0.5, -1.5, -2.0]))
    losses = crop_losses(*example(1.0), CONFIG)
    assert float(losses["mask_loss"]) == pytest.approx(expected, rel=1e-6)
    assert float(losses["loss"]) == pytest.approx(expected, rel=1e-6)
    assert losses["objectness_loss"] == 0


@pytest.mark.parametrize(("label", "sign"), [(1.0, -1), (0.0, 1)])
def test_the_score_term_counts_a_32nd(label, sign):
    losses = crop_losses(*example(0.0, label), CONFIG)
    expected = np.logaddexp(0, sign * 1.5)
    assert float(losses["objectness_loss"]) == pytest.approx(expected, rel=1e-6)
    assert float(losses["loss"]) == pytest.approx(expected / 32, rel=1e-6)
    assert losses["mask_loss"] == 0


@pytest.mark.parametrize("trains_masks", [0.0, 1.0])
def test_a_crop_that_was_not_found_trains_nothing(trains_masks):
    assert crop_losses(*example(trains_masks, label=0.0, weight=0.0), CONFIG)["loss"] == 0


def test_a_negative_crop_trains_no_mask():
    assert crop_losses(*example(1.0, label=0.0), CONFIG)["loss"] == 0


def test_statistics_by_hand():
    found = crop_statistics(*example(1.0))
    # Logits of 0 and more cover the whole crop, of which half is object.
    expected = {"positives": 1, "negatives": 0, "positive_score": 1 / (1 + np.exp(-1.5)), "negative_score": 0}
    assert {name: float(value) for name, value in found.items()} == pytest.approx({**expected, "mask_iou": 0.5})


def test_settings_of_another_loss_are_refused():
    with pytest.raises(UserError, match=r"^loss\.normalization must be mean"):
        crop_losses(*example(1.0), LossConfig(normalization="literal"))
