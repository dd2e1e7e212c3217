"""A run as a picture: its losses and what was measured of it, step by step."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ifcn_tf.common.files import write_bytes
from ifcn_tf.training.monitoring import Monitor
from ifcn_tf.training.observers import Pause
from ifcn_tf.training.trainer import Trainer

_PANEL_INCHES = (4.2, 3.4)
#: Entries that a line is the mean of.
_SMOOTHED = 10


class Curves:
    """Draws `curves.png` beside `metrics.jsonl` whenever the run is measured, and at its end; an `Observer`.

    Args:
        folder: of the run.
        measures: titles of panels, each with the beginning of the names of the scalars in it (`tasks.Task.curves`).
    """

    def __init__(self, folder: Path, measures: Mapping[str, str]) -> None:
        self._folder, self._measures = folder, measures

    def __call__(self, trainer: Trainer, monitor: Monitor, pause: Pause) -> None:
        """See `Observer`; raises UserError when the folder cannot be written."""
        config = trainer.config.train
        lines = self._folder / "metrics.jsonl"
        if lines.exists() and (trainer.step % config.validate_every == 0 or trainer.step == config.steps):
            write_bytes(self._folder / "curves.png", drawn(lines, self._measures))


def drawn(lines: Path, measures: Mapping[str, str]) -> bytes:
    """Draws what a run has written.

    Args:
        lines: its `metrics.jsonl`: a json object a line, "step" and scalars.
        measures: as for `Curves`.

    Returns:
        A PNG with a panel for the losses, and one for each of the measures that was written.
    """
    entries = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    names = sorted({name for entry in entries for name in entry})
    panels = {"loss": [name for name in names if name.endswith("loss")]}
    panels |= {title: [name for name in names if name.startswith(begin)] for title, begin in measures.items()}
    panels = {title: shown for title, shown in panels.items() if shown}
    figure = Figure(figsize=(_PANEL_INCHES[0] * len(panels), _PANEL_INCHES[1]), layout="constrained")
    for axis, (title, shown) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for name in shown:
            _plot(axis, name, [(entry["step"], entry[name]) for entry in entries if name in entry])
        axis.set(title=title, xlabel="step")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()


def _plot(axis: Axes, name: str, points: list[tuple[int, float]]) -> None:
    """A line of means of neighbours where there are many points, else the points themselves."""
    size = _SMOOTHED if len(points) > 3 * _SMOOTHED else 1
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    means = [[sum(column) / len(group) for column in zip(*group, strict=True)] for group in groups]
    axis.plot(*zip(*means, strict=True), "o-" if size == 1 else "-", ms=3, label=name)
