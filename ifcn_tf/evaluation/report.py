"""An evaluation as a table, as files that programs read, and as TensorBoard scalars."""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from ifcn_tf.common.files import atomic_write
from ifcn_tf.evaluation.compare import Difference, image_rows
from ifcn_tf.evaluation.evaluate import Evaluation, KindRecall
from ifcn_tf.evaluation.matching import SIZES, THRESHOLDS
from ifcn_tf.evaluation.measures import Measure
from ifcn_tf.evaluation.protocols import PUBLISHED_LIMITS, Published
from ifcn_tf.evaluation.truth import Truth

FORMAT_VERSION = 1


def recall_table(evaluations: Sequence[Evaluation], published: Sequence[Published] = ()) -> Table:
    """AR [%] of masks and boxes: a block for each method and kind, a row for each size class, then published ones."""
    limits = [measure.limit for measure in next(iter(evaluations[0].kinds.values())).measures["all"]]
    table = Table(
        title="Average recall [%], and below it the ends of its bootstrap interval over images",
        caption=f"R.5, R.7: recall at that IoU; IoU: mean best IoU; all three at {limits[-1]} proposals",
        box=SIMPLE,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("")
    for heading in [*(f"AR@{limit}" for limit in limits), "AUC", "R.5", "R.7", "IoU"]:
        table.add_column(heading, justify="right", no_wrap=True)
    for evaluation in evaluations:
        for kind, recall in evaluation.kinds.items():
            table.add_row(f"{evaluation.name}, {kind}")
            for size in SIZES:
                table.add_row(*_cells(recall, size), end_section=size == "large")
    for row in published:
        known = dict(zip(PUBLISHED_LIMITS, row.recalls, strict=True))
        table.add_row(f"{row.method}, published", *(_percent(known.get(limit, math.nan)) for limit in limits))
    return table


def _cells(recall: KindRecall, size: str) -> Iterator[str]:
    measures = recall.measures[size]
    last = measures[-1]
    yield f"  {size} {last.objects}"
    for measure in measures:
        yield _with_interval(measure)
    for value in (recall.curves[size].auc, last.recall_at(0.5), last.recall_at(0.7), last.mean_best_iou):
        yield _percent(value)


def _with_interval(measure: Measure) -> str:
    """Two lines: an interval is not symmetric, and no end of it passes 0 or 100."""
    ends = "-".join(map(_percent, measure.ar_interval))
    return f"{_percent(measure.ar)}\n{ends}" if measure.objects else "-"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"


def difference_tables(differences: Sequence[Difference]) -> Iterator[Table]:
    """Paired differences [%], marked where their interval leaves out 0: a table for each pair."""
    for (a, b), rows in itertools.groupby(differences, lambda row: (row.a, row.b)):
        table = Table(title=f"Paired differences of average recall [%]\nA = {a}\nB = {b}", box=SIMPLE)
        for heading in ("", "A", "B", "B - A", "interval", "beyond chance"):
            table.add_column(heading, justify="right" if heading else "left")
        for row in rows:
            low, high = row.interval
            values = (_percent(row.ar_a), _percent(row.ar_b), f"{row.difference:+.1f}", f"[{low:+.1f}, {high:+.1f}]")
            table.add_row(row.metric, *values, "yes" if row.beyond_chance else "no")
        yield table


def scalars(evaluation: Evaluation) -> dict[str, float]:
    """Every number of an evaluation by name, such as "mask/small/AR@100" [%]; those without objects are left out."""
    found = {}
    for kind, recall in evaluation.kinds.items():
        for size in SIZES:
            for measure in recall.measures[size]:
                for name, value in _values(measure).items():
                    found[f"{kind}/{size}/{name}@{measure.limit}"] = value
            found[f"{kind}/{size}/AUC"] = recall.curves[size].auc
        for category, values in recall.categories.items():
            for measure, value in zip(recall.measures["all"], values, strict=True):
                found[f"{kind}/category {category}/AR@{measure.limit}"] = value
    return {name: round(value, 6) for name, value in found.items() if not math.isnan(value)}


def _values(measure: Measure) -> dict[str, float]:
    return {
        "AR": measure.ar,
        "hosang": measure.hosang,
        "recall_50": measure.recall_at(0.5),
        "recall_70": measure.recall_at(0.7),
        "mean_best_iou": measure.mean_best_iou,
    }


def write_metrics(
    path: Path,
    evaluations: Sequence[Evaluation],
    truth: Truth,
    settings: dict[str, Any],
    differences: Sequence[Difference] = (),
) -> None:
    """Writes metrics.json: all numbers [%], and what every image adds to them, which `compare` needs.

    The images come last, one a line, so that the file can be read by people too.
    """
    content = {
        "format": FORMAT_VERSION,
        "unit": "percent",
        "truth": {"source": truth.source, "images": len(truth.images), "objects": truth.num_objects},
        "settings": settings,
        "iou_thresholds": THRESHOLDS.round(2).tolist(),
        "methods": [_method(evaluation) for evaluation in evaluations],
        "differences": [row.to_dict() for row in differences],
    }
    images = {evaluation.name: image_rows(evaluation, truth) for evaluation in evaluations}
    head = json.dumps(content, indent=2).removesuffix("\n}")
    methods = ",\n".join(
        f"    {json.dumps(name)}: [\n" + ",\n".join(f"      {json.dumps(row)}" for row in rows) + "\n    ]"
        for name, rows in images.items()
    )
    with atomic_write(path) as file:
        file.write(f'{head},\n  "images": {{\n{methods}\n  }}\n}}\n')


def _method(evaluation: Evaluation) -> dict[str, Any]:
    measures = [
        (f"{kind}/{size}", measure)
        for kind, recall in evaluation.kinds.items()
        for size in SIZES
        for measure in recall.measures[size]
        if measure.objects
    ]
    return {
        "name": evaluation.name,
        "proposals": evaluation.num_proposals,
        "notes": evaluation.notes,
        "objects": {name: measure.objects for name, measure in measures},
        "metrics": scalars(evaluation),
        "intervals": dict(_intervals(evaluation)),
        "recall_at_iou": {f"{name}@{m.limit}": [round(share, 6) for share in m.recalls] for name, m in measures},
        "calibration": evaluation.calibration and evaluation.calibration.to_dict(),
    }


def _intervals(evaluation: Evaluation) -> Iterator[tuple[str, list[float]]]:
    for kind, recall in evaluation.kinds.items():
        for size in (size for size in SIZES if recall.measures[size][0].objects):
            for measure in recall.measures[size]:
                yield f"{kind}/{size}/AR@{measure.limit}", [round(end, 6) for end in measure.ar_interval]
            yield f"{kind}/{size}/AUC", [round(end, 6) for end in recall.curves[size].auc_interval]


CSV_COLUMNS = (
    *("method", "kind", "size", "objects", "num_proposals", "AR", "AR_low", "AR_high"),
    *("hosang", "recall_50", "recall_70", "mean_best_iou", "AUC"),
)


def write_csv(path: Path, evaluations: Sequence[Evaluation]) -> None:
    """Writes metrics.csv: a line for each method, kind, size class and number of proposals; empty where undefined."""
    with atomic_write(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for evaluation in evaluations:
            for kind, recall in evaluation.kinds.items():
                for size in SIZES:
                    for m in recall.measures[size]:
                        ar, *others = _values(m).values()
                        values = [ar, *m.ar_interval, *others, recall.curves[size].auc]
                        texts = ["" if math.isnan(value) else f"{value:.6f}" for value in values]
                        writer.writerow([evaluation.name, kind, size, m.objects, m.limit, *texts])


def write_scalars(folder: Path, evaluations: Sequence[Evaluation], step: int) -> None:
    """Adds the scalars of every method to TensorBoard event files."""
    from tensorboard.summary import Writer  # here, since it loads TensorFlow

    for evaluation in evaluations:
        writer = Writer(str(folder / evaluation.name))
        for name, value in scalars(evaluation).items():
            writer.add_scalar(name.replace(" ", "_"), value, step)
        writer.close()
