"""What is recorded of a run."""

from __future__ import annotations

import subprocess

import tensorflow as tf

from ifcn_tf.training import workdir
from tests.support.narrow_run import narrow_config


def test_the_commit_is_that_of_this_code_only(tmp_path, monkeypatch):
    def git(*arguments):
        author = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", str(tmp_path), *author, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit_of_code_in(folder):
        (folder / "ifcn_tf" / "training").mkdir(parents=True)
        monkeypatch.setattr(workdir, "__file__", str(folder / "ifcn_tf" / "training" / "workdir.py"))
        return workdir.run_record(narrow_config(1), tf.distribute.get_strategy(), {})["commit"]

    git("init")
    git("commit", "--allow-empty", "-m", "first")
    assert commit_of_code_in(tmp_path) == git("rev-parse", "HEAD")
    installed = tmp_path / "venv" / "site-packages"
    assert commit_of_code_in(installed) == "unknown"
