"""A run of `propose` that is repeated from what it wrote."""

import json
import re

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import PromptConfig, ProposerConfig, ShownConfig
from ifcn_tf.results.run_file import RunFile, read_run_file


def write(folder, content):
    path = folder / "run.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_what_a_run_wrote_is_read(tmp_path):
    proposer, shown, prompt = ProposerConfig(nms_iou=0.7), ShownConfig(3, 0.1, 0.5), PromptConfig((1.0, 2.0))
    written = {
        "weights": "abc",
        "images": ["/photos"],
        "precision": "float32",
        "formats": ["cutouts", "csv"],
        "simplify": 1,
    }
    written |= {"proposer": proposer.to_dict(), "shown": shown.to_dict(), "prompt": prompt.to_dict()}
    path = write(tmp_path, {**written, "places": {"model": "vgg16"}})
    expected = RunFile(proposer, "float32", shown, prompt, ("cutouts", "csv"), 1.0, {"model": "vgg16"})
    assert read_run_file(path) == expected
    assert read_run_file(write(tmp_path, {})) == RunFile()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[]", "holds no settings"),
        ({"proposr": {}}, "the section 'proposr' is not known: the nearest is proposer"),
        ({"server": "localhost"}, "the section 'server' is not known"),
        ({"formats": "csv"}, "formats is no list"),
        ({"simplify": "much"}, "simplify is no number"),
        ({"shown": {"count": 0}}, "shown.count (--distinct) must be positive"),
        ({"proposer": {"nms_iou": 2.0}}, "proposer.nms_iou must lie in 0..1"),
    ],
)
def test_what_is_no_run_is_refused_by_the_name_of_its_file(content, sentence, tmp_path):
    path = write(tmp_path, content)
    with pytest.raises(UserError, match=re.escape(sentence)) as refused:
        read_run_file(path)
    assert str(path) in str(refused.value)
