"""The rules by which gradients change weights, by hand; and that the paper's is the default, to the bit."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.training.optimizer import AdamW, MomentumSGD
from ifcn_tf.training.step import TrainStep
from tests.support.generated_examples import generated_examples
from tests.support.narrow_run import narrow_config, trainer_of
from tests.support.tiny import TinyTrunk


def apply(optimizer, gradients, rate):
    tensors = [tf.constant(gradient, tf.float32) for gradient in gradients]
    tf.distribute.get_strategy().run(optimizer.apply, (tensors, tf.constant(rate)))


def test_two_steps_of_adamw_by_hand():
    """A mean gradient over its root mean square, both corrected for their beginning at 0.

    Gradients 1 and -1 at a rate of .1: the first update is .1 whatever the gradient's size. Then v = .9 * .1 - .1 =
    -.01 and s = .999 * .001 + .001 = 1 - .999^2, so that the second is .1 * (-.01) / (1 - .9^2) = -.1 / 19. Before
    each, a kernel loses .1 * .5 of itself.
    """
    kernel, bias = tf.Variable([[2.0]]), tf.Variable([2.0])
    optimizer = AdamW([kernel, bias], 0.9, 0.5)
    apply(optimizer, ([[1.0]], [1.0]), 0.1)
    np.testing.assert_allclose(kernel, [[2 * 0.95 - 0.1]], rtol=1e-6)
    np.testing.assert_allclose(bias, [1.9], rtol=1e-6)
    apply(optimizer, ([[-1.0]], [-1.0]), 0.1)
    np.testing.assert_allclose(kernel, [[1.8 * 0.95 + 0.1 / 19]], rtol=1e-6)
    np.testing.assert_allclose(bias, [1.9 + 0.1 / 19], rtol=1e-6)
    np.testing.assert_allclose(optimizer.velocities[1], [-0.01], rtol=1e-5)
    np.testing.assert_allclose(optimizer.state["squares"][1], [0.001999], rtol=1e-4)
    assert int(optimizer.step) == 2


def test_adamw_is_the_rule_of_keras():
    random = np.random.default_rng(0)
    begin, gradients = random.normal(size=(4, 3)).astype(np.float32), random.normal(size=(50, 4, 3))
    mine, theirs = tf.Variable(begin), keras.Variable(begin)
    optimizer, reference = AdamW([mine], 0.9, 0.05), keras.optimizers.AdamW(weight_decay=0.05)
    for number, gradient in enumerate(gradients):
        rate = 0.01 / (1 + number)
        reference.learning_rate = rate
        reference.apply([tf.constant(gradient, tf.float32)], [theirs])
        apply(optimizer, [gradient], rate)
    np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    assert np.abs(mine.numpy() - begin).max() > 0.01


@pytest.mark.parametrize("kind", [MomentumSGD, AdamW])
def test_rates_are_those_of_the_variables(kind):
    """Without decay the first update is the rate times a number that is the same for both."""
    variables = [tf.Variable([1.0]), tf.Variable([1.0])]
    apply(kind(variables, 0.9, 0.0, [1.0, 0.25]), ([2.0], [2.0]), 0.1)
    moved = [1 - variable.numpy()[0] for variable in variables]
    assert moved[0] > 0.09
    assert moved[1] == pytest.approx(moved[0] / 4, rel=1e-5)


def test_the_groups_of_the_trunk_learn_at_its_rate_and_all_else_at_the_whole_rate(tmp_path, monkeypatch):
    """The fourth convolution is of no group here, as layers are that a trunk has beside ImageNet's."""
    monkeypatch.setattr(TinyTrunk, "groups", TinyTrunk.groups[:3])
    moved = []
    for factor in (1.0, 0.25):
        config = narrow_config(1, momentum=0.0, weight_decay=0.0, trunk_rate=factor)
        trainer = trainer_of(config, tmp_path)
        before = {variable.path: variable.numpy() for variable in trainer.network.model.trainable_variables}
        trainer.run_step()
        after = trainer.network.model.trainable_variables
        moved.append({variable.path: variable.numpy() - before[variable.path] for variable in after})
    for name, difference in moved[0].items():
        factor = 0.25 if name.startswith("tiny3") else 1.0
        np.testing.assert_allclose(moved[1][name], factor * difference, rtol=1e-4, atol=1e-7, err_msg=name)
    assert {name.partition("_")[0] for name in moved[0]} == {"tiny3", "tiny4", "score", "objectness"}


class Written(MomentumSGD):
    """The paper's rule and nothing else."""

    def _apply(self, strategy, gradients, rates):
        for variable, velocity, gradient in zip(self._variables, self.velocities, gradients, strict=True):
            total = gradient + 0.0005 * variable if variable.shape.rank > 1 else gradient
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=variable.handle, accum=velocity.handle, lr=self.rate, grad=total, momentum=0.9
            )


def test_the_defaults_are_the_papers_rule_to_the_bit(tmp_path):
    """Three steps of a run equal three updates with the gradients of its images, made here."""
    trainer, same = (trainer_of(narrow_config(3), tmp_path / name) for name in ("run", "same"))
    network, examples = same.network, generated_examples()
    elements = list(examples.take(6))
    optimizer = Written([variable.value for variable in network.model.trainable_variables], 0.9, 0.0005)
    optimizer.rate = 0.002
    step = TrainStep(network, optimizer, same.config.loss, 2, examples.element_spec)
    begin = [variable.numpy() for variable in network.model.trainable_variables]
    for number in range(3):
        trainer.run_step()
        for element in elements[2 * number : 2 * number + 2]:
            step.accumulate(element)
        step.update(0.002)
    pairs = list(zip(trainer.network.model.weights, network.model.weights, strict=True))
    assert all(np.array_equal(mine, theirs) for mine, theirs in pairs)
    assert not any(np.array_equal(a, b) for a, b in zip(network.model.trainable_variables, begin, strict=True))
