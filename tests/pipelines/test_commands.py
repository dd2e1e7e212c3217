"""The commands as users call them, in processes of their own; few, since each starts TensorFlow."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


def command(name, *arguments):
    return subprocess.run(
        [sys.executable, "-m", f"pipelines.{name}", *arguments],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_propose_on_the_sample_photograph(tmp_path):
    sample = ROOT / "savedmodels" / "sample" / "coffee.jpg"
    done = command("propose", f"--images={sample}", f"--output={tmp_path}", "--shorter_sides=119", "--num_proposals=50")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 image(s) done" in done.stdout
    assert "oneDNN" not in done.stderr
    results = json.loads((tmp_path / "proposals.json").read_text())
    assert 0 < len(results) <= 50
    assert {r["image_id"] for r in results} == {"coffee"}
    assert Image.open(tmp_path / "overlays" / "coffee.png").size == Image.open(sample).size


def test_propose_resumes(tmp_path):
    sample = ROOT / "savedmodels" / "sample" / "coffee.jpg"
    flags = [f"--images={sample}", f"--output={tmp_path}", "--shorter_sides=119", "--resume"]
    assert command("propose", *flags, "--num_proposals=5").returncode == 0
    first = (tmp_path / "proposals.json").stat().st_mtime_ns
    again = command("propose", *flags, "--num_proposals=5")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "proposals.json").stat().st_mtime_ns > first
    other = command("propose", *flags, "--num_proposals=6")
    assert other.returncode == 1
    assert "was made with other settings (proposer)" in other.stderr


def test_output_that_nobody_reads_is_no_traceback():
    run = [sys.executable, "-m", "pipelines.train", "--print_config"]
    process = subprocess.Popen(run, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.wait(60) == 128 + signal.SIGPIPE
    assert process.stderr.read() == ""


def test_propose_at_relative_scales(tmp_path):
    sample = ROOT / "savedmodels" / "sample" / "coffee.jpg"
    flags = ["--scale_factors=0.25,.3536", "--num_ranked=40", "--num_proposals=20", "--edge_samples=0"]
    done = command("propose", f"--images={sample}", f"--output={tmp_path}", *flags)
    assert done.returncode == 0, done.stderr
    run = json.loads((tmp_path / "run.json").read_text())
    assert (run["proposer"]["scale_factors"], run["proposer"]["num_ranked"]) == ([0.25, 0.3536], 40)
    assert len(json.loads((tmp_path / "proposals.json").read_text())) == 20
    again = command("propose", f"--config={tmp_path / 'run.json'}", "--print_config")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == run


def test_propose_reports_bad_files_and_fails(tmp_path):
    (tmp_path / "bad.jpg").write_text("no image")
    done = command("propose", f"--images={tmp_path}", f"--output={tmp_path / 'out'}", "--shorter_sides=119")
    assert done.returncode == 1
    assert "bad.jpg is not a readable JPEG" in done.stdout
    assert "0 of 1 image(s) done: nothing written" in done.stdout
    assert not (tmp_path / "out" / "proposals.json").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--images=x.jpg", "--output=o", "--fromat=csv"], "fromat"),
        (["--images=x.jpg", "--output=o", "--format=xml"], "binary_masks"),
        (["--images=x.jpg", "--output=o", "--nms_iou=nan"], "--nms_iou is nan"),
        (["--output=o"], "no images named"),
        (["--images=nowhere/*.jpg", "--output=o"], "no images at nowhere/*.jpg"),
        (["--images=savedmodels/sample", "photo.jpg", "--output=o"], "no images at photo.jpg"),
        (["--images=savedmodels/sample/coffee.jpg", "--output=o", "--shorter_sides=1,x"], "takes whole numbers"),
        (["--images=savedmodels/sample/coffee.jpg", "--output=o", "--scale_factors=1,x"], "takes numbers separated"),
        (
            ["--images=savedmodels/sample/coffee.jpg", "--output=o", "--scale_factors=1", "--shorter_sides=400"],
            "give --shorter_sides or --scale_factors, not both",
        ),
        (["--images=savedmodels/sample/coffee.jpg", "--output=o", "--k=4"], "holds weights for k = 5, not 4"),
        (["--images=savedmodels/sample/coffee.jpg", "--output=o", "--weights=absent.h5"], "no weights file absent.h5"),
        (["--images=savedmodels/sample/coffee.jpg", "--output=o", "--model=vgg61"], "the nearest is vgg16"),
        (["--images=savedmodels/sample/coffee.jpg", "--output=o", "--model=vgg16", "--weights=x.h5"], "give --model,"),
        (["--images=savedmodels/sample/coffee.jpg", "--output=o", "--mask_threshold=2"], "mask_threshold must lie"),
        (["--images=savedmodels/sample/coffee.jpg", "--output=o", "--point=200"], "--point) is Y,X"),
    ],
)
def test_wrong_flags_end_with_one_sentence(arguments, sentence):
    done = command("propose", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (ROOT / "o").exists()


def test_help_says_how(tmp_path):
    done = command("propose", "--help")
    assert done.returncode == 0
    assert "python -m pipelines.propose --images=" in done.stdout
    assert "--mask_threshold" in done.stdout
