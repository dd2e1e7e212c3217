"""An evaluation of label images as tables, as files that programs read, and as a picture."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.box import SIMPLE
from rich.table import Table

from ifcn_tf.common.files import atomic_write, write_bytes, write_json
from ifcn_tf.evaluation.segmentation import ClassEvaluation

#: What the measures are called in tables.
_TITLES = {
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "mean_iu": "mean IU",
    "weighted_iu": "frequency weighted IU",
}
#: Side of a class in the picture [inches].
_CELL_INCHES = 0.36


def measure_table(evaluation: ClassEvaluation) -> Table:
    """FCN's four measures [%] with their intervals."""
    table = Table(title=f"Classes of the pixels of {evaluation.images} images [%]", box=SIMPLE)
    for heading in ("", "value", "interval"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (value, ends) in evaluation.measures.items():
        table.add_row(_TITLES[name], f"{value:.1f}", "-".join(f"{end:.1f}" for end in ends))
    return table


def class_table(evaluation: ClassEvaluation) -> Table:
    """IU of each class with its interval, accuracy and share of the pixels [%]."""
    table = Table(title="By class [%]", box=SIMPLE)
    for heading in ("", "IU", "interval", "accuracy", "of all pixels"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, iu, low, high, accuracy, share in _rows(evaluation):
        ends = "-" if math.isnan(low) else f"{low:.1f}-{high:.1f}"
        table.add_row(name, _text(iu), ends, _text(accuracy), f"{share:.1f}")
    return table


def write_report(folder: Path, evaluation: ClassEvaluation, settings: dict[str, Any]) -> None:
    """Writes metrics.json, classes.csv and confusion.png and .svg; raises UserError when it cannot."""
    rows = list(_rows(evaluation))
    content = {
        "unit": "percent",
        "settings": settings,
        "images": evaluation.images,
        "metrics": {name: value for name, (value, _) in evaluation.measures.items()},
        "intervals": {name: list(ends) for name, (_, ends) in evaluation.measures.items()},
        "class_iu": {name: None if math.isnan(iu) else iu for name, iu, *_ in rows},
        "classes": list(evaluation.names),
        "confusion": evaluation.matrix.tolist(),
    }
    write_json(folder / "metrics.json", content)
    with atomic_write(folder / "classes.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["class", "IU", "IU_low", "IU_high", "accuracy", "share"])
        writer.writerows([name, *("" if math.isnan(v) else f"{v:.6f}" for v in values)] for name, *values in rows)
    figure = confusion_figure(evaluation)
    for suffix in ("png", "svg"):
        picture = io.BytesIO()
        figure.savefig(picture, format=suffix, dpi=110, metadata={"Date": None} if suffix == "svg" else {})
        write_bytes(folder / f"confusion.{suffix}", picture.getvalue())


def confusion_figure(evaluation: ClassEvaluation) -> Figure:
    """What became of the pixels of each class: a row for each true one, whose shares sum to 100 %."""
    names, matrix = list(evaluation.names), evaluation.matrix
    shares = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    side = max(4.0, _CELL_INCHES * len(names) + 1.5)
    figure = Figure(figsize=(side, side), layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    axis.set(xticks=range(len(names)), yticks=range(len(names)), xlabel="answer", ylabel="truth")
    axis.set_xticklabels(names, rotation=90, fontsize=7)
    axis.set_yticklabels(names, fontsize=7)
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.5:
            colour = "white" if share > 50 else "black"
            axis.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=6, color=colour)
    axis.set_title("share of the pixels of each class, %", fontsize=9)
    return figure


def _rows(evaluation: ClassEvaluation) -> list[tuple[str, float, float, float, float, float]]:
    """Of each class its name, IU with the ends of its interval, accuracy, and share of the pixels [%]."""
    shares = 100 * evaluation.matrix.sum(1) / evaluation.matrix.sum()
    columns = (evaluation.ius, *evaluation.ius_intervals.T, evaluation.accuracies, shares)
    return list(zip(evaluation.names, *(column.tolist() for column in columns), strict=True))


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"
