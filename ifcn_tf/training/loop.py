"""A training run from its first step, or its last checkpoint, to its end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ifcn_tf.common.files import read_json, write_json
from ifcn_tf.models.weights import save_weights
from ifcn_tf.training.monitoring import Monitor
from ifcn_tf.training.observers import Observer, Stopped
from ifcn_tf.training.strategy import workers_present
from ifcn_tf.training.trainer import Trainer


def train(trainer: Trainer, workdir: Path, record: dict[str, Any], observers: Sequence[Observer] = ()) -> int | None:
    """Trains to the end; SIGTERM and SIGINT end the run after the present step, with a checkpoint.

    Several workers end after the same step, whichever of them received the signal. What a signal kept an observer from
    doing is done when the run goes on.

    Args:
        trainer: the run.
        workdir: gets `metrics.jsonl`, `tensorboard/` and `last/`, the weights of the last checkpoint.
        record: goes into the `config.json` beside the weights.
        observers: are called after each step.

    Returns:
        The number of the signal that ended the run (SIGTERM when another worker received it), or None.

    Raises:
        UserError: a loss that is not finite, a disk that is full or a worker that is gone; the last checkpoint is kept.
    """
    config = trainer.config.train
    monitor = Monitor(workdir, config, trainer.step, trainer.chief)
    saver = _Saver(trainer, workdir / "last", record, monitor)
    with monitor, workers_present(), _signals() as received:
        _greet(trainer, monitor)
        if trainer.step:
            _observe(observers, saver, received)
        while not (stopped := trainer.any_worker(bool(received))) and trainer.step < config.steps:
            monitor.report(trainer.run_step())
            if trainer.step % config.checkpoint_every == 0:
                saver.save()
            _observe(observers, saver, received)
        monitor.flush()
        saver.save()
        saver.save_metrics()
    return (received or [signal.SIGTERM])[0] if stopped else None


class _Saver:
    """Writes the state of a run, once a step."""

    def __init__(self, trainer: Trainer, folder: Path, record: dict[str, Any], monitor: Monitor) -> None:
        self.trainer, self.monitor = trainer, monitor
        self._folder, self._record, self._saved = folder, record, trainer.step
        self._written = dict(monitor.latest)

    def save(self) -> None:
        """Writes weights and a checkpoint of the present step unless they are there."""
        if self.trainer.chief and self._saved != self.trainer.step:
            # Weights first: whoever finds the last checkpoint of a run finds its weights too.
            save_weights(self.trainer.averaged, self._folder, self._record, self._metrics())
            self.trainer.save_checkpoint()
            self._saved, self._written = self.trainer.step, dict(self.monitor.latest)

    def save_metrics(self) -> None:
        """Writes what was measured since the weights of the present step were saved, if they were."""
        path = self._folder / "metrics.json"
        if not self.trainer.chief or self._saved != self.trainer.step or self._written == self.monitor.latest:
            return
        self._written = dict(self.monitor.latest)
        # A run that was killed may have left later weights than its last checkpoint.
        if path.exists() and read_json(path)["step"] == self.trainer.step:
            write_json(path, self._metrics())

    def _metrics(self) -> dict[str, float]:
        return {"step": self.trainer.step, **self.monitor.latest}


def _greet(trainer: Trainer, monitor: Monitor) -> None:
    if trainer.chief and trainer.step:
        finished = trainer.step >= trainer.config.train.steps
        monitor.say(f"{'already at' if finished else 'going on from'} step {trainer.step}")


def _observe(observers: Sequence[Observer], saver: _Saver, received: Sequence[int]) -> None:
    """Calls the observers; a signal ends this early."""

    def pause() -> None:
        saver.save()
        if received:
            raise Stopped

    with contextlib.suppress(Stopped):
        for observe in observers if saver.trainer.chief else ():
            observe(saver.trainer, saver.monitor, pause)
    saver.save_metrics()


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects SIGTERM and SIGINT instead of being ended by them."""
    received: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = [
        signal.signal(number, lambda received_number, _: received.append(received_number)) for number in numbers
    ]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)
