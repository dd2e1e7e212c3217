"""Instances with names, from files to files: a table of average precisions, and the same as files."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from ifcn_tf.common.files import atomic_write, write_json
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.instances import AVERAGES, IOUS, InstanceEvaluation, evaluate_instances
from ifcn_tf.evaluation.truth import Truth
from ifcn_tf.results.reader import read_results

#: Average precisions of a category, in the order of columns: way, then IoU.
_COLUMNS = [f"AP {way} @{iou}" for way in AVERAGES for iou in IOUS]


def evaluate_instance_files(methods: Mapping[str, str], truth: Truth, config: EvaluationConfig, folder: Path) -> None:
    """Evaluates instances of several methods, prints a table of each, and writes instances.json and instances.csv.

    Args:
        methods: names, each with its results file or pattern.
        truth: images, objects and categories.
        config: of the bootstrap.
        folder: to write into.

    Raises:
        UserError: results that cannot be used, or a truth without categories.
    """
    print(f"evaluating instances of {', '.join(methods)} on {len(truth.images)} images of {truth.source}", flush=True)
    results = {name: read_results(pattern, truth.sizes, truth.ids_of_names) for name, pattern in methods.items()}
    evaluations = [evaluate_instances(found, truth, name, config) for name, found in results.items()]
    for evaluation in evaluations:
        Console().print(instance_table(evaluation))
    settings = {"config": config.to_dict(), "proposals": dict(methods), "truth": truth.source}
    write_json(folder / "instances.json", {"settings": settings, "methods": [to_dict(e) for e in evaluations]})
    write_instances_csv(folder / "instances.csv", evaluations)
    print(f"wrote instances.json and instances.csv into {folder}")


def instance_table(evaluation: InstanceEvaluation) -> Table:
    """AP [%] of each category, and their means with bootstrap intervals over images."""
    table = Table(
        title=f"{evaluation.name}: average precision of masks [%], and intervals of its mean over categories",
        caption=f"COCO's AP .5:.95: {evaluation.coco:.1f}",
        box=SIMPLE,
    )
    table.add_column("category, objects")
    for heading in _COLUMNS:
        table.add_column(heading, justify="right")
    for i, category in enumerate(evaluation.categories):
        cells = [f"{value:.1f}" for value in evaluation.precisions[:, :, i].ravel()]
        table.add_row(f"{category} {evaluation.objects[i]}", *cells)
    table.add_section()
    ends = evaluation.intervals.reshape(-1, 2)
    means = [f"{m:.1f}\n{low:.1f}-{high:.1f}" for m, (low, high) in zip(evaluation.means.ravel(), ends, strict=True)]
    table.add_row("mean (mAP^r)", *means)
    return table


def to_dict(evaluation: InstanceEvaluation) -> dict[str, Any]:
    """All numbers [%] as JSON types, by column."""

    def by_column(values: np.ndarray) -> dict[str, Any]:
        return dict(zip(_COLUMNS, np.reshape(values, (len(_COLUMNS), *values.shape[2:])).tolist(), strict=True))

    precisions = [by_column(evaluation.precisions[:, :, i]) for i in range(len(evaluation.categories))]
    return {
        "name": evaluation.name,
        "mean": by_column(evaluation.means),
        "intervals": by_column(evaluation.intervals),
        "coco_ap": evaluation.coco,
        "objects": dict(zip(evaluation.categories, evaluation.objects.tolist(), strict=True)),
        "categories": dict(zip(evaluation.categories, precisions, strict=True)),
    }


def write_instances_csv(path: Path, evaluations: Sequence[InstanceEvaluation]) -> None:
    """Writes a line for each method and category, and one for the mean over categories."""
    with atomic_write(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["method", "category", "objects", *_COLUMNS])
        for e in evaluations:
            rows = [*zip(e.categories, e.objects, e.precisions.transpose(2, 0, 1), strict=True)]
            for category, objects, values in [*rows, ("mean", e.objects.sum(), e.means)]:
                writer.writerow([e.name, category, objects, *(f"{value:.6f}" for value in values.ravel())])
