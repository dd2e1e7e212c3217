"""Reading proposals that other programs wrote: every form is accepted, every trap is named."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from ifcn_tf.common.files import UserError
from ifcn_tf.masks.rle import are_whole
from ifcn_tf.proposals import Proposals
from ifcn_tf.results import stream
from ifcn_tf.results.reader import read_results
from tests.support.evaluation_data import entry, load, rectangle, rle, truth_content, write

SIZE_HW = (20, 30)
MASK = rectangle(SIZE_HW, 2, 3, 12, 9)
BOX_XYWH = [3.0, 2.0, 6.0, 10.0]


def read(tmp_path: Path, content: object):
    return read_results(str(write(tmp_path / "results.json", content)), {1: SIZE_HW, "a_2": SIZE_HW})


def uncompressed(mask: np.ndarray) -> dict[str, object]:
    flat = mask.T.ravel().astype(int)
    changes = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], changes, [len(flat)]])).tolist()
    return {"size": list(mask.shape), "counts": counts if flat[0] == 0 else [0, *counts]}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk without room")
def test_a_full_folder_of_temporary_files_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: open("/dev/full", "w+b"))  # noqa: PTH123, SIM115
    with pytest.raises(UserError, match=f"cannot write {tempfile.gettempdir()}: No space left.*; free some space"):
        read(tmp_path, [entry(1, MASK, 0.5)]).of(1)


@pytest.mark.parametrize(
    "segmentation", [rle(MASK), uncompressed(MASK), [[3, 2, 9, 2, 9, 12, 3, 12]]], ids=["compressed", "list", "polygon"]
)
def test_every_form_of_mask_is_read(tmp_path: Path, segmentation):
    found = read(tmp_path, [{"image_id": 1, "score": 0.5, "segmentation": segmentation}]).of(1)
    np.testing.assert_array_equal(coco_mask.decode(found.rles)[..., 0], MASK)
    np.testing.assert_array_equal(found.boxes_xywh, [BOX_XYWH])


def test_a_given_box_is_kept(tmp_path: Path):
    found = read(tmp_path, [entry(1, MASK, 0.5, bbox=[1, 2, 3, 4]), entry(1, MASK, 0.4)]).of(1)
    np.testing.assert_array_equal(found.boxes_xywh, [[1, 2, 3, 4], BOX_XYWH])


def test_ids_that_are_texts_are_brought_together(tmp_path: Path):
    results = read(tmp_path, [entry("000001", MASK, 0.5), entry(1, MASK, 0.4), entry("a_2", MASK, 0.3)])
    assert results.counts() == {1: 2, "a_2": 1}


def named(names: list[str]) -> dict[str, object]:
    """A truth whose images 1, 2, ... have these files."""
    content = truth_content({i + 1: SIZE_HW for i in range(len(names))}, [])
    return content | {"images": [i | {"file_name": n} for i, n in zip(content["images"], names, strict=True)]}


@pytest.mark.parametrize(
    "names, stated, expected",
    [
        (["IMG_a.jpg", "b/000007.png", "c.jpg"], ["IMG_a", "7", "c"], {1: 1, 2: 1, 3: 1}),
        (["3.jpg", "1.jpg", "2.jpg"], [1, 1, 3], {1: 2, 2: 0, 3: 1}),  # an id counts more than a name
        (["1.jpg", "b.jpg", "c.jpg"], [1, "c"], {1: 1, 2: 0, 3: 1}),  # 1 is both
        (["a/1.jpg", "b/1.jpg", "c.jpg"], [1, 2], {1: 1, 2: 1, 3: 0}),
    ],
)
def test_images_are_found_by_id_or_by_the_name_of_their_file(tmp_path: Path, names, stated, expected):
    assert load(tmp_path, named(names), [entry(i, MASK, 0.5) for i in stated])[0].counts() == expected


@pytest.mark.parametrize(
    "names, stated, message",
    [
        (
            ["2.jpg", "3.jpg", "4.jpg"],
            [4, 2, 3],
            r"results\.json: in the truth its image_id 3 is the id .*, 4 only the name",
        ),
        (["a/x.jpg", "b/x.jpg", "c.jpg"], ["x", "c"], r"1 of 2 results in .* \(ids x; known are 1, 2, 3\)"),
    ],
)
def test_names_that_could_mean_two_images_are_refused(tmp_path: Path, names, stated, message):
    with pytest.raises(UserError, match=message):
        load(tmp_path, named(names), [entry(i, MASK, 0.5) for i in stated])


def test_any_category_is_taken(tmp_path: Path):
    assert len(read(tmp_path, [entry(1, MASK, 0.5, category_id=-7), entry(1, MASK, 0.4) | {"category_id": None}])) == 2


def test_results_come_best_first_and_repeated_ones_stay(tmp_path: Path):
    other = rectangle(SIZE_HW, 0, 0, 5, 5)
    entries = [entry(1, MASK, 0.2), entry(1, other, 0.9), entry(1, MASK, 0.2), entry(1, MASK, -3)]
    found = read(tmp_path, entries).of(1)
    np.testing.assert_array_equal(found.scores, [0.9, 0.2, 0.2, -3])
    assert found.repeated == 1
    assert len(found.best(2)) == len(found.best(2).rles) == 2


def test_a_stated_rank_counts_more_than_the_score(tmp_path: Path):
    other = rectangle(SIZE_HW, 0, 0, 5, 5)
    entries = [entry(1, MASK, 0.9, rank=2), entry(1, other, 0.2, rank=0), entry(1, MASK, 0.9, rank=1)]
    found = read(tmp_path, entries).of(1)
    np.testing.assert_array_equal(found.scores, [0.2, 0.9, 0.9])
    assert found.repeated == 1


def test_what_proposals_list_first_is_read_first(tmp_path: Path):
    proposals = Proposals(SIZE_HW, np.array([0.5, 0.25, 0.75]), [rle(MASK), rle(~MASK), rle(MASK)])
    found = read(tmp_path, proposals.to_coco(1)).of(1)
    assert found.scores.tolist() == [0.5, 0.25, 0.75]
    assert found.rles == proposals.rles


def test_an_empty_file_and_an_empty_mask_are_normal(tmp_path: Path):
    assert len(read(tmp_path, [])) == 0
    assert len(read(tmp_path, []).of(1)) == 0
    assert coco_mask.area(read(tmp_path, [entry(1, MASK & False, 0.5)]).of(1).rles).tolist() == [0]


def test_parts_and_gzip_are_read(tmp_path: Path):
    write(tmp_path / "parts" / "1.json", [entry(1, MASK, 0.5)])
    with gzip.open(tmp_path / "parts" / "2.json.gz", "wt") as file:
        json.dump([entry("a_2", MASK, 0.5)], file)
    assert read_results(str(tmp_path / "parts" / "*"), {1: SIZE_HW, "a_2": SIZE_HW}).counts() == {1: 1, "a_2": 1}


@pytest.mark.parametrize("polygon", [[-29.5, -7, 9, 2.5, 9, 12, 3, 49], [3, 2, 9, 2, 60, 12, 3, 12]])
def test_a_polygon_may_reach_outside(tmp_path: Path, polygon: list[float]):
    found = read(tmp_path, [{"image_id": 1, "score": 0.5, "segmentation": [polygon]}]).of(1)
    np.testing.assert_array_equal(
        coco_mask.decode(found.rles), coco_mask.decode(coco_mask.frPyObjects([polygon], *SIZE_HW))
    )


def with_polygon(*polygon: float) -> list[dict[str, object]]:
    return [entry(1, MASK, 0.5), {"image_id": 1, "score": 0.5, "segmentation": [list(polygon)]}]


REFUSED = {
    # pycocotools would crash, or take all memory, on the first two.
    "polygon far away": (
        with_polygon(0, 0, 1e9, 0, 1e9, 1e9),
        r"result 1: its polygon lies .* outside it \(x, y",
    ),
    "polygon far above": (with_polygon(3, -1e9, 9, 2, 9, 12), "result 1: its polygon lies more than"),
    "half a point": (with_polygon(3, 2, 9, 2, 9, 12, 3), "result 1: its segmentation is neither"),
    "no array": ({"annotations": []}, "no COCO results"),
    "no objects": ([3], "result 0: an object"),
    "id of a wrong type": ([entry(1.5, MASK, 0.5)], "result 0: its image_id is 1.5"),
    "unknown images": (
        [entry(1, MASK, 0.5), entry(7, MASK, 0.5), entry(8, MASK, 0.5), entry(8, MASK, 0.4)],
        r"3 of 4 results in .* \(ids 7, 8; known are 1, a_2\)",
    ),
    "NaN score": ([entry(1, MASK, 0.5), entry(1, MASK, float("nan"))], "NaN is no number of JSON"),
    "infinite score": ([entry(1, MASK, float("inf"))], "Infinity is no number of JSON"),
    "score as text": ([entry(1, MASK, "0.5")], "its score is '0.5'"),
    "no score": ([{"image_id": 1, "segmentation": rle(MASK)}], "it has no score, a finite number is needed"),
    "mask of another size": ([entry(1, MASK.T, 0.5)], r"its mask is 30 x 20 \(height x width\), its image 20 x 30"),
    "cut counts": ([entry(1, MASK, 0.5) | {"segmentation": rle(MASK) | {"counts": "23"}}], "run lengths are damaged"),
    "counts of a wrong sum": (
        [entry(1, MASK, 0.5) | {"segmentation": {"size": list(SIZE_HW), "counts": [3, 4]}}],
        "run lengths are damaged",
    ),
    "no counts": ([entry(1, MASK, 0.5) | {"segmentation": {"size": list(SIZE_HW)}}], "neither run lengths nor"),
    "segmentation as text": ([entry(1, MASK, 0.5) | {"segmentation": "mask"}], "neither run lengths nor polygons"),
    "neither mask nor box": ([{"image_id": 1, "score": 1}], "neither a segmentation nor a bbox"),
    "some masks": ([entry(1, MASK, 0.5), {"image_id": 1, "score": 1, "bbox": BOX_XYWH}], "some have none"),
    "some ranks": ([entry(1, MASK, 0.5, rank=0), entry(1, MASK, 0.5)], "some results have a rank and some have none"),
    "rank below 0": ([entry(1, MASK, 0.5, rank=-1)], "result 0: its rank is -1, a whole number from 0 on"),
    "rank as text": ([entry(1, MASK, 0.5, rank="1")], "its rank is '1'"),
    "box of three": ([entry(1, MASK, 0.5, bbox=[1, 2, 3])], "four finite numbers"),
}


@pytest.mark.parametrize("content, message", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_right_is_refused_in_one_sentence(tmp_path: Path, content, message: str):
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path, content)
    assert str(tmp_path / "results.json") in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "[", '[{"a": 1}', '[{"a": 1},', "[1 2]", "[1,]", "[1] 2", "nothing", '["a', "[{]", "[" * 100_000]
)
def test_broken_json_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"broken\.json"):
        list(stream.read_entries(path))


def test_missing_files_and_broken_gzip_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="no results file at"):
        read_results(str(tmp_path / "*.json"), {})
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(b"[1, 2, 3]" * 100)[:-20])
    with pytest.raises(UserError, match=r"cut\.json\.gz"):
        list(stream.read_entries(tmp_path / "cut.json.gz"))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_whole_runs_are_told_from_damaged_ones(height: int, width: int, seed: int):
    random = np.random.default_rng(seed)
    masks = random.random((5, height, width)) < random.random((5, 1, 1))
    counts = [rle(mask)["counts"].encode() for mask in masks]
    area = height * width
    assert are_whole(counts, np.full(5, area)).all()
    assert not are_whole(counts, np.full(5, area + 1)).any()
    damaged = [counts[0], counts[1] + b"1", b"", b"o", b"~", counts[4]]
    np.testing.assert_array_equal(are_whole(damaged, np.full(6, area)), [True, False, False, False, False, True])


def test_negative_runs_are_damaged():
    # 5, then -1, then 1: they add up to 5.
    assert not are_whole([b"5O1"], np.array([5])).any()
    assert are_whole([b"5"], np.array([5])).all()
