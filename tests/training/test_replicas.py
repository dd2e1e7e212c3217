"""However many replicas share a step, its update is the same."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.models.method import build_network
from ifcn_tf.models.weights import load_weights
from ifcn_tf.training.strategy import make_strategy
from tests.support.narrow_run import narrow_config, run
from tests.support.tiny import TINY

STEPS = 3


def start(
    workdir: Path, strategy: str, environment: dict[str, str] | None = None, steps: int = STEPS, images: int = 4
) -> subprocess.Popen:
    arguments = [sys.executable, "-m", "tests.support.narrow_run", str(workdir), str(steps), strategy, str(images), "2"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})}
    return subprocess.Popen(
        arguments, cwd=Path(__file__).parents[2], env=environment, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("one_device")
    run(workdir, narrow_config(STEPS, images_per_step=4))
    return workdir


def assert_moved(weights: Path) -> None:
    """Biases begin at 0; those of the trained layers have left it."""
    network = build_network(TINY, "float32")
    load_weights(network, weights)
    network.freeze(2)
    trained = [layer for layer in network.model.layers if layer.trainable_variables]
    assert len(trained) == 6 and all(np.abs(layer.bias).max() > 1e-6 for layer in trained)


def assert_same_run(one: Path, other: Path) -> None:
    """Equal weights, up to the order of float32 sums, that have moved away from where they began."""
    with h5py.File(one / "last" / "model.weights.h5") as a, h5py.File(other / "last" / "model.weights.h5") as b:
        names: list[str] = []
        a.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        assert names
        for name in names:
            np.testing.assert_allclose(a[name][()], b[name][()], rtol=1e-4, atol=1e-6, err_msg=name)
    assert_moved(one / "last" / "model.weights.h5")
    last = [json.loads((folder / "last" / "metrics.json").read_text()) for folder in (one, other)]
    assert last[0]["step"] == last[1]["step"] == STEPS
    assert last[0]["gradient_norm"] == pytest.approx(last[1]["gradient_norm"], rel=1e-4)


def test_two_replicas(one_device, tmp_path):
    assert start(tmp_path, "mirrored").wait(100) == 0
    assert_same_run(one_device, tmp_path)


def start_workers(workdir: Path, steps: int = STEPS, images: int = 4, count: int = 2) -> list[subprocess.Popen]:
    with contextlib.ExitStack() as held:
        ports = [held.enter_context(socket.socket()) for _ in range(count)]
        for port in ports:
            port.bind(("127.0.0.1", 0))
        hosts = [f"127.0.0.1:{port.getsockname()[1]}" for port in ports]
    tasks = [{"cluster": {"worker": hosts}, "task": {"type": "worker", "index": i}} for i in range(count)]
    return [start(workdir, "multi_worker", {"TF_CONFIG": json.dumps(task)}, steps, images) for task in tasks]


def wait_for_steps(workdir: Path, workers: list[subprocess.Popen]) -> None:
    while not (workdir / "metrics.jsonl").exists() and all(worker.poll() is None for worker in workers):
        time.sleep(0.05)


def test_a_signal_to_one_worker_ends_both_with_a_checkpoint(tmp_path):
    workers = start_workers(tmp_path, 100_000)
    wait_for_steps(tmp_path, workers)
    workers[1].terminate()
    assert [worker.wait(60) for worker in workers] == [128 + signal.SIGTERM] * 2
    made = json.loads((tmp_path / "last" / "metrics.json").read_text())["step"]
    assert (tmp_path / "checkpoints" / f"step-{made}.index").exists()


def test_a_worker_that_is_gone_is_told_in_one_sentence(tmp_path):
    """By each of the two others."""
    workers = start_workers(tmp_path, 100_000, images=6, count=3)
    wait_for_steps(tmp_path, workers)
    workers.pop(1).kill()
    for worker in workers:
        assert worker.wait(60) == 1
        assert "another worker of this run has ended" in worker.stderr.read()


def test_after_a_kill_the_run_goes_on_exactly(tmp_path):
    """Two workers, of which one is killed, are started again: weights are those of two that nothing happened to."""
    for workdir in (killed := tmp_path / "killed", tmp_path / "undisturbed"):
        workers = start_workers(workdir, 12)
        if workdir == killed:
            wait_for_steps(workdir, workers)
            workers[1].kill()
            assert workers[0].wait(60) == 1
            assert json.loads((killed / "metrics.jsonl").read_text().splitlines()[-1])["step"] < 12
            workers = start_workers(workdir, 12)
        assert [worker.wait(100) for worker in workers] == [0, 0]
    with h5py.File(killed / "last" / "model.weights.h5") as a, h5py.File(workdir / "last" / "model.weights.h5") as b:
        names: list[str] = []
        a.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in names:
            np.testing.assert_array_equal(a[name][()], b[name][()], err_msg=name)
    assert_moved(killed / "last" / "model.weights.h5")


def test_a_chief_alone(one_device, tmp_path):
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        hosts = [f"127.0.0.1:{port.getsockname()[1]}"]
    task = {"cluster": {"chief": hosts}, "task": {"type": "chief", "index": 0}}
    assert start(tmp_path, "multi_worker", {"TF_CONFIG": json.dumps(task)}).wait(100) == 0
    assert_same_run(one_device, tmp_path)


def test_two_workers(one_device, tmp_path):
    workers = start_workers(tmp_path)
    assert [worker.wait(100) for worker in workers] == [0, 0]
    assert_same_run(one_device, tmp_path)


def test_three_workers(tmp_path):
    run(tmp_path / "one", narrow_config(STEPS, images_per_step=3))
    workers = start_workers(tmp_path / "three", images=3, count=3)
    assert [worker.wait(100) for worker in workers] == [0, 0, 0]
    assert_same_run(tmp_path / "one", tmp_path / "three")


@pytest.mark.parametrize(
    "tf_config",
    [None, "{", '{"cluster": {"worker": ["localhost:1"]}}', '{"cluster": {"worker": []}}', '{"cluster": {}}'],
)
def test_multi_worker_needs_tf_config(tf_config, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if tf_config:
        monkeypatch.setenv("TF_CONFIG", tf_config)
    with pytest.raises(UserError, match="TF_CONFIG"):
        make_strategy("multi_worker")


@pytest.mark.parametrize("address", ["b", "b:", ":2222", "b:port", "b:0", "b:65536", "http://b:2222", 2222])
def test_an_address_without_a_port_is_named(address, monkeypatch):
    config = {"cluster": {"worker": ["a:2222", address]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with pytest.raises(UserError, match=rf"names a worker '?{address}'?: give it as HOST:PORT"):
        make_strategy("multi_worker")


def test_an_address_that_is_listed_twice_is_named(monkeypatch):
    config = {"cluster": {"worker": ["a:2222", "b:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with pytest.raises(UserError, match="TF_CONFIG lists b:2222 twice"):
        make_strategy("multi_worker")


@pytest.mark.parametrize("index", [0, 1])
def test_who_is_waited_for_is_said_before_the_wait(index, monkeypatch, capsys):
    """Also where the cluster has a chief, and an address is one of IPv6; a worker alone waits for nobody."""
    said = []
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: said.append(capsys.readouterr()))
    workers = ["[::1]:2222", "b:2222"]
    cluster = {"chief": ["c:2222"], "worker": workers}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}))
    make_strategy("multi_worker")
    assert f"{workers[index]} waits for 2 other workers: c:2222, {workers[1 - index]};" in said[0].out
    alone = {"cluster": {"worker": workers[:1]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(alone))
    make_strategy("multi_worker")
    assert said[1].out == ""


def test_a_worker_that_does_not_come_is_told_in_one_sentence(monkeypatch):
    def late():
        raise tf.errors.DeadlineExceededError(None, None, "Barrier timed out")

    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", late)
    config = {"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with pytest.raises(UserError, match="another worker of this run has ended or cannot be reached"):
        make_strategy("multi_worker")
