"""A run that is killed goes on as if nothing had happened."""

from __future__ import annotations

import contextlib
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.models.weights import read_weights
from ifcn_tf.training.loop import train
from ifcn_tf.training.monitoring import Monitor
from ifcn_tf.training.observers import Validation
from ifcn_tf.training.strategy import make_strategy
from ifcn_tf.training.trainer import Trainer
from ifcn_tf.training.workdir import open_workdir, run_record
from tests.support.generated_examples import generated_examples
from tests.support.narrow_run import narrow_config, run, trainer_of

STEPS = 40


def stored(folder: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


def assert_equal_weights(a: Path, b: Path) -> None:
    first, second = stored(a), stored(b)
    assert first.keys() == second.keys() and first
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def steps_of(workdir: Path) -> list[int]:
    path = workdir / "metrics.jsonl"
    return [json.loads(line)["step"] for line in path.read_text().splitlines()] if path.exists() else []


def start(workdir: Path, steps: int = STEPS) -> subprocess.Popen:
    arguments = [sys.executable, "-m", "tests.support.narrow_run", str(workdir), str(steps), "one_device", "2", "3"]
    return subprocess.Popen(arguments, cwd=Path(__file__).parents[2])


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("uninterrupted")
    run(workdir, narrow_config(STEPS))
    return workdir


def test_killed_at_random_moments(uninterrupted, tmp_path):
    moments = random.Random(0)
    for kill in range(3):
        process = start(tmp_path)
        wanted = len(steps_of(tmp_path)) + moments.randint(2, 9)
        while process.poll() is None and len(steps_of(tmp_path)) < wanted:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.1))
        assert process.poll() is None, f"finished before kill {kill}"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert start(tmp_path).wait() == 0
    assert_equal_weights(uninterrupted / "last", tmp_path / "last")
    assert steps_of(tmp_path) == list(range(1, STEPS + 1))


def test_sigterm_writes_a_checkpoint(tmp_path):
    process = start(tmp_path, steps=100_000)
    while process.poll() is None and len(steps_of(tmp_path)) < 4:
        time.sleep(0.01)
    process.terminate()
    assert process.wait() == 128 + signal.SIGTERM
    made = steps_of(tmp_path)[-1]
    assert json.loads((tmp_path / "last" / "metrics.json").read_text())["step"] == made
    assert (tmp_path / "checkpoints" / f"step-{made}.index").exists()


def test_goes_on_in_pieces_and_keeps_the_last_checkpoints(uninterrupted, tmp_path):
    for steps in (7, 23, STEPS):
        run(tmp_path, narrow_config(steps, keep_checkpoints=2))
    assert_equal_weights(uninterrupted / "last", tmp_path / "last")
    names = sorted(path.name for path in (tmp_path / "checkpoints").glob("*.index"))
    assert names == ["step-35.index", f"step-{STEPS}.index"]


@contextlib.contextmanager
def no_file_beyond(size: int):
    """A disk that is full, as far as a process can tell."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_what_was_there(tmp_path):
    run(tmp_path, narrow_config(3))
    weights, described = tmp_path / "last" / "model.weights.h5", tmp_path / "last" / "config.json"
    kept = sorted({*(tmp_path / "last").iterdir(), *(tmp_path / "checkpoints").iterdir()} - {described})
    before = [path.read_bytes() for path in kept]
    for _ in range(2):
        with no_file_beyond(20_000), pytest.raises(UserError, match=f"cannot write {weights}: File too large"):
            run(tmp_path, narrow_config(6))
        assert read_weights(weights)  # config.json still vouches for them
    trainer = trainer_of(narrow_config(6), tmp_path)
    trainer.run_step()
    with no_file_beyond(20_000), pytest.raises(UserError, match="cannot write the checkpoint of step 4"):
        trainer.save_checkpoint()
    assert [path.read_bytes() for path in kept] == before
    assert {*kept, described} == {*(tmp_path / "last").iterdir(), *(tmp_path / "checkpoints").iterdir()}
    run(tmp_path, narrow_config(6))
    assert steps_of(tmp_path) == [1, 2, 3, 4, 5, 6]


def test_a_full_disk_and_a_place_that_cannot_be_written_are_named(tmp_path):
    monitor = Monitor(tmp_path, narrow_config(3).train, 0, chief=True)
    with no_file_beyond(10), pytest.raises(UserError, match=r"cannot write .*metrics\.jsonl: File too large"):
        monitor.write(1, {"loss": 0.5})
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "tensorboard").touch()
    with pytest.raises(UserError, match="blocked/tensorboard; free some space"):
        Monitor(tmp_path / "blocked", narrow_config(3).train, 0, chief=True)


def asks_to_end(network, pause):
    """A measurement during which SIGTERM arrives."""
    signal.raise_signal(signal.SIGTERM)
    pause()
    raise AssertionError("went on after the signal")


def test_a_validation_that_a_signal_cuts_is_made_up(tmp_path):
    config, record = narrow_config(4, validate_every=3, checkpoint_every=100), {}
    cut = Validation(asks_to_end, tmp_path / "best", record, "ar@100")
    assert train(trainer_of(config, tmp_path), tmp_path, record, [cut]) == signal.SIGTERM
    assert (tmp_path / "checkpoints" / "step-3.index").exists()
    assert not (tmp_path / "best").exists()
    measured = []

    def measure(network, pause):
        measured.append(trainer.step)
        return {"ar@100": 50.0 - trainer.step}

    for _ in range(2):  # the second time nothing is left to do
        trainer = trainer_of(config, tmp_path)
        assert train(trainer, tmp_path, record, [Validation(measure, tmp_path / "best", record, "ar@100")]) is None
    assert measured == [3, 4]
    assert json.loads((tmp_path / "best" / "metrics.json").read_text())["step"] == 3
    assert json.loads((tmp_path / "last" / "metrics.json").read_text())["ar@100"] == 46.0


def test_the_best_weights_of_an_earlier_run_are_no_rivals(tmp_path):
    config = narrow_config(2, validate_every=1)
    for scores in ([90.0, 80.0], [10.0, 5.0]):
        measured = iter(scores)
        validation = Validation(
            lambda network, pause, measured=measured: {"ar@100": next(measured)}, tmp_path / "best", {}, "ar@100"
        )
        train(trainer_of(config, tmp_path), tmp_path, {}, [validation])
        assert json.loads((tmp_path / "best" / "metrics.json").read_text()) == {"step": 1, "ar@100": scores[0]}
        shutil.rmtree(tmp_path / "checkpoints")


def test_a_validation_that_is_killed_finds_its_checkpoint_written(tmp_path):
    seen = []

    def measure(network, pause):
        seen.append((tmp_path / "checkpoints" / "step-2.index").exists())
        return {"ar@100": 1.0}

    trainer = trainer_of(narrow_config(2, checkpoint_every=100), tmp_path)
    train(trainer, tmp_path, {}, [Validation(measure, tmp_path / "best", {}, "ar@100")])
    assert seen == [True]


def test_a_signal_before_the_first_step_leaves_no_checkpoint(tmp_path):
    class Signalled(Trainer):
        def any_worker(self, flag):
            signal.raise_signal(signal.SIGTERM)
            return True

    places = generated_examples, tmp_path, make_strategy("one_device")
    trainer = Signalled(narrow_config(2), *places, initialize=lambda network: None)
    assert train(trainer, tmp_path, {}) == signal.SIGTERM
    assert not (tmp_path / "last").exists()


def test_the_last_steps_are_recorded_and_a_resume_is_told(tmp_path, capsys):
    run(tmp_path, narrow_config(3, log_every=2))
    assert steps_of(tmp_path) == [2, 3]
    assert "loss" in json.loads((tmp_path / "last" / "metrics.json").read_text())
    assert "step" not in capsys.readouterr().out
    run(tmp_path, narrow_config(4, log_every=2))
    assert "going on from step 3" in capsys.readouterr().out
    run(tmp_path, narrow_config(4, log_every=2))
    assert "already at step 4" in capsys.readouterr().out


def test_what_a_killed_run_left_half_written_is_removed(tmp_path):
    run(tmp_path, narrow_config(1))
    half = tmp_path / "checkpoints" / "step-2.data-00000-of-00001"
    half.write_bytes(b"half")
    trainer_of(narrow_config(2), tmp_path)
    assert not half.exists() and (tmp_path / "checkpoints" / "step-1.index").exists()


@pytest.mark.parametrize(
    ("section", "field", "refused"),
    [
        ("places", "data_fingerprint", True),
        ("places", "weights", True),
        ("places", "backbone_weights", True),
        ("devices", "precision", True),
        ("places", "data", False),
        ("devices", "replicas", False),
    ],
)
def test_other_data_weights_and_precision_are_refused(section, field, refused, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    open_workdir(tmp_path, {section: {field: "before"}})
    expected = pytest.raises(UserError, match=rf"\({section}.{field}=before\)") if refused else contextlib.nullcontext()
    with expected:
        open_workdir(tmp_path, {section: {field: "now"}})


def test_other_settings_are_refused(tmp_path):
    run(tmp_path, narrow_config(1))
    with pytest.raises(UserError, match=r"other settings \(train.momentum=0.9\)"):
        run(tmp_path, narrow_config(2, momentum=0.8))


def test_a_damaged_checkpoint_is_named(tmp_path):
    run(tmp_path, narrow_config(1))
    (tmp_path / "checkpoints" / "step-1.index").write_bytes(b"damaged")
    with pytest.raises(UserError, match="step-1"):
        run(tmp_path, narrow_config(2))


def test_the_best_weights_are_kept(tmp_path):
    config = narrow_config(4, validate_every=1)
    trainer, scores = trainer_of(config, tmp_path), iter([0.1, 0.3, 0.2, 0.3])
    record = run_record(config, make_strategy("one_device"), {})
    validation = Validation(lambda network, pause: {"ar@100": next(scores)}, tmp_path / "best", record, "ar@100")
    train(trainer, tmp_path, record, [validation])
    assert json.loads((tmp_path / "best" / "metrics.json").read_text())["step"] == 2
    written = json.loads((tmp_path / "best" / "config.json").read_text())
    assert {"model", "loss", "train", "places", "devices", "versions", "commit"} <= written.keys()
