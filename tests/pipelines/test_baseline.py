"""The commands for other methods, as users call them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from tests.support.edge_model import write_edge_model

ROOT = Path(__file__).parents[2]


def command(name, *arguments):
    run = [sys.executable, "-m", f"pipelines.{name}", *map(str, arguments)]
    return subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture
def photos(tmp_path):
    image = np.full((60, 80, 3), 60, np.uint8)
    image[15:45, 20:60] = (200, 180, 90)
    (tmp_path / "photos").mkdir()
    for stem in ("000000000139", "dog"):
        Image.fromarray(image).save(tmp_path / "photos" / f"{stem}.png")
    return tmp_path / "photos"


def test_selective_search_writes_the_files_of_propose_and_resumes(photos, tmp_path):
    flags = ["--method=selective_search", f"--images={photos}", f"--output={tmp_path / 'out'}", "--format=csv"]
    done = command("baseline", *flags)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "proposals.json").read_text())
    assert {entry["image_id"] for entry in found} == {139, "dog"}
    assert [20, 15, 40, 30] in [entry["bbox"] for entry in found]  # the object is a region
    assert json.loads((tmp_path / "out" / "run.json").read_text())["masks"] == "regions"
    assert (tmp_path / "out" / "overlays" / "dog.png").exists()
    (tmp_path / "out" / "parts" / "dog.json").unlink()
    first = (tmp_path / "out" / "parts" / "000000000139.json").stat().st_mtime_ns
    again = command("baseline", *flags, "--resume")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "out" / "parts" / "000000000139.json").stat().st_mtime_ns == first
    assert json.loads((tmp_path / "out" / "proposals.json").read_text()) == found


def test_edge_boxes_says_that_masks_are_boxes(photos, tmp_path):
    model = write_edge_model(tmp_path / "model.yml")
    flags = ["--method=edge_boxes", f"--output={tmp_path / 'out'}", "--num_proposals=5", "--overlay=none"]
    done = command("baseline", *flags, f"--edge_model={model}", photos / "dog.png")
    assert done.returncode == 0, done.stderr
    assert "each mask is a whole box" in done.stdout
    assert json.loads((tmp_path / "out" / "run.json").read_text())["masks"] == "boxes"
    assert 0 < len(json.loads((tmp_path / "out" / "proposals.json").read_text())) <= 5


def test_converted_files_are_measured(tmp_path):
    mask = np.zeros((60, 80), bool)
    mask[15:45, 20:60] = True
    scipy.io.savemat(tmp_path / "139.mat", {"masks": mask})
    done = command("convert", "--from=rigor", "--to=coco", f"--input={tmp_path}", f"--output={tmp_path / 'rigor.json'}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"1 masks in {tmp_path / 'rigor.json'}\n"
    assert json.loads((tmp_path / "rigor.json").read_text())[0]["bbox"] == [20, 15, 40, 30]


@pytest.mark.parametrize(
    ("name", "flags", "sentence"),
    [
        ("baseline", ["--method=edge_boxes", "savedmodels/sample/coffee.jpg"], "needs --edge_model, model.yml.gz of"),
        (
            "convert",
            ["--from=gop", "--to=coco", "--input=README.md", "--output=o"],
            "README.md is no MATLAB file, or damaged.",
        ),
        ("convert", ["--from=mnc", "--to=coco", "--input=x", "--output=o"], "--from=mnc needs --names and --images"),
        (
            "convert",
            ["--from=mcg", "--to=coco", "--input=x", "--output=o", "--distinct=3"],
            "--distinct belongs to --from=coco_results, not to --from=mcg",
        ),
        (
            "convert",
            ["--from=sam", "--to=coco", "--input=x", "--output=o", "--images=x"],
            "--images belongs to --from=coco_results or --from=mnc, not to --from=sam",
        ),
        (
            "convert",
            ["--to=coco", "--input=x", "--output=o", "--names=x"],
            "--names belongs to --from=mnc, not to --from=coco_results",
        ),
        (
            "convert",
            ["--from=mcg", "--to=cvat", "--input=x", "--output=o"],
            "--from=mcg becomes --to=coco alone: convert what that writes to cvat",
        ),
    ],
)
def test_wrong_flags_end_with_one_sentence(name, flags, sentence):
    done = command(name, *flags)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (ROOT / "o").exists()
