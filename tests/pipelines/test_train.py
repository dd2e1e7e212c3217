"""The training command as users call it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def train(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pipelines.train", *arguments]
    return subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=200)


def test_a_misspelt_setting_is_refused_with_the_nearest(tmp_path):
    done = train(f"--data={tmp_path}", f"--workdir={tmp_path}", "--set", "train.momentun=0.5")
    assert done.returncode == 1
    assert done.stderr == "error: --set train.momentun: there is no such setting; the nearest is train.momentum.\n"


def test_data_that_was_not_prepared_is_named(tmp_path):
    done = train(f"--data={tmp_path}", f"--workdir={tmp_path}", "--steps=0", "--set=train.precision=float32")
    assert done.returncode == 1
    assert done.stdout.startswith(f"training 0 steps on {tmp_path}")
    assert f"{tmp_path} holds no dataset.json" in done.stderr
    assert "Traceback" not in done.stderr
