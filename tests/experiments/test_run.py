"""A whole table: a narrow network, generated scenes, a method without a network and a file."""

import csv
import dataclasses
import functools
import json
import os
import shutil
import signal

import numpy as np
import pytest
from PIL import Image

from ifcn_tf.common.files import UserError
from ifcn_tf.config.presets import RunConfig
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.training import DataConfig, TrainConfig
from ifcn_tf.evaluation.bootstrap import holm
from ifcn_tf.evaluation.evaluate import evaluate
from ifcn_tf.evaluation.protocols import Published
from ifcn_tf.evaluation.truth import read_coco
from ifcn_tf.experiments import making
from ifcn_tf.experiments.run import reproduce
from ifcn_tf.experiments.setup import Setup
from ifcn_tf.experiments.tables import Row, Table, Training
from ifcn_tf.models.weights import read_weights
from ifcn_tf.results.reader import read_results
from tests.support.evaluation_data import random_case, write
from tests.support.prepared import prepare_shapes
from tests.support.tiny import TINY, TinyTrunk

BASE = RunConfig(
    model=TINY,
    data=DataConfig(shorter_sides=(119, 178), fitting_scales=1.0),
    train=TrainConfig(images_per_step=2, precision="float32", log_every=1, frozen_blocks=1),
)
K5, PROPOSER = Training("k5"), ProposerConfig(shorter_sides=(119,), num_proposals=30)
REFERENCE = Row("k5", "ours", K5, PROPOSER)
OTHER_SCALE = Row("k5_small", "ours, small", K5, ProposerConfig(shorter_sides=(80,), num_proposals=20))
SEARCH = Row("selective_search", "Selective Search", proposer=PROPOSER, method="selective_search")
FILE = Row("mcg", "MCG", published={"voc": Published("MCG", (1.0, 2.0, 3.0), (4.0,))})
ABSENT = Row("mnc", "MNC", published={"voc": Published("MNC", (5.0, 6.0, 7.0))})
TABLE = Table("A table", "voc", "a few images", (SEARCH, FILE, ABSENT, OTHER_SCALE, REFERENCE), REFERENCE, OTHER_SCALE)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Data to train on, the truth, its photographs and results of another program."""
    folder = tmp_path_factory.mktemp("places")
    content, entries = random_case(1, images=3, objects=4, proposals=12)
    random = np.random.default_rng(0)
    (folder / "photographs").mkdir()
    for image in content["images"]:
        blocks = Image.fromarray(random.integers(0, 256, (4, 5, 3), np.uint8))
        blocks.resize((image["width"], image["height"]), Image.NEAREST).save(
            folder / "photographs" / image["file_name"]
        )
    results = write(folder / "mcg.json", entries)
    return prepare_shapes(folder / "data"), read_coco(write(folder / "truth.json", content)), results


@pytest.fixture(autouse=True, scope="module")
def plots():
    """What would be plotted, which takes most of the time; and no ImageNet weights."""
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TinyTrunk, "load_imagenet", lambda *_: None)
        patch.setattr("ifcn_tf.evaluation.run.write_plots", lambda *arguments: asked.append(arguments) or [])
        yield asked


def made(places, output, **changed):
    data, truth, results = places
    setup = Setup(BASE, 4, [data], [], "imagenet", output)
    given = changed.get("given", [f"mcg={results}"])
    return reproduce(
        "3", changed.get("table", TABLE), truth, data.parent / "photographs", changed.get("setup", setup), given
    )


@pytest.fixture(scope="module")
def output(places, tmp_path_factory):
    folder = tmp_path_factory.mktemp("output")
    assert made(places, folder) is None
    return folder


def lines_of(output):
    """The lines of table.csv by row and measure."""
    with (output / "photographs" / "table3" / "table.csv").open() as file:
        return {(line["row"], line["measure"]): line for line in csv.DictReader(file)}


def measured(places, output, row):
    """What `evaluate` finds of a row."""
    _, truth, results = places
    path = results if row is FILE else output / "photographs" / "proposals" / row.name / "proposals.json"
    return evaluate(read_results(str(path), truth.sizes, truth.ids_of_names), truth, row.title)


@pytest.mark.parametrize("row", [SEARCH, FILE, OTHER_SCALE, REFERENCE], ids=lambda row: row.name)
def test_numbers_are_those_of_evaluate(places, output, row):
    recall = measured(places, output, row).kinds["mask"]
    found = {f"AR@{m.limit}": (m.ar, *m.ar_interval) for m in recall.measures["all"]}
    for name, size in {"AUC": "all", "AUC small": "small", "AUC medium": "medium", "AUC large": "large"}.items():
        found[name] = (recall.curves[size].auc, *recall.curves[size].auc_interval)
    for name, values in found.items():
        line = lines_of(output)[row.name, name]
        assert [float(line[key]) for key in ("value", "low", "high")] == pytest.approx(values, abs=1e-6)
    cells = [f"{value:.1f} ({low:.1f}-{high:.1f})" for value, low, high in found.values()]
    assert f"| {row.title} | {' | '.join(cells)} |" in (output / "photographs" / "table3" / "table.md").read_text()


def test_published_numbers_stand_beside(output):
    text = (output / "photographs" / "table3" / "table.md").read_text()
    assert "| *MCG, published* | 1.0 | 2.0 | 3.0 | 4.0 | - | - | - |" in text
    assert "| MNC |" not in text and "* MNC: not measured" in text
    line = lines_of(output)["mnc", "AR@100"]
    assert (line["value"], line["published"], line["difference"]) == ("", "6.000000", "")


def test_differences_are_to_the_reference_and_corrected_for_their_number(places, output):
    content = json.loads((output / "photographs" / "table3" / "metrics.json").read_text())
    compared = [row for row in content["differences"] if row["metric"].startswith("mask/all/")]
    assert {row["a"] for row in compared} == {REFERENCE.title} and len(compared) == 3 * 3
    corrected = holm([row["p_value"] for row in compared])
    lines = {(line["title"], f"mask/all/{measure}"): line for (_, measure), line in lines_of(output).items()}
    for row, p in zip(compared, corrected, strict=True):
        line = lines[row["b"], row["metric"]]
        values = [float(line[name]) for name in ("difference", "difference_low", "difference_high", "p_holm")]
        assert values == pytest.approx([row["difference"], *row["interval"], p], abs=1e-6)
        assert p >= row["p_value"]


def test_figures_are_of_all_rows_and_two_stand_side_by_side(output, plots):
    folder, evaluations, published = plots[0]
    assert folder == output / "photographs" / "table3"
    assert [evaluation.name for evaluation in evaluations] == ["ours", "Selective Search", "MCG", "ours, small"]
    assert [row.method for row in published] == ["MCG", "MNC"]
    assert "from left to right: ours, small, ours" in (folder / "found_and_missed" / "index.html").read_text()
    with Image.open(folder / "found_and_missed" / "0.jpg") as picture:
        assert picture.size == (2 * 200 + 12, 160)


def test_a_run_that_was_cut_ends_as_one_that_was_not(places, output, tmp_path, monkeypatch):
    def kill(trainer, *_):
        if trainer.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    table, whole = dataclasses.replace(TABLE, rows=(FILE, REFERENCE), beside=FILE), making.train_on_data
    with monkeypatch.context() as patch:
        patch.setattr(making, "train_on_data", functools.partial(whole, observers=[kill]))
        assert made(places, tmp_path, table=table) == signal.SIGTERM
    assert not (tmp_path / "photographs").exists()
    assert made(places, tmp_path, table=table) is None
    weights = [read_weights(folder / "rows" / "k5" / "last" / "model.weights.h5") for folder in (output, tmp_path)]
    assert all(np.array_equal(array, weights[1][name]) for name, array in weights[0].items())
    found, whole_run = lines_of(tmp_path), lines_of(output)
    assert all(line["value"] == whole_run[name]["value"] for name, line in found.items())
    assert {row for row, _ in found} == {"mcg", "k5"}
    parts = [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("photographs/proposals/*/parts/*"))]
    assert made(places, tmp_path, table=table) is None  # all is there
    assert parts == [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("photographs/proposals/*/parts/*"))]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["mcg"], r"--results=mcg: write ROW=FILE"),
        (["gop=x.json"], "the table has no row gop: its rows are selective_search, mcg, "),
        (["mcg=nowhere.json"], "no results file at nowhere.json"),
        (["mcg={folder}/others.json"], "2 of 2 results in .*others.json are of unknown images"),
        (["mcg={folder}/boxes.json"], "boxes.json holds boxes alone"),
        (["mcg={folder}/masks.json", "mcg={folder}/masks.json"], "--results has two files of mcg"),
    ],
)
def test_results_that_cannot_be_used_are_refused_before_anything_is_made(places, tmp_path, given, said):
    write(tmp_path / "others.json", [{"image_id": i, "score": 1, "bbox": [1, 2, 3, 4]} for i in (70, 71)])
    shutil.copy(places[2], tmp_path / "masks.json")
    write(tmp_path / "boxes.json", [{"image_id": 1, "score": 1, "bbox": [1, 2, 3, 4]}])
    with pytest.raises(UserError, match=said):
        made(places, tmp_path / "out", given=[text.format(folder=tmp_path) for text in given])
    assert not (tmp_path / "out").exists()


def test_data_and_budgets_that_cannot_be_used_are_refused_before_anything_is_made(places, tmp_path):
    setup = Setup(BASE, 4, [tmp_path / "nothing"], [], "imagenet", tmp_path / "out")
    with pytest.raises(UserError, match="nothing"):
        made(places, tmp_path, setup=setup)
    with pytest.raises(UserError, match="a budget of 1 images is less than a step"):
        made(places, tmp_path, setup=dataclasses.replace(setup, budget=1))
    assert not (tmp_path / "out").exists()
