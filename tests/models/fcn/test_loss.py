"""The loss of pixels, by numbers done by hand."""

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.classes import VOID
from ifcn_tf.common.files import UserError
from ifcn_tf.config.training import LossConfig
from ifcn_tf.models.fcn.loss import pixel_losses, pixel_statistics

#: Two images of two pixels, two classes: the odds of class 1 are 1 and 3, then 1 and 7, of which the last is void.
SCORES = {"scores": tf.constant(np.log([[[[1.0, 1.0], [1.0, 3.0]]], [[[1.0, 1.0], [1.0, 7.0]]]]), tf.float32)}
CLASSES = {"classes": tf.constant([[[1, 0]], [[0, VOID]]])}


def test_the_loss_is_the_mean_over_images_of_means_over_pixels_that_count():
    """Image 1: log 2 and log 4, 1.5 log 2 in the mean. Image 2: log 2 of the pixel that counts."""
    losses = pixel_losses(SCORES, CLASSES, LossConfig())
    assert float(losses["loss"]) == float(losses["pixel_loss"]) == pytest.approx(1.25 * np.log(2))


def test_statistics_leave_void_pixels_out():
    """Ties go to class 0: answers 0 and 1 in image 1, both wrong; 0 in image 2, right."""
    found = pixel_statistics(SCORES, CLASSES)
    assert float(found["pixel_accuracy"]) == 0.5
    assert float(found["object_share"]) == 0.25


def test_an_image_without_a_pixel_that_counts_adds_nothing():
    void = {"classes": tf.fill([2, 1, 2], VOID)}
    with tf.GradientTape() as tape:
        tape.watch(SCORES["scores"])
        loss = pixel_losses(SCORES, void, LossConfig())["loss"]
    assert float(loss) == 0
    assert not np.any(tape.gradient(loss, SCORES["scores"]))


def test_settings_of_other_losses_are_refused():
    with pytest.raises(UserError, match=r"loss\.normalization must be mean"):
        pixel_losses(SCORES, CLASSES, LossConfig(normalization="literal"))
