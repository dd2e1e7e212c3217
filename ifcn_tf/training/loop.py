"""A training run from its first step, or its last checkpoint, to its end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras

from ifcn_tf.files import read_json
from ifcn_tf.training.checkpoints import save_weights
from ifcn_tf.training.monitoring import Monitor
from ifcn_tf.training.trainer import Trainer

#: Measures a network: {"ar@10": 0.1, "ar@100": ..., "ar@1000": ...}.
Validate = Callable[[keras.Model], dict[str, float]]
#: The score by which the best weights are chosen.
BEST = "ar@100"


def train(trainer: Trainer, workdir: Path, record: dict[str, Any], validate: Validate | None = None) -> int | None:
    """Trains to the end; SIGTERM and SIGINT end the run after the present step, with a checkpoint.

    Args:
        trainer: the run.
        workdir: gets `metrics.jsonl`, `tensorboard/`, `last/` (the weights of the last checkpoint) and
            `best/` (those of the highest AR@100).
        record: goes into the `config.json` beside the weights.
        validate: measures AR at intervals; None: no validation data.

    Returns:
        The number of the signal that ended the run, or None.

    Raises:
        UserError: a loss that is not finite, or a disk that is full; the last checkpoint is kept.
    """
    config = trainer.config.train
    monitor = Monitor(workdir, config, trainer.step, trainer.chief)
    with monitor, _signals() as received:
        while trainer.step < config.steps and not received:
            report = trainer.run_step()
            monitor.report(report)
            ends = report.step == config.steps
            if validate and (ends or report.step % config.validate_every == 0):
                _validate(trainer, workdir / "best", record, validate, monitor)
            if ends or received or report.step % config.checkpoint_every == 0:
                _save(trainer, workdir / "last", record, monitor)
    return received[0] if received else None


def _save(trainer: Trainer, folder: Path, record: dict[str, Any], monitor: Monitor) -> None:
    # Weights first: whoever finds the last checkpoint of a run finds its weights too.
    if trainer.chief:
        save_weights(trainer.model, folder, record, {"step": trainer.step, **monitor.latest})
        trainer.save_checkpoint()


def _validate(trainer: Trainer, best: Path, record: dict[str, Any], validate: Validate, monitor: Monitor) -> None:
    """Measures AR, and keeps the weights if they are the best so far."""
    if not trainer.chief:
        return
    scores = validate(trainer.model)
    monitor.write(trainer.step, scores)
    monitor.say(f"step {trainer.step}: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    metrics = best / "metrics.json"
    if not metrics.exists() or scores[BEST] > read_json(metrics)[BEST]:
        save_weights(trainer.model, best, record, {"step": trainer.step, **scores})


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
