"""What is recorded of a run."""

from __future__ import annotations

import subprocess

import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.presets import RunConfig
from ifcn_tf.config.training import TrainConfig
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


def record_of(**train):
    return RunConfig(train=TrainConfig(**train)).to_dict()


def test_a_run_may_be_longer_unless_its_learning_rates_depend_on_that(tmp_path):
    for schedule in ("steps", "cosine"):
        (tmp_path / schedule / "checkpoints").mkdir(parents=True)
        workdir.open_workdir(tmp_path / schedule, record_of(steps=10, schedule=schedule))
    workdir.open_workdir(tmp_path / "steps", record_of(steps=20))
    with pytest.raises(UserError, match=r"\(train\.steps=10\)"):
        workdir.open_workdir(tmp_path / "cosine", record_of(steps=20, schedule="cosine"))


def test_what_a_run_has_not_recorded_is_the_default(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    before = record_of()
    del before["train"]["warm_up"], before["train"]["optimizer"]
    workdir.open_workdir(tmp_path, before)
    with pytest.raises(UserError, match=r"\(train\.optimizer=sgd, train\.warm_up=0\)"):
        workdir.open_workdir(tmp_path, record_of(warm_up=5, optimizer="adamw"))
    workdir.open_workdir(tmp_path, record_of())


@pytest.mark.parametrize(("name", "value"), [("data_shares", [3, 1]), ("data_partial", [1])])
def test_a_run_goes_on_with_the_same_shares_and_labels_only(name, value, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    workdir.open_workdir(tmp_path, {"places": {}})  # of a program that knew none
    workdir.open_workdir(tmp_path, {"places": {name: []}})
    with pytest.raises(UserError, match=rf"\(places\.{name}=\[\]\)"):
        workdir.open_workdir(tmp_path, {"places": {name: value}})
