"""A training run from its first step, or its last checkpoint, to its end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ifcn_tf.training.checkpoints import save_weights
from ifcn_tf.training.monitoring import Monitor
from ifcn_tf.training.observers import Observer
from ifcn_tf.training.trainer import Trainer


def train(trainer: Trainer, workdir: Path, record: dict[str, Any], observers: Sequence[Observer] = ()) -> int | None:
    """Trains to the end; SIGTERM and SIGINT end the run after the present step, with a checkpoint.

    Args:
        trainer: the run.
        workdir: gets `metrics.jsonl`, `tensorboard/` and `last/`, the weights of the last checkpoint.
        record: goes into the `config.json` beside the weights.
        observers: are called after each step.

    Returns:
        The number of the signal that ended the run, or None.

    Raises:
        UserError: a loss that is not finite, or a disk that is full; the last checkpoint is kept.
    """
    config = trainer.config.train
    monitor = Monitor(workdir, config, trainer.step, trainer.chief)
    with monitor, _signals() as received:
        while trainer.step < config.steps and not received:
            monitor.report(trainer.run_step())
            for observe in observers if trainer.chief else ():
                observe(trainer, monitor)
            if received or trainer.step == config.steps or trainer.step % config.checkpoint_every == 0:
                _save(trainer, workdir / "last", record, monitor)
    return received[0] if received else None


def _save(trainer: Trainer, folder: Path, record: dict[str, Any], monitor: Monitor) -> None:
    # Weights first: whoever finds the last checkpoint of a run finds its weights too.
    if trainer.chief:
        save_weights(trainer.model, folder, record, {"step": trainer.step, **monitor.latest})
        trainer.save_checkpoint()


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
