"""What the command prints and writes: intervals, comparisons, files, plots and pictures."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from scipy import ndimage
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ifcn_tf.benchmarks import evaluate as benchmark
from ifcn_tf.common.files import UserError
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.bootstrap import holm, interval, p_value, resample, resampled_recalls
from ifcn_tf.evaluation.evaluate import evaluate
from ifcn_tf.evaluation.matching import match_with_pycocotools
from ifcn_tf.evaluation.measures import auc_hits
from ifcn_tf.evaluation.pictures import write_pictures
from ifcn_tf.evaluation.protocols import PUBLISHED
from ifcn_tf.evaluation.report import recall_table, scalars, write_scalars
from ifcn_tf.evaluation.run import Outputs, compare_runs, evaluate_files, method_names, read_truth
from ifcn_tf.pictures.found_and_missed import draw
from tests.support.evaluation_data import (
    annotation,
    entry,
    evaluated,
    load,
    random_case,
    rectangle,
    truth_content,
    write,
)

CONFIG = EvaluationConfig(num_proposals=(2, 10), resamples=200)
ROOT = Path(__file__).parents[2]


def test_draws_are_of_all_images_and_follow_the_seed():
    draws = resample(7, 50, seed=3)
    assert draws.shape == (50, 7)
    assert (draws.sum(1) == 7).all()
    np.testing.assert_array_equal(draws, resample(7, 50, seed=3))
    assert (draws != resample(7, 50, seed=4)).any()


def test_a_resample_counts_an_image_as_often_as_it_is_drawn():
    # Image 0: 1 object at 10 thresholds; image 1: 3 objects, 6 hits. Drawn twice and once: (20 + 6) / 10 (2 + 3).
    draws = np.array([[2, 1], [0, 3], [1, 1]])
    np.testing.assert_allclose(
        resampled_recalls(draws, np.array([10, 6]), np.array([1, 3])), [100 * 26 / 50, 100 * 18 / 90, 100 * 16 / 40]
    )


def test_an_interval_holds_the_middle():
    assert interval(np.arange(101.0), 0.9) == pytest.approx((5, 95))
    assert interval(np.append(np.arange(101.0), np.nan), 0.9) == pytest.approx((5, 95))
    assert np.isnan(interval(np.full(3, np.nan), 0.9)).all()


def test_a_p_value_counts_the_resamples_on_the_rarer_side():
    assert p_value(np.array([-1.0, 1, 2, 3])) == pytest.approx(2 * 2 / 5)
    assert p_value(np.array([1.0, 2, 3, np.nan])) == pytest.approx(2 * 1 / 4)
    assert p_value(np.zeros(9)) == 1
    assert np.isnan(p_value(np.full(3, np.nan)))


def test_holm_by_hand():
    # In order: 4 x .005, 3 x .01, 2 x .03, and 1 x .04, which is less than the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([0.7, 0.8]) == [1, 1]
    assert holm([]) == []


def test_equal_images_leave_no_doubt(tmp_path: Path):
    size_hw = (20, 20)
    mask = rectangle(size_hw, 0, 0, 10, 10)
    half = rectangle(size_hw, 0, 0, 10, 6)  # IoU .6: three of ten thresholds
    content = truth_content(dict.fromkeys(range(5), size_hw), [annotation(i, i, mask) for i in range(5)])
    loaded = load(tmp_path, content, [entry(i, half, 0.5) for i in range(5)])
    recall = evaluate(*loaded, "test", CONFIG).kinds["mask"]
    assert recall.measures["all"][0].ar == pytest.approx(30)
    assert recall.measures["all"][0].ar_interval == pytest.approx((30, 30))
    assert (recall.curves["all"].auc, *recall.curves["all"].auc_interval) == pytest.approx((30, 30, 30))
    assert np.isnan(recall.curves["large"].auc_interval).all()


def test_what_images_add_to_the_auc_sums_to_it(tmp_path: Path):
    recall = evaluated(tmp_path, 12, CONFIG)[0].kinds["mask"]
    for size in ("all", "small", "medium"):
        added, objects = auc_hits(recall.table, size, 10, 12), recall.table.objects(size, 12)
        assert 100 * added.sum() / (10 * objects.sum()) == pytest.approx(recall.curves[size].auc)
        low, high = recall.curves[size].auc_interval
        assert low <= recall.curves[size].auc <= high and low < high


def test_intervals_cover_the_truth_as_often_as_they_say():
    # 60 images of one object each that is recalled at all thresholds with probability .3.
    random, covered = np.random.default_rng(0), 0
    for seed in range(200):
        hits = 10 * (random.random(60) < 0.3).astype(int)
        low, high = interval(resampled_recalls(resample(60, 300, seed), hits, np.ones(60, int)), 0.9)
        covered += low <= 30 <= high
    assert 0.83 <= covered / 200 <= 0.96


def case_files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Truth beside its photographs, and two results files."""
    content, entries = random_case(1, images=3, objects=4, proposals=12)
    truth = write(tmp_path / "annotations" / "instances_set.json", content)
    (tmp_path / "set").mkdir()
    for image in content["images"]:
        Image.new("RGB", (image["width"], image["height"]), (90, 90, 90)).save(tmp_path / "set" / image["file_name"])
    a = write(tmp_path / "a" / "proposals.json", entries)
    return truth, a, write(tmp_path / "b.json", entries[::2])


def test_everything_is_written(tmp_path: Path, capsys):
    truth_path, a, b = case_files(tmp_path)
    truth = read_truth(str(truth_path), None, "", None)
    outputs = Outputs(tmp_path / "out", published=PUBLISHED["voc"], show=tmp_path / "show")
    evaluate_files(method_names([str(a), str(b)]), truth, CONFIG, match_with_pycocotools, outputs)

    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert [method["name"] for method in content["methods"]] == ["proposals", "b"]
    metrics = content["methods"][0]["metrics"]
    assert content["truth"] == {"source": str(truth_path), "images": 3, "objects": 12}
    assert content["settings"]["config"] == CONFIG.to_dict() | {"num_proposals": [2, 10]}
    assert {"mask/all/AR@2", "box/all/recall_70@10", "mask/all/AUC", "mask/category thing/AR@10"} <= set(metrics)

    rows = list(csv.DictReader((tmp_path / "out" / "metrics.csv").open()))
    assert len(rows) == 2 * 2 * 4 * 2  # methods, kinds, sizes, numbers of proposals
    first = rows[0]
    assert (first["method"], first["kind"], first["size"], first["num_proposals"]) == ("proposals", "mask", "all", "2")
    assert float(first["AR"]) == metrics["mask/all/AR@2"]
    assert [float(first["AR_low"]), float(first["AR_high"])] == content["methods"][0]["intervals"]["mask/all/AR@2"]

    figures = {f"{k}_{f}{s}" for k in ("mask", "box") for f in ("recall_iou", "ar_proposals") for s in ("", "_by_size")}
    for name in figures:
        with Image.open(tmp_path / "out" / f"{name}.png") as image:
            assert min(image.size) > 300
        assert "<svg" in (tmp_path / "out" / f"{name}.svg").read_text()
    printed = capsys.readouterr().out
    assert "InstanceFCN, published" in printed
    assert "Paired differences" in printed
    for name in ("proposals", "b"):
        assert len(list((tmp_path / "show" / name).glob("*.jpg"))) == 3


def test_the_table_shows_the_ends_of_intervals_in_80_columns(tmp_path: Path):
    # 29 of 30 objects are found: a symmetric interval would pass 100.
    size_hw, found = (40, 50), EvaluationConfig(resamples=200)
    mask = rectangle(size_hw, 0, 0, 20, 20)
    content = truth_content(dict.fromkeys(range(30), size_hw), [annotation(i, i, mask) for i in range(30)])
    evaluation = evaluate(*load(tmp_path, content, [entry(i, mask, 0.5) for i in range(29)]), "proposals", found)
    low, high = evaluation.kinds["mask"].measures["all"][0].ar_interval
    assert (low < 96.7, high) == (True, 100)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(recall_table([evaluation], PUBLISHED["coco"]))
    printed = console.export_text()
    assert printed.count(f"{low:.1f}-100.0") == 12  # masks and boxes, all and small, three numbers of proposals
    assert "±" not in printed and "…" not in printed
    assert max(map(len, printed.splitlines())) <= 80


@pytest.fixture
def no_plots(monkeypatch):
    """For tests that look at other outputs: drawing takes most of the time."""
    monkeypatch.setattr("ifcn_tf.evaluation.run.write_plots", lambda *_: [])


@pytest.mark.usefixtures("no_plots")
def test_earlier_metrics_give_the_same_differences(tmp_path: Path):
    truth_path, a, b = case_files(tmp_path)
    truth = read_truth(str(truth_path), None, "", None)
    for name, pattern in (("a", a), ("b", b), ("ab", f"{a},{b}")):
        methods = method_names(str(pattern).split(","))
        evaluate_files(methods, truth, CONFIG, match_with_pycocotools, Outputs(tmp_path / name))
    paths = [str(tmp_path / name / "metrics.json") for name in ("a", "b", "ab")]
    compare_runs(*paths[:2], CONFIG, tmp_path / "c")
    later = json.loads((tmp_path / "c" / "differences.json").read_text())
    together = json.loads(Path(paths[2]).read_text())["differences"]
    assert [row | {"a": "", "b": ""} for row in later] == [row | {"a": "", "b": ""} for row in together]
    with pytest.raises(UserError, match="holds several methods"):
        compare_runs(paths[0], paths[2], CONFIG, tmp_path / "c")
    with pytest.raises(UserError, match=r"proposals\.json is no metrics\.json"):
        compare_runs(str(a), str(b), CONFIG, tmp_path / "c")


def pictures(tmp_path: Path, content, entries, photographs: Path) -> Path:
    results, truth = load(tmp_path, content, entries)
    return write_pictures(tmp_path / "show", {"p": results}, truth, photographs)


def test_an_object_is_missed_below_an_overlap_of_one_half(tmp_path: Path):
    size_hw = (20, 20)
    mask, photographs = rectangle(size_hw, 0, 0, 10, 10), tmp_path / "photographs"
    content = truth_content({1: size_hw, 2: size_hw}, [annotation(i, i, mask) for i in (1, 2)])
    entries = [entry(1, rectangle(size_hw, 0, 0, 10, 6), 0.5), entry(2, rectangle(size_hw, 0, 0, 10, 4), 0.5)]
    photographs.mkdir()
    for name in ("1.png", "2.png"):
        Image.new("RGB", size_hw).save(photographs / name)
    page = pictures(tmp_path, content, entries, photographs).read_text()
    assert "1: mean best IoU 0.60, missed 0 of 1" in page
    assert "2: mean best IoU 0.40, missed 1 of 1" in page


def test_methods_stand_side_by_side_and_the_last_one_s_losses_come_first(tmp_path: Path):
    size_hw = (20, 30)
    mask = rectangle(size_hw, 0, 0, 10, 10)
    content = truth_content({1: size_hw, 2: size_hw}, [annotation(i, i, mask) for i in (1, 2)])
    for name in ("1.png", "2.png"):
        Image.new("RGB", size_hw[::-1], (100, 100, 100)).save(tmp_path / name)
    first, truth = load(tmp_path, content, [entry(1, mask, 0.5)])
    last, _ = load(tmp_path, content, [entry(1, mask, 0.5), entry(2, mask, 0.5)])
    page = write_pictures(tmp_path / "show", {"a<b": first, "c": last}, truth, tmp_path).read_text()
    assert "from left to right: a&lt;b, c" in page and "the 1 / 0 of 2 objects" in page
    assert page.index("1.jpg") < page.index("2.jpg")  # the last one gains in the second
    assert "2: mean best IoU 0.00 / 1.00, missed 1 / 0 of 1" in page
    with Image.open(tmp_path / "show" / "2.jpg") as picture:
        pixels = np.asarray(picture).astype(int)
    left, gap, right = pixels[:, :30], pixels[:, 30:42], pixels[:, 42:]
    assert right.shape == left.shape and gap.min() > 200
    assert (left[0, :9, 0] > left[0, :9, 1] + 60).all() and not (right[0, :9, 0] > right[0, :9, 1] + 60).any()


@pytest.mark.usefixtures("no_plots")
def test_worst_images_come_first(tmp_path: Path):
    truth_path, _, _ = case_files(tmp_path)
    content = json.loads(truth_path.read_text())
    # Image 2 is found completely, image 0 by half, image 1 not at all.
    kept = [a for i, a in enumerate(content["annotations"]) if a["image_id"] == 2 or (a["image_id"] == 0 and i < 2)]
    path = write(tmp_path / "p.json", [a | {"score": 1.0} for a in kept])
    truth = read_truth(str(truth_path), None, "", None)
    outputs = Outputs(tmp_path / "out", show=tmp_path / "show")
    evaluate_files({"p": str(path)}, truth, CONFIG, match_with_pycocotools, outputs)
    page = (tmp_path / "show" / "index.html").read_text()
    assert page.index("1.jpg") < page.index("0.jpg") < page.index("2.jpg")
    assert "1: mean best IoU 0.00, missed 4 of 4" in page
    assert "2: mean best IoU 1.00, missed 0 of 4" in page


def test_files_of_one_name_get_a_picture_each(tmp_path: Path):
    size_hw = (20, 20)
    content = truth_content(dict.fromkeys(["a/1", "b/1"], size_hw), [])
    mask = rectangle(size_hw, 0, 0, 10, 10)
    content["annotations"] = [annotation(i, name, mask) for i, name in enumerate(("a/1", "b/1"))]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", size_hw).save(tmp_path / name / "1.png")
    page = pictures(tmp_path, content, [], tmp_path).read_text()
    assert {path.name for path in (tmp_path / "show").glob("*.jpg")} == {"a%2F1.jpg", "b%2F1.jpg"}
    assert 'href="a%252F1.jpg"' in page and 'src="b%252F1.jpg"' in page


def test_photographs_are_shown_upright(tmp_path: Path):
    size_hw, exif = (40, 24), Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side
    upright = np.full((*size_hw, 3), 40, np.uint8)
    upright[:20] = 200
    mask = rectangle(size_hw, 24, 4, 36, 20)
    content = truth_content({1: size_hw}, [annotation(0, 1, mask)])
    Image.fromarray(np.rot90(upright)).save(tmp_path / "1.png", exif=exif)
    pictures(tmp_path, content, [entry(1, mask, 0.5)], tmp_path)
    with Image.open(tmp_path / "show" / "1.jpg") as picture:
        shown = np.asarray(picture.convert("L")).astype(int)
    assert shown.shape == size_hw
    assert abs(shown[:18] - 200).max() < 20 and abs(shown[21:23] - 40).max() < 20


def test_pictures_paint_the_found_and_outline_the_missed():
    image = np.full((30, 40, 3), 100, np.uint8)
    found, missed = rectangle((30, 40), 2, 2, 12, 12), rectangle((30, 40), 15, 15, 25, 35)
    picture = draw(image, found[None], missed[None])
    rims = ndimage.binary_dilation(found) | ndimage.binary_dilation(missed)
    assert (picture[~rims] == 100).all() and (picture[rims & ~found & ~missed] == 25).all()
    assert (picture[found] != 100).any(1).all()
    red = (picture == [255, 0, 0]).all(2)
    assert red[15, 15:35].all() and red[15:25, 15].all()  # the border, inside the object
    assert not red[16:24, 16:34].any()
    assert not red[found].any()


def test_photographs_must_be_there(tmp_path: Path):
    truth_path, a, _ = case_files(tmp_path)
    truth = read_truth(str(truth_path), None, "", None)
    (tmp_path / "set" / "1.png").unlink()
    outputs = Outputs(tmp_path / "out", show=tmp_path / "show")
    with pytest.raises(UserError, match=r"1 photographs are not in .*set \(1.png\)"):
        evaluate_files({"a": str(a)}, truth, CONFIG, match_with_pycocotools, outputs)
    assert not (tmp_path / "out").exists()


def test_boxes_alone_cannot_be_shown(tmp_path: Path):
    truth_path, _, _ = case_files(tmp_path)
    path = write(tmp_path / "boxes.json", [{"image_id": 1, "score": 1, "bbox": [1, 2, 3, 4]}])
    outputs, truth = Outputs(tmp_path / "out", show=tmp_path / "show"), read_truth(str(truth_path), None, "", None)
    with pytest.raises(UserError, match="the proposals of boxes are boxes only"):
        evaluate_files({"boxes": str(path)}, truth, CONFIG, match_with_pycocotools, outputs)
    assert not (tmp_path / "out").exists()


def test_scalars_leave_out_what_is_undefined(tmp_path: Path):
    content = truth_content({1: (20, 20)}, [annotation(0, 1, rectangle((20, 20), 0, 0, 5, 5))])
    found = scalars(evaluate(*load(tmp_path, content, []), "test", CONFIG))
    assert found["mask/small/AR@2"] == 0
    assert not [name for name in found if "/large/" in name]


def test_tensorboard_gets_every_scalar(tmp_path: Path):
    evaluation, _ = evaluated(tmp_path, 4, CONFIG)
    write_scalars(tmp_path / "board", [evaluation], step=7)
    events = EventAccumulator(str(tmp_path / "board" / "first 4"))
    events.Reload()
    expected = scalars(evaluation)
    assert len(events.Tags()["tensors"]) == len(expected)
    (event,) = events.Tensors("mask/all/AR@10")
    assert event.step == 7
    assert event.tensor_proto.float_val[0] == pytest.approx(expected["mask/all/AR@10"])


def test_the_benchmark_yields_rows():
    pytest.importorskip("hotcoco")
    reference, fast, reading = benchmark.run(num_images=2, proposals_an_image=20, long_file=60)
    assert reference["proposals"] == fast["proposals"] == 40
    assert reference["times_as_fast_as_pycocotools"] == 1
    assert fast["same_six_decimals"]
    assert reading["proposals"] == 60
    json.dumps([reference, fast, reading])


def test_names_tell_files_apart():
    assert list(method_names(["x/a.json", "y/b.json.gz", "/x/parts/*.json"])) == ["a", "b", "parts"]
    assert list(method_names(["/x/p.json", "y/p.json"])) == ["x_p", "y_p"]
    assert list(method_names(["*.json"])) == ["proposals"]
    assert list(method_names(["run/a-*.json", "run/b-*.json"])) == ["a-", "b-"]
    with pytest.raises(UserError, match="cannot be told apart"):
        method_names(["x/p.json", "x/p.json"])


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.evaluate", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_the_command_compares_two_files(tmp_path: Path):
    truth_path, a, b = case_files(tmp_path)
    truth = f"--annotations={truth_path}"
    done = command("--compare", str(a), str(b), truth, f"--output={tmp_path / 'out'}", "--num_proposals=5")
    assert done.returncode == 0, done.stderr
    assert "mask/all/AR@5" in done.stdout
    assert "tensorflow" not in done.stderr.lower()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "give the proposals"),
        (["--proposals=none.json", "--annotations=none.json"], "cannot read none.json"),
        (["--compare", "a.json"], "--compare takes two files"),
        (["--compare", "a.json", "b.json", "--show=s"], "--show: leave out, or give the truth"),
        (["--instances", "--proposals=a.json", "--annotations=b", "--step=3"], "--step: of recall, leave out with"),
        (["--semantic=a", "--voc_root=.", "--backend=fast"], "--backend: of proposals, leave out with --semantic"),
        (
            [f"--semantic={'a' * 300}", "--annotations=."],
            "aaa/classes.txt: File name too long; change it, or choose another place",
        ),
        (["--proposals=a.json", "--annotations=b", "--num_proposals=0"], "num_proposals"),
        (["--proposals=a.json", "--annotations=b", "--seed=-1"], "seed must not be negative"),
    ],
)
def test_the_command_ends_with_one_sentence(tmp_path: Path, arguments, message: str):
    done = command(*arguments, f"--output={tmp_path / 'out'}")
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
