"""How long a run will take, as `train --steps=0` says it."""

from __future__ import annotations

import re

import pytest

from ifcn_tf.config.presets import RunConfig
from ifcn_tf.config.training import DataConfig, TrainConfig
from ifcn_tf.training.forecast import duration, forecast
from ifcn_tf.training.run import Places
from ifcn_tf.training.strategy import make_strategy
from ifcn_tf.training.trainer import StepReport, Trainer
from tests.support.prepared import prepare_shapes
from tests.support.tiny import TINY


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (7200, "2 h"),
        (7829, "2 h 10 min"),
        (7831, "2 h 11 min"),
        (86_399, "1 d"),
        (266_400, "3 d 2 h"),
    ],
)
def test_durations_in_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.fixture
def places(tmp_path):
    return Places([prepare_shapes(tmp_path / "scenes")], [], tmp_path / "run", None, "imagenet", [1])


def config(steps, images_per_step):
    train = TrainConfig(steps=steps, images_per_step=images_per_step, precision="float32", ema=0.9)
    return RunConfig(model=TINY, data=DataConfig(shorter_sides=(64,)), train=train)


@pytest.mark.parametrize(("images_per_step", "left_out", "timed"), [(1, 8, 16), (3, 3, 6), (8, 1, 2), (20, 1, 1)])
def test_steps_of_sixteen_images_are_timed_after_the_first(images_per_step, left_out, timed, places, monkeypatch):
    """The steps that are left out take 1000 s each, the others 2, 3, 4 s and so on."""
    seconds = iter([1000] * left_out + list(range(2, 20)))
    monkeypatch.setattr(Trainer, "run_step", lambda self: StepReport(1, {}, 0.0, next(seconds)))
    mean = sum(range(2, 2 + timed)) / timed
    told = forecast(config(3600, images_per_step), places, make_strategy("one_device"))
    total = duration(mean * 3600)
    assert (
        told == f"a step takes about {mean:.3g} s on this machine, so 3,600 steps take about {total} without validation"
    )


def test_a_forecast_leaves_no_trace(places):
    told = forecast(config(0, 4), places, make_strategy("one_device"))
    assert re.fullmatch(r"a step takes about [\d.]+ s on this machine", told)
    assert not places.workdir.exists()
