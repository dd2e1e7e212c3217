"""What a run tells people: a progress bar, `metrics.jsonl` and TensorBoard."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import tensorflow as tf

from ifcn_tf.common.files import UserError, atomic_write, naming
from ifcn_tf.common.progress import ProgressBar
from ifcn_tf.config.training import TrainConfig
from ifcn_tf.training.trainer import StepReport


class Monitor:
    """Shows and records a run; use it as a context.

    Args:
        folder: of the run; gets `metrics.jsonl` and `tensorboard/`.
        config: steps of the run and between two entries.
        first: updates that were made before; entries of later steps, of a run that was killed, are dropped.
        chief: other workers show and record nothing.

    Attributes:
        latest: the last value of each scalar.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(self, folder: Path, config: TrainConfig, first: int, chief: bool) -> None:
        self._config, self._reports = config, list[StepReport]()
        self.latest: dict[str, float] = {}
        self._lines = folder / "metrics.jsonl" if chief else None
        self._writer = _summary_writer(folder / "tensorboard") if chief else tf.summary.create_noop_writer()
        if self._lines:
            _drop_after(self._lines, first)
            self.latest = {name: value for entry in _entries(self._lines) for name, value in entry.items()}
            self.latest.pop("step", None)
        self._bar = ProgressBar("training", config.steps, "steps", done=first, disable=not chief)

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.__exit__()
        self._writer.close()

    def report(self, report: StepReport) -> None:
        """Takes note of a step; every `log_every` steps the means since the last entry are written."""
        self._reports.append(report)
        means = self._means()
        terms = [f"{name.removesuffix('_loss')} {means[name]:.3f}" for name in means if name.endswith("_loss")]
        self._bar.advance(note=" ".join(terms))
        if report.step % self._config.log_every == 0:
            self.flush()

    def flush(self) -> None:
        """Writes the means of the steps since the last entry, if there are any."""
        if self._reports:
            self.write(self._reports[-1].step, self._means())
            self._reports = []

    def has(self, step: int, name: str) -> bool:
        """Whether a scalar of a step was written."""
        return self._lines is not None and any(e["step"] == step and name in e for e in _entries(self._lines))

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """Writes scalars of a step to `metrics.jsonl` and TensorBoard; raises UserError when the disk is full."""
        self.latest |= scalars
        if self._lines is None:
            return
        line = json.dumps({"step": step, **{name: float(f"{v:.6g}") for name, v in scalars.items()}}) + "\n"
        with naming(self._lines), self._lines.open("a", encoding="utf-8") as file:
            file.write(line)
        with self._writer.as_default():
            for name, value in scalars.items():
                tf.summary.scalar(name, value, step)

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Adds a picture, uint8 [H, W, 3], to TensorBoard."""
        with self._writer.as_default():
            tf.summary.image(name, picture[None], step)

    def say(self, message: str) -> None:
        """Prints a line, above the progress bar where both are on one terminal."""
        print(message, flush=True)

    def _means(self) -> dict[str, float]:
        reports = self._reports
        total_s = sum(report.total_s for report in reports)
        means = {name: float(np.mean([r.scalars[name] for r in reports])) for name in reports[0].scalars}
        means["images_per_second"] = len(reports) * self._config.images_per_step / total_s
        means["data_wait_share"] = sum(report.wait_s for report in reports) / total_s
        return means


def _summary_writer(folder: Path) -> tf.summary.SummaryWriter:
    with naming_tensorboard(folder):
        return tf.summary.create_file_writer(str(folder))


@contextlib.contextmanager
def naming_tensorboard(folder: Path) -> Iterator[None]:
    """Around what writes for TensorBoard: makes TensorFlow's error a UserError that names the folder."""
    try:
        yield
    except tf.errors.OpError as error:
        raise UserError(
            f"cannot write TensorBoard's files in {folder}; free some space, or choose another --workdir."
        ) from error


def _entries(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _drop_after(path: Path, step: int) -> None:
    """Removes the entries of steps that will be made again, and a line that was not written to its end."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    with atomic_write(path) as file:
        file.writelines(kept)
