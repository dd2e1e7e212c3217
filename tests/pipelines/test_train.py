"""The training command as users call it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ifcn_tf.config.presets import PRESETS, RunConfig
from tests.support.prepared import prepare_shapes


def train(*arguments: str) -> subprocess.CompletedProcess:
    return call("-m", "pipelines.train", *arguments)


def call(*arguments: str) -> subprocess.CompletedProcess:
    root = Path(__file__).parents[2]
    return subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, text=True, timeout=200)


def test_a_misspelt_setting_is_refused_with_the_nearest(tmp_path):
    done = train(f"--data={tmp_path}", f"--workdir={tmp_path}", "--set", "train.momentun=0.5")
    assert done.returncode == 1
    assert done.stderr == (
        "error: --set train.momentun: there is no such setting; the nearest is train.momentum, and "
        "--print_config lists all.\n"
    )


def test_a_setting_like_no_other_leads_to_the_list():
    done = train("--print_config", "--set=xyz=1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: --set xyz: there is no such setting; --print_config lists all.\n"


@pytest.mark.parametrize("command", ["train", "inspect_data"])
def test_settings_are_printed_without_a_run(command):
    """As JSON that `--set` understands, and before TensorFlow is loaded."""
    program = (
        "import runpy, sys\n"
        f"sys.argv = ['x', '--print_config', '--preset=quick', '--set=train.steps=7', '--set=model.k=3']\n"
        f"try: runpy.run_module('pipelines.{command}', run_name='__main__')\n"
        "finally: assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = call("-c", program)
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    assert printed.pop("places", {}).get("data", []) == []
    assert RunConfig.from_dict(printed).to_dict() == printed
    expected = PRESETS["quick"].to_dict()
    expected["train"]["steps"], expected["model"]["k"] = 7, 3
    assert printed == expected


def test_what_is_printed_is_read_again_and_an_earlier_run_as_well(tmp_path):
    """To the byte; flags besides change single settings and places."""
    settings = ["--data=a:3,b", "--validation_data=c", "--weights=vgg16", "--set=train.steps=7", "--preset=light"]
    first = train("--print_config", *settings)
    (tmp_path / "run.json").write_text(first.stdout)
    again = train("--print_config", f"--config={tmp_path / 'run.json'}")
    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr
    printed = json.loads(first.stdout)
    assert printed["places"] == {
        "data": ["a", "b"],
        "data_shares": [3, 1],
        "validation_data": ["c"],
        "weights": "vgg16",
        "backbone_weights": "imagenet",
    }
    earlier = {**printed, "versions": {"python": "3"}, "commit": "abc", "devices": {}, "weights": {}}
    (tmp_path / "config.json").write_text(json.dumps(earlier))
    changed = train("--print_config", f"--config={tmp_path / 'config.json'}", "--data=d", "--set=model.k=3")
    printed["places"] |= {"data": ["d"], "data_shares": []}
    printed["model"]["k"] = 3
    assert json.loads(changed.stdout) == printed


def test_a_preset_and_a_file_cannot_both_be_where_settings_start(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    done = train("--print_config", "--preset=light", f"--config={tmp_path / 'run.json'}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: give --preset or --config, not both")


@pytest.mark.parametrize(
    ("command", "given", "missing"),
    [("train", "workdir", "data"), ("train", "data", "workdir"), ("inspect_data", "data", "output")],
)
def test_a_run_needs_its_places(command, given, missing, tmp_path):
    done = call("-m", f"pipelines.{command}", f"--{given}={tmp_path}")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"--{missing} is needed, unless --print_config asks for the settings alone" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_share_is_refused_in_one_sentence(tmp_path):
    done = train(f"--data={tmp_path}:3,b:0", f"--workdir={tmp_path}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: --data=b:0: there is no such folder, and '0' is no share of b")
    assert len(done.stderr.splitlines()) == 1


def test_a_run_is_described_and_timed(tmp_path):
    """All steps of the preset, though --steps is 0. 4 photographs shown twice and 2 shown once are 10 a pass."""
    data = [prepare_shapes(tmp_path / name, count) for name, count in (("a", 4), ("b", 2))]
    small = ["--set=data.shorter_sides=[32]", "--set=train.images_per_step=2", "--set=model.branch_channels=8"]
    done = train(f"--data={data[0]}:2,{data[1]}", f"--workdir={tmp_path / 'run'}", "--steps=0", *small)
    assert done.returncode == 0, done.stderr
    assert "images a pass: 10; 2 a step, so 5.0 steps a pass\n" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert re.fullmatch(
        r"a step takes about \S+ s on this machine, so 40,000 steps take about .+ without validation", last
    )
    assert not (tmp_path / "run").exists()


def test_data_that_was_not_prepared_is_named(tmp_path):
    done = train(f"--data={tmp_path}", f"--workdir={tmp_path}", "--steps=0", "--set=train.precision=float32")
    assert done.returncode == 1
    assert done.stdout.startswith(f"training 0 steps on {tmp_path}")
    assert f"{tmp_path} holds no dataset.json" in done.stderr
    assert "Traceback" not in done.stderr
