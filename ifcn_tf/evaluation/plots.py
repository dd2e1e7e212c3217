"""Curves of average recall, as the papers draw them; every figure as PNG and SVG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ifcn_tf.common.files import write_bytes
from ifcn_tf.evaluation.calibration import FEW
from ifcn_tf.evaluation.evaluate import Evaluation
from ifcn_tf.evaluation.matching import SIZES, THRESHOLDS
from ifcn_tf.evaluation.protocols import PUBLISHED_LIMITS, Published

_TITLES = {
    "all": "all objects",
    "small": "small (area ≤ 32² px)",
    "medium": "medium",
    "large": "large (area ≥ 96² px)",
}
_PANEL_INCHES = (4.2, 3.4)
#: Okabe and Ito's colours, told apart by colour-blind readers too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def write_plots(folder: Path, evaluations: Sequence[Evaluation], published: Sequence[Published] = ()) -> list[Path]:
    """Writes {mask,box}_recall_iou.{png,svg} (figures 6 and 7) and {mask,box}_ar_proposals.{png,svg} (DeepMask, 4).

    Each also as ..._by_size with a row, or panel, for small, medium and large objects. And reliability.{png,svg}, of
    the evaluations whose scores lie in 0..1.

    Args:
        folder: where to write.
        evaluations: one line each; those without masks have no line in the figures of masks.
        published: average recall of masks, drawn beside ours as points at 10, 100 and 1000 proposals.

    Returns:
        The files written.
    """
    written = []
    for kind in ("mask", "box"):
        drawn = [evaluation for evaluation in evaluations if kind in evaluation.kinds]
        if not drawn:
            continue
        by_size = [size for size in SIZES if size != "all"]
        figures = {
            "recall_iou": _recall_iou(drawn, kind, ["all"]),
            "recall_iou_by_size": _recall_iou(drawn, kind, by_size),
            "ar_proposals": _ar_proposals(drawn, kind, ["all"], published if kind == "mask" else ()),
            "ar_proposals_by_size": _ar_proposals(drawn, kind, by_size, ()),
        }
        for name, figure in figures.items():
            written += _write(folder / f"{kind}_{name}", figure)
    if any(evaluation.calibration for evaluation in evaluations):
        written += _write(folder / "reliability", _reliability(evaluations))
    else:
        for path in _files(folder / "reliability"):
            path.unlink(missing_ok=True)  # of an evaluation before this one
    return written


def _recall_iou(evaluations: Sequence[Evaluation], kind: str, sizes: Sequence[str]) -> Figure:
    """Recall against IoU: a row for each size class, a panel for each number of proposals."""
    limits = [measure.limit for measure in evaluations[0].kinds[kind].measures["all"]]
    figure, axes = _panels(len(sizes), len(limits))
    for row, size in zip(axes, sizes, strict=True):
        for i, (axis, limit) in enumerate(zip(row, limits, strict=True)):
            for evaluation, colour in zip(evaluations, _colours(evaluations), strict=True):
                measure = evaluation.kinds[kind].measures[size][i]
                label = f"{evaluation.name}  (AR {_number(measure.ar)})"
                axis.plot(THRESHOLDS, np.array(measure.recalls) / 100, "o-", ms=3, color=colour, label=label)
            _finish(axis, f"{limit} proposals, {_TITLES[size]}", f"IoU of {_NOUNS[kind]}", "recall")
            axis.set_xlim(0.5, 1)
    return figure


def _ar_proposals(
    evaluations: Sequence[Evaluation], kind: str, sizes: Sequence[str], published: Sequence[Published]
) -> Figure:
    """Average recall against the number of proposals: a panel for each size class."""
    figure, axes = _panels(1, len(sizes))
    for axis, size in zip(axes[0], sizes, strict=True):
        for evaluation, colour in zip(evaluations, _colours(evaluations), strict=True):
            curve = evaluation.kinds[kind].curves[size]
            label = f"{evaluation.name}  (AUC {_number(curve.auc)})"
            axis.plot(curve.limits, np.array(curve.recalls) / 100, color=colour, label=label)
        for i, row in enumerate(published):
            grey = str(0.75 - 0.65 * i / max(len(published) - 1, 1))
            label = f"{row.method}, published"
            axis.plot(PUBLISHED_LIMITS, np.array(row.recalls) / 100, f"{'sD^vo'[i % 5]}:", color=grey, label=label)
        axis.set_xscale("log")
        _finish(axis, _TITLES[size], "proposals an image", f"average recall of {_NOUNS[kind]}")
    return figure


def _reliability(evaluations: Sequence[Evaluation]) -> Figure:
    """Mean IoU against score, and below it how many proposals there are: a point for each tenth of the scores."""
    figure, ((reliability,), (numbers,)) = _panels(2, 1)
    reliability.plot([0, 1], [0, 1], ":", color="0.5", label="score = IoU")
    for evaluation, colour in zip(evaluations, _colours(evaluations), strict=True):
        if (found := evaluation.calibration) is None:
            continue
        enough = found.counts > FEW
        label = f"{evaluation.name}  (expected calibration error {found.error:.3f})"
        reliability.plot(found.scores[enough], found.ious[enough], "o-", ms=3, color=colour, label=label)
        numbers.plot(found.scores[enough], found.counts[enough], "o-", ms=3, color=colour)
    _finish(reliability, f"tenths of the scores with more than {FEW} proposals", "score", "mean IoU with an object")
    reliability.set_xlim(0, 1)
    numbers.set(xlabel="score", ylabel="proposals", yscale="log", xlim=(0, 1))
    numbers.grid(alpha=0.3)
    return figure


_NOUNS = {"mask": "masks", "box": "boxes"}


def _panels(rows: int, columns: int) -> tuple[Figure, Any]:
    width, height = _PANEL_INCHES
    size = (max(width * columns, 6), max(height * rows, 4 if columns == 1 else height))
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _finish(axis: Any, title: str, x_label: str, y_label: str) -> None:
    axis.set(title=title, xlabel=x_label, ylabel=y_label, ylim=(0, 1))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, framealpha=0.8)


def _colours(evaluations: Sequence[Evaluation]) -> list[str]:
    return [_COLOURS[i % len(_COLOURS)] for i in range(len(evaluations))]


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1f}"


def _files(stem: Path) -> list[Path]:
    return [stem.with_suffix(f".{suffix}") for suffix in ("png", "svg")]


def _write(stem: Path, figure: Figure) -> list[Path]:
    paths = _files(stem)
    for path in paths:
        content = io.BytesIO()
        figure.savefig(
            content, format=path.suffix[1:], dpi=150, metadata={"Date": None} if path.suffix == ".svg" else {}
        )
        write_bytes(path, content.getvalue())
    return paths
