"""The average of the weights: by hand, exactly resumed, on replicas, and kept instead of the weights."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ifcn_tf.models.method import build_network
from ifcn_tf.models.weights import read_weights
from ifcn_tf.training.average import WeightAverage
from ifcn_tf.training.loop import train
from ifcn_tf.training.observers import Pictures, Validation
from tests.support.narrow_run import narrow_config, run, trainer_of
from tests.support.tiny import TINY

#: Everything that the paper's recipe leaves out.
MODERN = {
    "optimizer": "adamw", "weight_decay": 0.05, "trunk_rate": 0.5, "schedule": "cosine", "warm_up": 2, "ema": 0.9,
}  # fmt: skip
SETTINGS = [f"train.{name}={value}" for name, value in MODERN.items()]


def fill(network, value):
    network.model.set_weights([np.full_like(array, value) for array in network.model.get_weights()])


def held(network):
    return [np.array(weight) for weight in network.model.weights]


def assert_equal(found, expected):
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def differ(found, expected):
    return any(not np.array_equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))


@pytest.mark.parametrize(("ema", "expected"), [(0.999, (9, 18, 13.5)), (0.125, (9, 18.625, 12.828125))])
def test_by_hand(ema, expected):
    """Weights of 10, 20 and 12 after 0: the first are followed by shares of .9, 9/11 and .75, but of 1 - ema at least.

    The early shares are 1 - (1 + t) / (10 + t); .125 is less than 2/11 and 3/12, but more than 1/10.
    """
    network = build_network(TINY, "float32")
    average = WeightAverage(network, narrow_config(1, ema=ema))
    fill(network, 0)
    average.restart()
    for step, (weight, value) in enumerate(zip((10, 20, 12), expected, strict=True)):
        fill(network, weight)
        average.follow(step)
        assert {round(float(x), 4) for array in held(average.network) for x in array.ravel()} == {round(value, 4)}
        assert float(held(network)[0].ravel()[0]) == weight


def test_nine_tenths_of_the_average_are_the_weights_after_the_first_update(tmp_path):
    trainer = trainer_of(narrow_config(1, ema=0.9), tmp_path)
    begin = held(trainer.network)
    trainer.run_step()
    for before, after, average in zip(begin, held(trainer.network), held(trainer.averaged), strict=True):
        np.testing.assert_allclose(average, 0.1 * before + 0.9 * after, rtol=1e-5, atol=1e-8)


def test_without_an_average_the_network_stands_for_it(tmp_path):
    trainer = trainer_of(narrow_config(1), tmp_path)
    assert trainer.averaged is trainer.network
    trainer.run_step()
    trainer.save_checkpoint()
    names = (tmp_path / "checkpoints" / "step-1.index").read_bytes()
    assert b"velocities" in names and b"averages" not in names


def test_the_average_is_measured_drawn_and_kept_and_training_goes_on_from_the_weights(tmp_path):
    seen = []

    def measure(network, pause):
        seen.append(held(network))
        return {"ar@100": 1.0}

    def draw(network):
        seen.append(held(network))
        return np.zeros((4, 4, 3), np.uint8)

    config = narrow_config(3, **MODERN, validate_every=3, pictures_every=3)
    trainer = trainer_of(config, tmp_path)
    train(trainer, tmp_path, {}, [Validation(measure, tmp_path / "best", {}, "ar@100"), Pictures(draw)])
    averages = held(trainer.averaged)
    assert differ(averages, held(trainer.network))
    for arrays in seen:
        assert_equal(arrays, averages)
    for folder in ("best", "last"):
        kept = read_weights(tmp_path / folder / "model.weights.h5")
        assert_equal([kept[weight.path] for weight in trainer.averaged.model.weights], averages)
    again = trainer_of(config, tmp_path)
    assert_equal(held(again.network), held(trainer.network))
    assert_equal(held(again.averaged), averages)


def start(workdir, strategy="one_device", steps=8, environment=None):
    arguments = [sys.executable, "-m", "tests.support.narrow_run", workdir, steps, strategy, 4, 2, *SETTINGS]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})}
    return subprocess.Popen(list(map(str, arguments)), cwd=Path(__file__).parents[2], env=environment)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("uninterrupted")
    run(workdir, narrow_config(8, 4, **MODERN))
    return read_weights(workdir / "last" / "model.weights.h5")


def assert_same_run(workdir, expected, **tolerance):
    found = read_weights(workdir / "last" / "model.weights.h5")
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, **tolerance, err_msg=name)
    trained = [array for name, array in found.items() if not name.startswith(("tiny1", "tiny2"))]
    assert all(np.abs(bias).max() > 1e-4 for bias in trained if bias.ndim == 1)  # they begin at 0


def test_a_killed_run_goes_on_to_the_same_weights(uninterrupted, tmp_path):
    process = start(tmp_path)
    while not (tmp_path / "checkpoints" / "step-4.index").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "checkpoints" / "step-8.index").exists()
    assert start(tmp_path).wait() == 0
    assert_same_run(tmp_path, uninterrupted, rtol=0, atol=0)


def test_two_replicas_and_two_workers_make_the_same_run(uninterrupted, tmp_path):
    assert start(tmp_path / "replicas", "mirrored").wait(100) == 0
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0)), second.bind(("127.0.0.1", 0))
        hosts = [f"127.0.0.1:{s.getsockname()[1]}" for s in (first, second)]
    tasks = [{"cluster": {"worker": hosts}, "task": {"type": "worker", "index": i}} for i in range(2)]
    workers = [
        start(tmp_path / "workers", "multi_worker", environment={"TF_CONFIG": json.dumps(task)}) for task in tasks
    ]
    assert [worker.wait(100) for worker in workers] == [0, 0]
    for workdir in ("replicas", "workers"):
        assert_same_run(tmp_path / workdir, uninterrupted, rtol=1e-3, atol=1e-5)
