"""How long a run will take, from a few steps of it."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import tensorflow as tf

from ifcn_tf.config.presets import RunConfig
from ifcn_tf.training.run import Places, examples_of
from ifcn_tf.training.trainer import Trainer

#: Steps that see so many images are left out: the first builds the graphs, and sizes of images are new.
_LEFT_OUT = 8
#: Steps are timed until they have seen so many images, which differ in size.
_TIMED = 16


def forecast(config: RunConfig, places: Places, strategy: tf.distribute.Strategy) -> str:
    """Makes the first steps of a run, of random weights and without a trace, and says how long all steps will take.

    Raises:
        UserError: whatever of the places or the settings stops the run.
    """
    steps, seconds = config.train.steps, seconds_a_step(config, places, strategy)
    total = f", so {steps:,} steps take about {duration(seconds * steps)} without validation" if steps else ""
    return f"a step takes about {seconds:.3g} s on this machine{total}"


def seconds_a_step(config: RunConfig, places: Places, strategy: tf.distribute.Strategy) -> float:
    """Mean time of a step, the first ones left out [s]."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(config, examples_of(config, places), Path(folder), strategy, lambda network: None)
        left_out, timed = (math.ceil(images / config.train.images_per_step) for images in (_LEFT_OUT, _TIMED))
        for _ in range(left_out):
            trainer.run_step()
        return sum(trainer.run_step().total_s for _ in range(timed)) / timed


def duration(seconds: float) -> str:
    """A time in its two largest units, such as "2 h 10 min"; from a minute on in whole minutes."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    days, hours = divmod(hours, 24)
    parts = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if count]
    return " ".join(parts[:2])
