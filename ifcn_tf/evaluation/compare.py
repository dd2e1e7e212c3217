"""Is one method better than another, or were the images kind? Differences on the same images, with an interval."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import UserError, read_json
from ifcn_tf.common.ids import ImageId, canonical_id, examples
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.bootstrap import interval, p_value, resample, resampled_recalls
from ifcn_tf.evaluation.evaluate import Evaluation
from ifcn_tf.evaluation.matching import SIZES
from ifcn_tf.evaluation.measures import percent
from ifcn_tf.evaluation.truth import Truth

#: What each image adds to the recalls of a method: (objects, hits) by size class or AR.
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Difference:
    """How much more B recalls than A on the same images [%].

    Attributes:
        a, b: names of the methods.
        metric: such as "mask/all/AR@100".
        ar_a, ar_b: of each.
        interval: bootstrap interval of B - A; both are resampled together, so what makes images hard cancels.
        p_value: of "B - A is 0", from the same resamples.
    """

    a: str
    b: str
    metric: str
    ar_a: float
    ar_b: float
    interval: tuple[float, float]
    p_value: float

    @property
    def difference(self) -> float:
        """B - A [%]."""
        return self.ar_b - self.ar_a

    @property
    def beyond_chance(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval[0] > 0 or self.interval[1] < 0

    def to_dict(self) -> dict[str, Any]:
        """The fields and what follows from them, as JSON types."""
        return dataclasses.asdict(self) | {"difference": self.difference, "beyond_chance": self.beyond_chance}


def image_rows(evaluation: Evaluation, truth: Truth) -> list[Row]:
    """What `compare` needs of each image: objects by size class, hits (over ten thresholds) by AR.

    An average recall is the sum of its hits over ten times the sum of its objects.
    """
    count = len(truth.images)
    tables = {kind: recall.table for kind, recall in evaluation.kinds.items()}
    objects = {size: next(iter(tables.values())).objects(size, count) for size in SIZES}
    hits = {
        f"{kind}/{size}/AR@{measure.limit}": table.hits(size, measure.limit, count)
        for kind, table in tables.items()
        for size in SIZES
        for measure in evaluation.kinds[kind].measures[size]
    }
    return [
        {
            "image_id": image.image_id,
            "objects": {size: int(values[i]) for size, values in objects.items()},
            "hits": {name: int(values[i]) for name, values in hits.items()},
        }
        for i, image in enumerate(truth.images)
    ]


def compare(a: tuple[str, Sequence[Row]], b: tuple[str, Sequence[Row]], config: EvaluationConfig) -> list[Difference]:
    """Paired differences of every AR that both methods have.

    Args:
        a, b: names and `image_rows`.
        config: resamples, confidence and seed.

    Raises:
        UserError: the images, or their objects, are not the same.
    """
    rows_a, rows_b = ({row["image_id"]: row for row in rows} for _, rows in (a, b))
    _require_same_images(a[0], b[0], rows_a, rows_b)
    draws = resample(len(rows_a), config.resamples, config.seed)
    return [
        difference
        for metric in rows_a[next(iter(rows_a))]["hits"]
        if metric in rows_b[next(iter(rows_b))]["hits"]
        and (difference := _difference(a[0], b[0], metric, list(rows_a.values()), rows_b, draws, config)) is not None
    ]


def _difference(
    a: str,
    b: str,
    metric: str,
    rows_a: Sequence[Row],
    rows_b: Mapping[ImageId, Row],
    draws: np.ndarray,
    config: EvaluationConfig,
) -> Difference | None:
    """None where no object is of the metric's size class."""
    objects = np.array([row["objects"][_size(metric)] for row in rows_a])
    if not objects.any():
        return None
    hits_a = np.array([row["hits"][metric] for row in rows_a])
    hits_b = np.array([rows_b[row["image_id"]]["hits"][metric] for row in rows_a])
    recall_a, recall_b = (float(percent(hits.sum(), 10 * objects.sum())) for hits in (hits_a, hits_b))
    values = resampled_recalls(draws, hits_b - hits_a, objects)
    return Difference(a, b, metric, recall_a, recall_b, interval(values, config.confidence), p_value(values))


def _require_same_images(a: str, b: str, rows_a: Mapping[ImageId, Row], rows_b: Mapping[ImageId, Row]) -> None:
    if alone := sorted(set(rows_a) ^ set(rows_b), key=str):
        raise UserError(
            f"{a} and {b} were evaluated on different images ({len(alone)} in one only: {examples(alone)}), "
            "so they cannot be compared."
        )
    if unlike := [i for i, row in rows_a.items() if row["objects"] != rows_b[i]["objects"]]:
        raise UserError(f"{a} and {b} were evaluated on different objects, of images {examples(unlike)}.")


def compare_files(path_a: Path, path_b: Path, config: EvaluationConfig) -> list[Difference]:
    """Paired differences between two metrics.json of one method each; raises UserError when they do not fit."""
    return compare(_read_rows(path_a), _read_rows(path_b), config)


def _read_rows(path: Path) -> tuple[str, list[Row]]:
    content = read_json(path)
    methods = content.get("images") if isinstance(content, dict) else None
    if not (isinstance(methods, dict) and methods and all(_are_rows(rows) for rows in methods.values())):
        raise UserError(
            f"{path} is no metrics.json of this command: its 'images' do not hold what each image adds to the recalls."
        )
    if len(methods) > 1:
        raise UserError(f"{path} holds several methods and their differences already: give files of one method each.")
    return str(path), next(iter(methods.values()))


def _are_rows(rows: Any) -> bool:
    """Whether they are like those of `image_rows`: one at least, and all of the same ARs."""
    return (
        isinstance(rows, list)
        and bool(rows)
        and all(isinstance(row, dict) and {"image_id", "objects", "hits"} <= row.keys() for row in rows)
        and all(canonical_id(row["image_id"]) is not None for row in rows)
        and all(_are_counts(row["objects"]) and row["objects"].keys() == SIZES.keys() for row in rows)
        and all(_are_counts(row["hits"]) and row["hits"].keys() == rows[0]["hits"].keys() for row in rows)
        and all(_size(metric) in SIZES for metric in rows[0]["hits"])
    )


def _size(metric: str) -> str:
    """The size class of a metric: "all" of "mask/all/AR@100"."""
    return metric.partition("/")[2].partition("/")[0]


def _are_counts(values: Any) -> bool:
    return (
        isinstance(values, dict)
        and bool(values)
        and all(type(value) is int and value >= 0 for value in values.values())
    )
