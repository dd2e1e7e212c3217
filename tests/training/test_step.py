"""One update: its gradient, weight decay, momentum and precision; and that it can learn."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import InstanceFCNConfig
from ifcn_tf.config.training import LossConfig
from ifcn_tf.images.tensors import resize
from ifcn_tf.models.method import build_network
from ifcn_tf.training.optimizer import MomentumSGD
from ifcn_tf.training.trainer import Trainer
from tests.support.generated_examples import generated_examples
from tests.support.narrow_run import narrow_config, trainer_of


def optimizer_of(variables, momentum=0.9, decay=0.0005):
    optimizer = MomentumSGD(variables, momentum, decay)
    return optimizer, lambda gradients, rate: tf.distribute.get_strategy().run(
        optimizer.apply, ([tf.constant(g) for g in gradients], tf.constant(rate))
    )


def test_weight_decay_is_coupled_and_spares_biases():
    kernel, bias = tf.Variable([[2.0, -4.0]]), tf.Variable([3.0])
    optimizer, apply = optimizer_of([kernel, bias])
    apply([np.zeros((1, 2), np.float32), np.zeros(1, np.float32)], 0.1)
    # Without gradient the kernel moves by lr * 0.0005 * w = 0.1 * 0.0005 * (2, -4), and so does the momentum buffer.
    moved = np.float32(0.1 * 0.0005) * np.array([[2, -4]])
    np.testing.assert_allclose(optimizer.velocities[0], -moved, rtol=1e-6)
    np.testing.assert_allclose(kernel, np.array([[2, -4]]) - moved, rtol=1e-7)
    np.testing.assert_array_equal(bias, [3.0])
    np.testing.assert_array_equal(optimizer.velocities[1], [0.0])


def test_momentum_goes_on():
    bias = tf.Variable([1.0])
    optimizer, apply = optimizer_of([bias])
    apply([np.array([1.0], np.float32)], 0.1)  # v = -0.1, w = 0.9
    apply([np.array([2.0], np.float32)], 0.01)  # v = 0.9 * -0.1 - 0.01 * 2 = -0.11, w = 0.79
    np.testing.assert_allclose(optimizer.velocities[0], [-0.11], rtol=1e-6)
    np.testing.assert_allclose(bias, [0.79], rtol=1e-6)
    assert int(optimizer.step) == 2


def test_accumulation_takes_the_mean_over_images(tmp_path):
    """One step on two images equals plain gradient descent on the mean of their losses, taken one by one."""
    config = narrow_config(4, weight_decay=0.0, momentum=0.0, learning_rates=(0.5,), boundaries=())
    trainer = trainer_of(config, tmp_path)
    before = [variable.numpy() for variable in trainer.network.model.trainable_variables]
    gradients = [image_gradients(trainer.network, element) for element in generated_examples().take(2)]
    report = trainer.run_step()
    for variable, old, *parts in zip(trainer.network.model.trainable_variables, before, *gradients, strict=True):
        np.testing.assert_allclose(variable.numpy(), old - 0.5 * np.mean(parts, 0), rtol=1e-4, atol=1e-6)
    norm = np.sqrt(sum(np.sum(np.mean(parts, 0) ** 2) for parts in zip(*gradients, strict=True)))
    assert report.scalars["gradient_norm"] == pytest.approx(norm, rel=1e-4)


def image_gradients(network, element):
    inputs, targets = tf.nest.map_structure(lambda tensor: tensor[None], element)
    with tf.GradientTape() as tape:
        loss = network.losses(network.model(inputs, training=True), inputs, targets, LossConfig())["loss"]
    return [gradient.numpy() for gradient in tape.gradient(loss, [v.value for v in network.model.trainable_variables])]


def test_learning_rate_changes_at_its_step_whatever_the_accumulation(tmp_path):
    config = narrow_config(4, images_per_step=3, learning_rates=(0.002, 0.001), boundaries=(2,))
    trainer = trainer_of(config, tmp_path)
    rates = [trainer.run_step().scalars["learning_rate"] for _ in range(4)]
    assert rates == [0.002, 0.002, 0.001, 0.001]


def test_frozen_blocks_stay_and_the_others_move(tmp_path):
    trainer = trainer_of(narrow_config(4), tmp_path)
    model = trainer.network.model
    kernels = {layer.name: layer.kernel.numpy() for layer in model.layers if layer.weights}
    trainer.run_step()
    still = {name for name, kernel in kernels.items() if np.array_equal(kernel, model.get_layer(name).kernel)}
    assert still == {"tiny1_conv", "tiny2_conv"}


def test_images_that_cannot_be_shared_out_are_refused(tmp_path):
    class TwoReplicas(tf.distribute.OneDeviceStrategy):
        num_replicas_in_sync = 2

    with pytest.raises(UserError, match="images_per_step = 3 cannot be shared out equally over 2"):
        config = narrow_config(4, images_per_step=3)
        Trainer(config, generated_examples, tmp_path, TwoReplicas("/cpu:0"), lambda network: None)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_image(tmp_path):
    def broken(start, shard, num_shards):
        def spoil(inputs, targets):
            bad = targets["image_id"] == "5"
            return inputs, {**targets, "labels": tf.where(bad, float("nan"), targets["labels"])}

        return generated_examples(start, shard, num_shards).map(spoil)

    trainer = trainer_of(narrow_config(4), tmp_path, broken)
    trainer.run_step(), trainer.run_step()
    before = trainer.network.model.get_weights()
    with pytest.raises(UserError, match=r"step 3 .*objectness_loss = nan, mask_loss = .*\(image 5\)") as error:
        trainer.run_step()
    assert "image 4" not in str(error.value)
    assert all(np.array_equal(a, b) for a, b in zip(before, trainer.network.model.get_weights(), strict=True))


def test_another_workers_loss_stops_this_one_before_the_update(tmp_path):
    trainer = trainer_of(narrow_config(4), tmp_path)
    before = trainer.network.model.get_weights()
    trainer.any_worker = lambda flag: True
    with pytest.raises(UserError, match="step 1 is not finite: another worker names the image"):
        trainer.run_step()
    assert all(np.array_equal(a, b) for a, b in zip(before, trainer.network.model.get_weights(), strict=True))


def test_a_gradient_that_is_not_finite_stops_the_run_with_the_losses(tmp_path):
    trainer = trainer_of(narrow_config(4), tmp_path)
    trainer.run_step()
    trainer._step.update = lambda rate: trainer._optimizer.step.assign_add(1) and float("inf")
    (tmp_path / "last").mkdir()
    (tmp_path / "last" / "model.weights.h5").touch()
    expected = rf"step 2 .*mask_loss = .*gradient_norm = inf \(image 2\).*--weights={tmp_path}/last/model.weights.h5"
    with pytest.raises(UserError, match=expected):
        trainer.run_step()


def test_bfloat16_gradients_point_the_same_way(coco_root, backbone_weights):
    image = tf.io.decode_jpeg(tf.io.read_file(str(next(iter(sorted((coco_root / "val2017").glob("*.jpg")))))), 3)
    windows = np.stack(np.mgrid[0:16:2, 0:16:2], -1).reshape(-1, 2)
    inside = (np.hypot(*(np.mgrid[:21, :21] - 10)) < 8).astype(np.float32)
    labels = (np.arange(64) % 2).astype(np.float32)
    element = (
        {"image": resize(image, 120, 160), "windows": tf.constant(windows, tf.int32)},
        {"labels": labels, "weights": np.ones(64, np.float32), "masks": inside * labels[:, None, None]},
    )
    gradients = []
    for precision in ("float32", "bfloat16"):
        network = build_network(InstanceFCNConfig(), precision)
        network.trunk.load_imagenet(network.model, str(backbone_weights))
        network.freeze(2)
        gradients.append(image_gradients(network, element))
    for variable, exact, rounded in zip(network.model.trainable_variables, *gradients, strict=True):
        cosine = np.sum(exact * rounded) / np.sqrt(np.sum(exact**2) * np.sum(rounded**2))
        assert cosine > 0.99, variable.path
