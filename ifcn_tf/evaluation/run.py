"""From files to files: what the command does once its flags are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ifcn_tf.common.files import UserError, write_json
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.compare import Difference, compare, compare_files, image_rows
from ifcn_tf.evaluation.evaluate import Evaluation, evaluate
from ifcn_tf.evaluation.matching import Matcher
from ifcn_tf.evaluation.pictures import find_photographs, write_pictures
from ifcn_tf.evaluation.plots import write_plots
from ifcn_tf.evaluation.protocols import PROTOCOLS, Published, apply_protocol
from ifcn_tf.evaluation.report import difference_tables, recall_table, write_csv, write_metrics, write_scalars
from ifcn_tf.evaluation.segmentation import ClassTruth, evaluate_classes
from ifcn_tf.evaluation.segmentation_report import class_table, measure_table, write_report
from ifcn_tf.evaluation.truth import Truth, read_coco
from ifcn_tf.evaluation.voc import read_voc
from ifcn_tf.results.reader import Results, read_results

#: Columns of tables where the output is no terminal: names of methods are not cut.
_CONSOLE_WIDTH = 160


@dataclasses.dataclass(frozen=True)
class Outputs:
    """What to make of an evaluation besides the table on the terminal.

    Attributes:
        folder: of metrics.json, metrics.csv and the plots.
        published: what papers state of other methods, drawn beside.
        show: folder of pictures, or None.
        photographs: folder of the images, or None where the truth knows it.
        tensorboard: folder of event files, or None.
        step: of the TensorBoard scalars.
    """

    folder: Path
    published: Sequence[Published] = ()
    show: Path | None = None
    photographs: Path | None = None
    tensorboard: Path | None = None
    step: int = 0


@dataclasses.dataclass(frozen=True)
class Measured:
    """What an evaluation of several methods found.

    Attributes:
        results: the proposals of each method, by its name.
        evaluations: of each.
        differences: of each but the first to the first.
    """

    results: dict[str, Results]
    evaluations: list[Evaluation]
    differences: list[Difference]


def read_truth(annotations: str | None, voc_root: str | None, split: str, protocol: str | None) -> Truth:
    """Reads COCO annotations or a VOC or SBD folder, whichever is given; raises UserError unless it is exactly one."""
    if (annotations is None) == (voc_root is None):
        raise UserError("give the truth: either --annotations=FILE.json, or --voc_root=DIR with --split=NAME.")
    takes_part = protocol is not None and PROTOCOLS[protocol].takes_part_of_list
    truth = read_coco(annotations) if annotations is not None else read_voc(str(voc_root), split, takes_part)
    return (apply_protocol(protocol, truth) if protocol else truth).require_objects()


def method_names(patterns: Sequence[str]) -> dict[str, str]:
    """Names of methods, to the files of their proposals: as many last parts of their paths as tell them apart.

    Raises:
        UserError: two of them are the same.
    """
    for wildcards in ("", "*?[]"):  # "run/a-*.json" is run, and where that does not tell it from others run_a-
        parts = [_name_parts(pattern, wildcards) for pattern in patterns]
        for depth in range(1, max(map(len, parts)) + 1):
            names = ["_".join(part[-depth:]) for part in parts]
            if len(set(names)) == len(names):
                return dict(zip(names, patterns, strict=True))
    raise UserError(f"the proposals {', '.join(patterns)} cannot be told apart: give each file once.")


def _name_parts(pattern: str, dropped: str) -> list[str]:
    """Parts of a path without suffix that can stand in a file name, less some characters: "run/*.json" gives run."""
    path = Path(pattern.removesuffix(".gz").removesuffix(".json"))
    parts = [part.translate(dict.fromkeys(map(ord, dropped))) for part in path.parts]
    return [part for part in parts if part and not set(part) & set("*?[]/")] or ["proposals"]


def evaluate_files(
    methods: Mapping[str, str], truth: Truth, config: EvaluationConfig, matcher: Matcher, outputs: Outputs
) -> Measured:
    """Evaluates methods on the same truth, prints tables, and writes what `outputs` asks for.

    All proposals are read, and all that the outputs need is looked for, before the first is matched.

    Args:
        methods: names, each with its results file or pattern; differences are taken from the first.
        truth: the images and their objects.
        config: numbers of proposals and the bootstrap.
        matcher: of `MATCHERS`.
        outputs: what to write and where.

    Raises:
        UserError: bad proposals, or something that an output needs is missing.
    """
    print(
        f"evaluating {', '.join(methods)} on {len(truth.images)} images, {truth.num_objects} objects of "
        f"{truth.source} into {outputs.folder}",
        flush=True,
    )
    photographs = find_photographs(truth, outputs.photographs) if outputs.show else None
    results = {name: read_results(pattern, truth.sizes, truth.ids_of_names) for name, pattern in methods.items()}
    boxes_only = [name for name, found in results.items() if not found.has_masks]
    if outputs.show and boxes_only:
        raise UserError(f"--show draws masks, and the proposals of {', '.join(boxes_only)} are boxes only.")
    evaluations = [evaluate(found, truth, name, config, matcher) for name, found in results.items()]
    differences = _differences(evaluations, truth, config)
    _print(evaluations, differences, outputs)
    settings = {"config": config.to_dict(), "proposals": dict(methods), "matcher": matcher.__name__}
    _write(evaluations, differences, truth, settings, outputs)
    if outputs.show and photographs:
        for name, found in results.items():
            folder = outputs.show if len(results) == 1 else outputs.show / name
            print(f"pictures, worst first: {write_pictures(folder, {name: found}, truth, photographs)}")
    return Measured(results, evaluations, differences)


def evaluate_segmentation(answers: Path, truth: ClassTruth, config: EvaluationConfig, folder: Path) -> None:
    """Evaluates the label images of a folder, prints tables and writes files; raises UserError on bad images."""
    print(f"evaluating {answers} on {len(truth.masks)} images of {truth.source} into {folder}", flush=True)
    evaluation = evaluate_classes(answers, truth, config)
    _console().print(measure_table(evaluation), class_table(evaluation), sep="\n")
    settings = {"config": config.to_dict(), "labels": str(answers), "truth": truth.source}
    write_report(folder, evaluation, settings)
    print(f"wrote metrics.json, classes.csv and confusion.png into {folder}")


def compare_runs(path_a: str, path_b: str, config: EvaluationConfig, folder: Path) -> None:
    """Prints the paired differences between two earlier metrics.json, and writes them to differences.json."""
    differences = compare_files(Path(path_a), Path(path_b), config)
    _console().print(*difference_tables(differences), sep="\n")
    write_json(folder / "differences.json", [difference.to_dict() for difference in differences])


def _differences(evaluations: Sequence[Evaluation], truth: Truth, config: EvaluationConfig) -> list[Difference]:
    rows = [(evaluation.name, image_rows(evaluation, truth)) for evaluation in evaluations]
    return [difference for other in rows[1:] for difference in compare(rows[0], other, config)]


def _print(evaluations: Sequence[Evaluation], differences: Sequence[Difference], outputs: Outputs) -> None:
    console = _console()
    console.print(recall_table(evaluations, outputs.published), *difference_tables(differences), sep="\n")
    for evaluation in evaluations:
        for note in evaluation.notes:
            print(f"NOTE: {evaluation.name}: {note}.")


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_CONSOLE_WIDTH)


def _write(
    evaluations: Sequence[Evaluation],
    differences: Sequence[Difference],
    truth: Truth,
    settings: dict[str, Any],
    outputs: Outputs,
) -> None:
    write_metrics(outputs.folder / "metrics.json", evaluations, truth, settings, differences)
    write_csv(outputs.folder / "metrics.csv", evaluations)
    plots = write_plots(outputs.folder, evaluations, outputs.published)
    print(f"wrote metrics.json, metrics.csv and {len(plots)} plots into {outputs.folder}")
    if outputs.tensorboard:
        write_scalars(outputs.tensorboard, evaluations, outputs.step)
        print(f"wrote TensorBoard scalars into {outputs.tensorboard}")
