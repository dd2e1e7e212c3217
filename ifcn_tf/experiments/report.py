"""A measured table as Markdown, for people, and as CSV, for programs."""

from __future__ import annotations

import csv
import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ifcn_tf.common.files import atomic_write
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.evaluation.bootstrap import holm
from ifcn_tf.evaluation.compare import Difference
from ifcn_tf.evaluation.evaluate import Evaluation
from ifcn_tf.evaluation.matching import SIZES
from ifcn_tf.evaluation.protocols import PUBLISHED_LIMITS, Published
from ifcn_tf.evaluation.run import Measured
from ifcn_tf.evaluation.truth import Truth
from ifcn_tf.experiments.setup import Setup
from ifcn_tf.experiments.tables import Row, Table

#: What a table states of a row: average recall of masks, and DeepMask's AUC, also by size.
RECALLS = tuple(f"AR@{limit}" for limit in PUBLISHED_LIMITS)
COLUMNS = (*RECALLS, "AUC", *(f"AUC {size}" for size in SIZES if size != "all"))


@dataclasses.dataclass(frozen=True)
class Number:
    """A measured number and the ends of its bootstrap interval [%]; NaN where there is no object."""

    value: float
    interval: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Report:
    """What is written of a table.

    Attributes:
        table: the rows.
        truth: the photographs and their objects.
        measured: the rows that there are proposals of, by their titles.
        given: files of proposals that were not made here, by the names of their rows.
        setup: how the others were made.
    """

    table: Table
    truth: Truth
    measured: Measured
    given: Mapping[str, str]
    setup: Setup

    @functools.cached_property
    def numbers(self) -> dict[str, dict[str, Number]]:
        """The measured numbers of rows by title, by column."""
        return {evaluation.name: numbers(evaluation) for evaluation in self.measured.evaluations}

    @functools.cached_property
    def differences(self) -> dict[tuple[str, str], tuple[Difference, float]]:
        """Differences to the reference by title and column, each with its p-value, corrected for the number of all."""
        columns = {f"mask/all/{column}": column for column in RECALLS}
        found = [row for row in self.measured.differences if row.metric in columns]
        corrected = holm([row.p_value for row in found])
        return {(row.b, columns[row.metric]): (row, p) for row, p in zip(found, corrected, strict=True)}


def numbers(evaluation: Evaluation) -> dict[str, Number]:
    """The numbers of an evaluation by column."""
    recall = evaluation.kinds["mask"]
    measures = [Number(measure.ar, measure.ar_interval) for measure in recall.measures["all"]]
    curves = [Number(recall.curves[size].auc, recall.curves[size].auc_interval) for size in SIZES]
    return dict(zip(COLUMNS, (*measures, *curves), strict=True))


def published_numbers(row: Row, data_set: str) -> dict[str, float]:
    """What was published of a row by column [%], without what was not."""
    found = row.published.get(data_set, Published("", (math.nan,) * 3))
    stated = zip(COLUMNS, (*found.recalls, *found.aucs), strict=False)
    return {column: value for column, value in stated if not math.isnan(value)}


def write(folder: Path, report: Report) -> None:
    """Writes table.csv and table.md into the folder of the figures."""
    write_csv(folder / "table.csv", report)
    write_markdown(folder / "table.md", report)
    print(f"wrote {folder / 'table.md'} and table.csv")


def write_csv(path: Path, report: Report) -> None:
    """Writes a line for each row and column of the table; empty where something is not known."""
    heading = ("row", "title", "measure", "value", "low", "high", "published")
    compared = ("difference", "difference_low", "difference_high", "p_holm")
    with atomic_write(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*heading, *compared])
        for row in report.table.rows:
            known, published = report.numbers.get(row.title, {}), published_numbers(row, report.table.data_set)
            for column in COLUMNS:
                number = known.get(column)
                values = [number.value, *number.interval] if number else [math.nan] * 3
                values.append(published.get(column, math.nan))
                difference, p = report.differences.get((row.title, column), (None, math.nan))
                values += [difference.difference, *difference.interval, p] if difference else [math.nan] * 4
                texts = ["" if math.isnan(value) else f"{value:.6f}" for value in values]
                writer.writerow([row.name, row.title, column, *texts])


def write_markdown(path: Path, report: Report) -> None:
    """Writes the table, the differences, how each row was made, notes, and the figures beside."""
    parts = (_heading, _recalls, _differences, _made, _notes, _figures)
    with atomic_write(path) as file:
        file.write("\n".join(line for part in parts for line in part(report)))


def _heading(report: Report) -> Iterator[str]:
    table, truth = report.table, report.truth
    yield f"# {table.title}"
    yield ""
    yield (
        f"Average recall (AR) of masks at 10, 100 and 1000 proposals, and AUC, its mean over the logarithm of their "
        f"number, in per cent, on {len(truth.images)} photographs with {truth.num_objects} objects of {truth.source}. "
        f"In brackets the 95 % bootstrap interval over photographs. In italics what was published, on "
        f"{table.measured_on}."
    )
    yield ""


def _recalls(report: Report) -> Iterator[str]:
    yield from _head(COLUMNS)
    for row in report.table.rows:
        if row.title in report.numbers:
            yield _line(row.title, [_with_interval(number) for number in report.numbers[row.title].values()])
        if published := published_numbers(row, report.table.data_set):
            title = f"*{row.published[report.table.data_set].method}, published*"
            yield _line(title, [f"{published[column]:.1f}" if column in published else "-" for column in COLUMNS])
    yield ""


def _differences(report: Report) -> Iterator[str]:
    titles = list(dict.fromkeys(title for title, _ in report.differences))
    if not titles:
        return
    yield f"## Differences to {report.table.reference.title}"
    yield ""
    yield (
        f"Paired over the photographs. p is that of no difference, corrected for {len(report.differences)} comparisons "
        "(Holm)."
    )
    yield ""
    yield from _head(RECALLS)
    for title in titles:
        yield _line(title, [_difference(*report.differences[title, column]) for column in RECALLS])
    yield ""


def _made(report: Report) -> Iterator[str]:
    yield "## How the rows were made"
    yield ""
    for row in report.table.rows:
        yield f"* {row.title}: {_source(row, report)}"
    yield ""


def _source(row: Row, report: Report) -> str:
    if row.title not in report.numbers:
        return "not measured, since there is no file of its results."
    if row.name in report.given:
        return f"`{report.given[row.name]}`, as given."
    if row.training is None:
        return "run here."
    config = report.setup.config(row.training)
    images, plain = config.train.images_per_step, ProposerConfig().to_dict()
    proposing = [f"{name}={value}" for name, value in row.proposer.to_dict().items() if value != plain[name]]
    return (
        f"{_with(config.model.trunk, row.training.settings)}, trained on {config.train.steps * images} images in "
        f"steps of {images}; {_with('proposes as the paper does', proposing)}."
    )


def _with(text: str, settings: Sequence[str]) -> str:
    return f"{text} but for {', '.join(f'`{setting}`' for setting in settings)}" if settings else text


def _notes(report: Report) -> Iterator[str]:
    notes = [(evaluation.name, note) for evaluation in report.measured.evaluations for note in evaluation.notes]
    if notes:
        yield "## Notes"
        yield ""
        yield from (f"* {name}: {note}." for name, note in notes)
        yield ""


def _figures(report: Report) -> Iterator[str]:
    yield "## Figures"
    yield ""
    yield "![Recall against IoU](mask_recall_iou.png)"
    yield "![Average recall against the number of proposals](mask_ar_proposals.png)"
    yield "![The same by size of objects](mask_ar_proposals_by_size.png)"
    yield ""
    if report.table.beside.title in report.numbers:
        pair = f"{report.table.beside.title} and {report.table.reference.title}"
        yield f"[Objects found and missed by {pair}, side by side](found_and_missed/index.html)"
        yield ""


def _head(columns: Sequence[str]) -> Iterator[str]:
    yield _line("", columns)
    yield "|" + "---|" * (1 + len(columns))


def _line(title: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join((title, *cells))} |"


def _with_interval(number: Number) -> str:
    low, high = number.interval
    return "-" if math.isnan(number.value) else f"{number.value:.1f} ({low:.1f}-{high:.1f})"


def _difference(found: Difference, p: float) -> str:
    low, high = found.interval
    return f"{found.difference:+.1f} ({low:+.1f} to {high:+.1f}), p = {p:.3f}"
