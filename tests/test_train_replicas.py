"""However many replicas share a step, its update is the same."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from ifcn_tf.files import UserError
from ifcn_tf.training.strategy import make_strategy
from tests.narrow_run import narrow_config, run

STEPS = 3


def start(workdir: Path, strategy: str, environment: dict[str, str] | None = None) -> subprocess.Popen:
    arguments = [sys.executable, "-m", "tests.narrow_run", str(workdir), str(STEPS), strategy, "4", "2"]
    return subprocess.Popen(arguments, cwd=Path(__file__).parents[1], env={**os.environ, **(environment or {})})


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("one_device")
    run(workdir, narrow_config(STEPS, images_per_step=4))
    return workdir


def assert_same_run(one: Path, other: Path) -> None:
    """Equal weights, up to the order of float32 sums, that have moved away from where they began."""
    with h5py.File(one / "last" / "model.weights.h5") as a, h5py.File(other / "last" / "model.weights.h5") as b:
        names: list[str] = []
        a.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        assert names
        for name in names:
            np.testing.assert_allclose(a[name][()], b[name][()], rtol=1e-4, atol=1e-6, err_msg=name)
    last = [json.loads((folder / "last" / "metrics.json").read_text()) for folder in (one, other)]
    assert last[0]["step"] == last[1]["step"] == STEPS
    assert last[0]["gradient_norm"] == pytest.approx(last[1]["gradient_norm"], rel=1e-4)


def test_two_replicas(one_device, tmp_path):
    assert start(tmp_path, "mirrored").wait(100) == 0
    assert_same_run(one_device, tmp_path)


def test_two_workers(one_device, tmp_path):
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0)), second.bind(("127.0.0.1", 0))
        hosts = [f"127.0.0.1:{s.getsockname()[1]}" for s in (first, second)]
    tasks = [{"cluster": {"worker": hosts}, "task": {"type": "worker", "index": i}} for i in range(2)]
    workers = [start(tmp_path, "multi_worker", {"TF_CONFIG": json.dumps(task)}) for task in tasks]
    assert [worker.wait(100) for worker in workers] == [0, 0]
    assert_same_run(one_device, tmp_path)


@pytest.mark.parametrize("tf_config", [None, "{", '{"cluster": {"worker": []}}', '{"cluster": {}}'])
def test_multi_worker_needs_tf_config(tf_config, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if tf_config:
        monkeypatch.setenv("TF_CONFIG", tf_config)
    with pytest.raises(UserError, match="TF_CONFIG"):
        make_strategy("multi_worker")
