"""What looks at a run after each step, at its own intervals: validation, pictures, profiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ifcn_tf.common.files import read_json
from ifcn_tf.models.method import Method
from ifcn_tf.models.weights import save_weights
from ifcn_tf.training.monitoring import Monitor, naming_tensorboard
from ifcn_tf.training.trainer import Trainer

#: Makes sure that the present step has a checkpoint; raises Stopped once the run was asked to end.
Pause = Callable[[], None]
#: Called after each step of a run and when it goes on, by the worker that writes its files. What takes long calls the
#: Pause before it begins and now and then.
Observer = Callable[[Trainer, Monitor, Pause], None]
#: Steps left out of a profile, for they build the graphs, and steps in it at most.
_WARM_UP, _PROFILED = 5, 5


class Stopped(Exception):  # noqa: N818
    """Ends an observer early: the run was asked to end."""


class Validation:
    """Measures the network at intervals and at the end, and keeps the best weights.

    Weights of an earlier run in the same folder, which this run's metrics do not know, are no rivals.

    Args:
        measure: the network's scores; calls the Pause between images.
        best: folder for the best weights.
        record: goes into the `config.json` beside them.
        score: the one by which the best weights are chosen.
    """

    def __init__(
        self, measure: Callable[[Method, Pause], dict[str, float]], best: Path, record: dict[str, Any], score: str
    ) -> None:
        self._measure, self._best, self._record, self._score = measure, best, record, score

    def __call__(self, trainer: Trainer, monitor: Monitor, pause: Pause) -> None:
        """See `Observer`."""
        config = trainer.config.train
        due = trainer.step % config.validate_every == 0 or trainer.step == config.steps
        if not due or monitor.has(trainer.step, self._score):
            return
        pause()
        scores = self._measure(trainer.averaged, pause)
        if scores[self._score] > self._best_so_far(monitor):
            save_weights(trainer.averaged, self._best, self._record, {"step": trainer.step, **scores})
        # Last: what is written here is not measured again.
        monitor.write(trainer.step, scores)
        monitor.say(f"step {trainer.step}: " + ", ".join(f"{name} {score:.2f}" for name, score in scores.items()))

    def _best_so_far(self, monitor: Monitor) -> float:
        """Score of the best weights that this run has kept, -1 of none."""
        path = self._best / "metrics.json"
        kept = read_json(path) if path.exists() else {}
        return kept[self._score] if kept and monitor.has(kept["step"], self._score) else -1.0


class Pictures:
    """Draws the network's work at intervals.

    Args:
        draw: a picture of the network's work, uint8 [H, W, 3].
    """

    def __init__(self, draw: Callable[[Method], np.ndarray]) -> None:
        self._draw = draw

    def __call__(self, trainer: Trainer, monitor: Monitor, pause: Pause) -> None:
        """See `Observer`."""
        if trainer.step % trainer.config.train.pictures_every == 0:
            pause()
            monitor.picture(trainer.step, "network", self._draw(trainer.averaged))


class Profile:
    """Writes a profile of steps 6 to 10 of this process, or of as many of them as the run makes.

    Args:
        folder: of TensorBoard.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, trainer: Trainer, monitor: Monitor, pause: Pause) -> None:
        """See `Observer`; raises UserError when the folder cannot be written."""
        made, ended = trainer.step - trainer.first, trainer.step >= trainer.config.train.steps
        if made <= _WARM_UP and ended:
            monitor.say(f"wrote no profile: it leaves out the first {_WARM_UP} steps, and {made} were left to make")
        elif made == _WARM_UP:
            tf.profiler.experimental.start(str(self._folder))
        elif made == _WARM_UP + _PROFILED or (ended and made < _WARM_UP + _PROFILED):
            with naming_tensorboard(self._folder):
                tf.profiler.experimental.stop()
            monitor.say(f"wrote a profile of {made - _WARM_UP} steps into {self._folder}")
