"""Settings are read from JSON and YAML alike."""

import json
import re

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.files import read_sections
from ifcn_tf.config.presets import PRESETS, RunConfig, read_run
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.results.run_file import RunFile, read_run_file


def write(folder, text, name="run.yaml"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("indent", [None, 2])
def test_what_is_printed_is_yaml_too(preset, indent, tmp_path):
    """Also 5e-05, as Python writes deepmask's weight decay, which YAML 1.1 takes for text."""
    config = PRESETS[preset]
    path = write(tmp_path, json.dumps({**config.to_dict(), "places": {"data": ["a"]}}, indent=indent), "run.yml")
    assert read_run(path) == (config, {"data": ["a"]})


def test_settings_by_hand(tmp_path):
    text = """
    # half as long
    train: {steps: 2400, weight_decay: 1e-4}
    data:
      shorter_sides: [400, 600]   # px
    places:
      data: [prepared/mine]
    """
    config, places = read_run(write(tmp_path, text))
    expected = RunConfig().to_dict()
    expected["train"] |= {"steps": 2400, "weight_decay": 0.0001}
    expected["data"]["shorter_sides"] = [400, 600]
    assert (config.to_dict(), places) == (expected, {"data": ["prepared/mine"]})
    run = read_run_file(write(tmp_path, "proposer: {nms_iou: .7}\nformats:\n- csv\nplaces: {images: [2024-05-01]}\n"))
    assert run == RunFile(ProposerConfig(nms_iou=0.7), formats=("csv",), places={"images": ["2024-05-01"]})


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("12", 12),
        ("-1.5e3", -1500.0),
        (".5", 0.5),
        ("1e-4", 0.0001),
        ("true", True),
        ("null", None),
        ("", None),
        ("no", "no"),
        ("'12'", "12"),
        ("1:30", "1:30"),
        ("2024-05-01", "2024-05-01"),
        ("0x10", "0x10"),
    ],
)
def test_plain_words_are_what_they_are_in_json(plain, value, tmp_path):
    found = read_sections(write(tmp_path, f"train: {plain}\n"), ["train"])["train"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("train:\n  steps: 5\n bad: [\n", "is not valid YAML: line 3, "),
        ("train: [1, 2\n", "is not valid YAML: line 2, "),
        ("\ttrain: 1\n", "is not valid YAML: line 1, "),
        ("train: !!python/name:os.system\n", "is not valid YAML: line 1, could not determine a constructor"),
        ("train: !!set {1}\n", "is not valid YAML of plain values"),
        ("train: &a [1]\nmodel: *a\n", "is not valid YAML: line 2, aliases are not taken"),
        ("train: \x07\n", "is not valid YAML of plain values"),
        ("", "holds no settings"),
        ("5: {}\n", "the section '5' is not known"),
        ("trian: {}\n", "the section 'trian' is not known: the nearest is train"),
        ("train: {5: 1, steps: 2}\n", "train.5: TrainConfig has no such setting"),
        ("train: {warm_up: no}\n", "train.warm_up must be a whole number, not 'no'."),
        ("train: 3\n", "train is no section of settings"),
    ],
)
def test_what_holds_no_settings_is_refused_in_one_sentence(text, sentence, tmp_path):
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=re.escape(sentence)) as refused:
        read_run(path)
    assert str(refused.value).startswith(str(path)) and "\n" not in str(refused.value)
