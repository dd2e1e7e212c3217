"""A table of a paper from data and photographs: makes what is missing, measures all rows, writes table and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ifcn_tf.common.files import UserError
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.matching import match_with_pycocotools
from ifcn_tf.evaluation.pictures import find_photographs, write_pictures
from ifcn_tf.evaluation.run import Measured, Outputs, evaluate_files
from ifcn_tf.evaluation.truth import Truth
from ifcn_tf.experiments.making import method_of, network_of, places, propose, train
from ifcn_tf.experiments.report import Report, write
from ifcn_tf.experiments.setup import Setup
from ifcn_tf.experiments.tables import Row, Table
from ifcn_tf.results.reader import read_results


def reproduce(
    name: str, table: Table, truth: Truth, images: Path, setup: Setup, given: Sequence[str] = ()
) -> int | None:
    """Makes a table: trains its networks, lets them propose, measures, and writes OUTPUT/IMAGES/tableNAME/.

    Trainings are in OUTPUT/rows/, and proposals in OUTPUT/IMAGES/proposals/, IMAGES the name of the photographs'
    folder, so that tables share both. The same call goes on where an earlier one was cut.

    Args:
        name: of the table, its number in the paper.
        table: its rows.
        truth: the photographs and their objects.
        images: folder of the photographs.
        setup: how rows are made.
        given: "row=FILE" each: COCO results that stand for what would be made here.

    Returns:
        The number of the signal that ended a training run, or None when the table is written.

    Raises:
        UserError: something that is given cannot be used; nothing is written then.
    """
    folder = find_photographs(truth, images)
    files = read_given(given, table, truth)
    missing = [row for row in table.rows if row.name not in files]
    methods = {row.name: method_of(row) for row in missing if row.method}
    trained = [row for row in missing if row.training]
    trainings = {row.training.name: row.training for row in trained if row.training}
    for training in trainings.values():  # before the first is trained
        setup.config(training)
        places(training, setup).to_dict()
    if (signal := train(trainings.values(), setup)) is not None:
        return signal
    photographs = [folder / image.file_name for image in truth.images]
    output = setup.output / images.resolve().name
    made = {
        row.name: propose(methods.get(row.name) or network_of(row, setup), photographs, output / "proposals" / row.name)
        for row in missing
        if row.training or row.method
    }
    measured = measure(table, truth, folder, files | made, output / f"table{name}")
    write(output / f"table{name}", Report(table, truth, measured, files, setup))
    return None


def measure(table: Table, truth: Truth, photographs: Path, files: Mapping[str, str], folder: Path) -> Measured:
    """Measures the rows that have a file of proposals, the reference among them, and draws the figures.

    Args:
        table: the rows.
        truth: the photographs and their objects.
        photographs: their folder.
        files: COCO results of rows, by their names.
        folder: where to write.

    Returns:
        What was measured.

    Raises:
        UserError: proposals or a photograph that cannot be used.
    """
    rows = [table.reference, *(row for row in table.rows if row is not table.reference)]
    titles = {row.title: files[row.name] for row in rows if row.name in files}
    outputs = Outputs(folder, table.published())
    measured = evaluate_files(titles, truth, EvaluationConfig(), match_with_pycocotools, outputs)
    pair = {row.title: measured.results[row.title] for row in (table.beside, table.reference) if row.name in files}
    if len(pair) == 2:
        write_pictures(folder / "found_and_missed", pair, truth, photographs)
    return measured


def read_given(texts: Sequence[str], table: Table, truth: Truth) -> dict[str, str]:
    """Files of results by the name of their row, each read to see that it can be used."""
    files = dict[str, str]()
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals:
            raise UserError(f"--results={text}: write ROW=FILE, for example {table.rows[0].name}=results.json.")
        row: Row = table.row(name)
        if row.name in files:
            raise UserError(f"--results has two files of {name}: give one.")
        if not read_results(path, truth.sizes, truth.ids_of_names).has_masks:
            raise UserError(f"{path} holds boxes alone, and the table is of masks: give results with a segmentation.")
        files[row.name] = path
    return files
