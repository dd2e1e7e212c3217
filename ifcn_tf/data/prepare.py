"""Runs through a source once: loads on all cores, counts what has to be left out, and writes the rest."""

from __future__ import annotations

import dataclasses
import functools
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ifcn_tf.annotations.coco_writer import write_coco
from ifcn_tf.annotations.example import Example, Job, Loaded, Problem, Source
from ifcn_tf.common.classes import VOID
from ifcn_tf.common.files import UserError, whole_folder, write_bytes
from ifcn_tf.common.pool import in_processes
from ifcn_tf.common.progress import track
from ifcn_tf.config.settings import require, require_known
from ifcn_tf.data.records import Writer
from ifcn_tf.images.files import encode, name_of_encoded

#: Places of each kind of problem that a report quotes.
_QUOTED = 5


@dataclasses.dataclass
class Report:
    """What was found.

    Attributes:
        images: examples kept.
        images_left_out: images dropped whole.
        objects: objects kept, crowds included.
        crowds: of them, crowds.
        problems: by kind, their "count" and the first few places as "examples".
    """

    images: int = 0
    images_left_out: int = 0
    objects: int = 0
    crowds: int = 0
    problems: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def add(self, loaded: Loaded) -> None:
        """Counts one image."""
        for problem in loaded.problems:
            entry = self.problems.setdefault(problem.kind, {"count": 0, "examples": []})
            entry["count"] += 1
            entry["examples"] += [problem.where] if entry["count"] <= _QUOTED else []
        if loaded.example is None:
            self.images_left_out += 1
            return
        self.images += 1
        self.objects += len(loaded.example.objects)
        self.crowds += sum(o.is_crowd for o in loaded.example.objects)

    def lines(self) -> Iterator[str]:
        """The report as text."""
        yield f"{self.images} images with {self.objects} objects, {self.crowds} of them crowds"
        for kind, entry in sorted(self.problems.items()):
            yield f"left out: {entry['count']} x {kind}"
            yield from (f"    {where}" for where in entry["examples"])


class _Selected:
    """Iterates over jobs, each followed by a selection of what it loads.

    Args:
        jobs: of a source.
        kept: of each of its categories, by number, whether it is kept.
    """

    def __init__(self, jobs: Iterable[Job], kept: dict[int, bool]) -> None:
        self._jobs, self._kept = jobs, kept

    def __iter__(self) -> Iterator[Job]:
        return (functools.partial(_select, job, self._kept) for job in self._jobs)


def _select(job: Job, kept: dict[int, bool]) -> Loaded:
    loaded = job()
    if (example := loaded.example) is None:
        return loaded
    objects = tuple(item for item in example.objects if kept.get(item.category_id))
    classes = _selected_classes(example.classes, kept)
    return dataclasses.replace(loaded, example=dataclasses.replace(example, objects=objects, classes=classes))


def _selected_classes(classes: bytes, kept: dict[int, bool]) -> bytes:
    """A class mask (`Example.classes`) of the categories that are kept; others become background."""
    if not classes:
        return classes
    with Image.open(io.BytesIO(classes)) as picture:
        values = np.asarray(picture)
    flags = np.array([False, *(kept[number] for number in sorted(kept))])
    table = np.full(VOID + 1, VOID, np.uint8)
    table[: len(flags)] = np.cumsum(flags) * flags
    return encode(Image.fromarray(table[values]), "PNG")


def of_categories(source: Source, names: Sequence[str]) -> Source:
    """A source with the objects of named categories alone; others then are background, as in DeepMask20.

    Raises:
        UserError: the source has no such category, of which the nearest is named, or it has none.
    """
    require(bool(source.categories), "the annotations name no categories: leave --categories out.")
    for name in names:
        require_known("categories", name, source.categories.values())
    kept = {number: name for number, name in source.categories.items() if name in names}
    selection = {number: number in kept for number in source.categories}
    return dataclasses.replace(source, categories=kept, jobs=_Selected(source.jobs, selection))


#: Consumes examples one by one; the report is complete when they end.
Write = Callable[[Iterable[Example], Report], None]
#: Runs jobs, so many at once, and yields their results in order.
Run = Callable[[Iterable[Job], int], Iterator[Loaded]]


def prepare(
    source: Source,
    write: Write,
    workers: int,
    on_problem: Callable[[Problem], None],
    run: Run = in_processes,
) -> Report:
    """Loads every image of a source and writes it, in one pass; memory does not grow with the number of images.

    Args:
        source: what to read.
        write: where to write, for example `records_writer(...)`.
        workers: processes that load.
        on_problem: called with everything that is left out: `tolerate`, or `refuse`.
        run: takes jobs and `workers`, and yields results in order.

    Raises:
        UserError: nothing is left to write, or writing fails.
    """
    report = Report()
    results = track(run(source.jobs, workers), source.size, "preparing")
    write(_checked(results, report, on_problem), report)
    return report


def tolerate(problem: Problem) -> None:
    """Leaves a problem to the report."""


def refuse(problem: Problem) -> None:
    """Makes a problem an error."""
    where = problem.where.removesuffix(".")  # it may end with another error's sentence
    raise UserError(f"{problem.kind}: {where}; mend it, or leave it out by preparing without --strict.")


def _checked(results: Iterable[Loaded], report: Report, on_problem: Callable[[Problem], None]) -> Iterator[Example]:
    for loaded in results:
        report.add(loaded)
        for problem in loaded.problems:
            on_problem(problem)
        if loaded.example is not None:
            yield loaded.example
    if not report.images:
        reasons = "; ".join(f"{e['count']} x {kind}, as {e['examples'][0]}" for kind, e in report.problems.items())
        raise UserError(f"no image could be used: {reasons or 'the source lists none'}.")


def records_writer(source: Source, output: Path, num_shards: int, partial: bool = False) -> Write:
    """Writes a folder that `training_examples` reads, all of it or nothing.

    Args:
        source: gives the categories, and whether it is partial by itself.
        output: the folder, which must not exist; its name begins the shards' names.
        num_shards: number of shards.
        partial: whether the photographs may show other objects, of classes that nobody labelled.
    """
    partial = partial or source.is_partial

    def write(examples: Iterable[Example], report: Report) -> None:
        with whole_folder(output) as folder:
            writer = Writer(folder, output.name, num_shards)
            for example in examples:
                writer.write(example)
            report_values = dataclasses.asdict(report)
            writer.close({"categories": source.categories, "partial": partial, "report": report_values})

    return write


def coco_writer(source: Source, output: Path, images: Path | None = None) -> Write:
    """Writes a COCO json, and the images, as JPEG or PNG, into the folder `images` if given; see `write_coco`.

    Raises:
        UserError: there is such a file already.
    """
    if output.exists():
        raise UserError(f"{output} exists already; remove it, or choose another --output.")

    def copied(examples: Iterable[Example]) -> Iterator[Example]:
        for example in examples:
            if images is not None:
                name = name_of_encoded(example.file_name, example.encoded)
                example = dataclasses.replace(example, file_name=name)
                _write_copy(images / name, example.encoded)
            yield example

    return lambda examples, report: write_coco(copied(examples), source.categories, output)


def _write_copy(path: Path, encoded: bytes) -> None:
    """Writes a photograph, but never over another one: neither over one of the same name, nor over its own original."""
    if not path.is_file():
        write_bytes(path, encoded)
    elif path.read_bytes() != encoded:
        raise UserError(f"{path} is there already, and another file: copy into an empty folder, from distinct names.")
