"""Paired differences between two methods, and the files they are read from."""

from __future__ import annotations

from pathlib import Path

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.compare import compare, compare_files, image_rows
from ifcn_tf.evaluation.matching import SIZES
from tests.support.evaluation_data import evaluated, random_case, write

CONFIG = EvaluationConfig(num_proposals=(2, 10), resamples=200)


def test_pairs_tell_a_difference_from_chance(tmp_path: Path):
    (many, truth), (few, _) = evaluated(tmp_path, 12, CONFIG), evaluated(tmp_path, 4, CONFIG)
    rows = {e.name: (e.name, image_rows(e, truth)) for e in (many, few)}
    found = {row.metric: row for row in compare(rows["first 4"], rows["first 12"], CONFIG)}
    row = found["mask/all/AR@10"]
    assert row.ar_a == few.kinds["mask"].measures["all"][1].ar
    assert row.ar_b == many.kinds["mask"].measures["all"][1].ar
    assert row.interval[0] < row.difference < row.interval[1]
    assert row.beyond_chance
    # Pairing takes out how hard the images are: the interval is narrower than the two alone.
    low, high = many.kinds["mask"].measures["all"][1].ar_interval
    assert row.interval[1] - row.interval[0] < 2 * (high - low)
    same = compare(rows["first 12"], rows["first 12"], CONFIG)
    assert all(row.difference == 0 and row.interval == (0, 0) and not row.beyond_chance for row in same)


def test_other_images_cannot_be_compared(tmp_path: Path):
    evaluation, truth = evaluated(tmp_path, 4, CONFIG)
    rows = image_rows(evaluation, truth)
    with pytest.raises(UserError, match=r"different images \(1 in one only: 0\)"):
        compare(("a", rows), ("b", rows[1:]), CONFIG)
    changed = [rows[0] | {"objects": dict.fromkeys(SIZES, 9)}, *rows[1:]]
    with pytest.raises(UserError, match="different objects, of images 0"):
        compare(("a", rows), ("b", changed), CONFIG)


ROW = {"image_id": 1, "objects": dict.fromkeys(SIZES, 2), "hits": {"mask/all/AR@10": 4}}


def test_rows_of_a_file_are_compared(tmp_path: Path):
    path = write(tmp_path / "metrics.json", {"images": {"m": [ROW]}})
    (difference,) = compare_files(path, path, CONFIG)
    assert (difference.ar_a, difference.ar_b, difference.difference) == (20, 20, 0)


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"images": [{"id": 1}]},
        random_case(0)[0],
        {"images": {}},
        {"images": {"m": 5}},
        {"images": {"m": []}},
        {"images": {"m": [5]}},
        {"images": {"m": [{"image_id": 1}]}},
        {"images": {"m": [ROW | {"image_id": [1]}]}},
        {"images": {"m": [ROW | {"objects": {"all": 2}}]}},
        {"images": {"m": [ROW | {"objects": dict.fromkeys(SIZES, "x")}]}},
        {"images": {"m": [ROW | {"hits": 4}]}},
        {"images": {"m": [ROW | {"hits": {}}]}},
        {"images": {"m": [ROW | {"hits": {"AR": 4}}]}},
        {"images": {"m": [ROW | {"hits": {"mask/all/AR@10": None}}]}},
        {"images": {"m": [ROW, ROW | {"image_id": 2, "hits": {}}]}},
    ],
)
def test_other_files_are_no_metrics(tmp_path: Path, content):
    path = write(tmp_path / "x.json", content)
    with pytest.raises(UserError, match=r"x\.json is no metrics\.json of this command"):
        compare_files(path, path, CONFIG)
