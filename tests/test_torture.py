"""The suite that breaks things: its command line, and that it would notice; `make torture` runs its campaigns."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from tests.support.exported import encoded, scene
from tests.torture.__main__ import _count, main
from tests.torture.commands import COMMANDS, half_written

PNG = encoded(scene(0, (60, 80)), "PNG")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--jobs=0"], "at least 1, not 0"),
        (["--jobs=-1"], "at least 1, not -1"),
        (["--share=0"], "--share is a part of what is tried, such as 0.1, not 0.0"),
        (["--share=nan"], "not nan"),
        (["--seed=-1"], "--seed is 0 or more, not -1"),
        (["damage:bmp", "damage:none"], "no campaign damage:none"),
        ([f"--folder={Path(__file__).parent}"], "exists already"),
    ],
)
def test_wrong_arguments_are_refused_by_a_sentence(arguments, sentence, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["torture", *arguments])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert sentence in capsys.readouterr().err


def test_a_share_of_each_campaign_is_tried():
    """On average over the seeds; what is tried once is always."""
    seeds = [argparse.Namespace(share=0.05, seed=seed) for seed in range(400)]
    assert np.mean([_count("kills:onnx", given) for given in seeds]) == pytest.approx(0.25, abs=0.07)
    assert {_count("server", given) for given in seeds} == {50}
    assert {_count("hostile", given) for given in seeds} == {1}


@pytest.mark.parametrize(
    ("name", "content", "is_whole"),
    [
        ("a.json", b'{"a": [1', False),
        ("a.json", b'{"a": [1]}', True),
        ("a.csv", b"a,b\n1,2\n3\n", False),
        ("a.csv", b"a,b\n1,2\n", True),
        ("a.png", PNG[: len(PNG) // 2], False),
        ("a.png", PNG, True),
        ("a.h5", b"", False),
        (".unfinished-a/a.json", b"{", True),
    ],
)
def test_half_a_file_is_noticed(name, content, is_whole, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    wrong = half_written(COMMANDS["propose"], tmp_path, {})
    assert (wrong == "") == is_whole and (is_whole or name in wrong)
