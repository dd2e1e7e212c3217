"""What the command `doctor` says."""

import re
import shutil

import pytest

from ifcn_tf.benchmarks import installation
from ifcn_tf.common import processor
from ifcn_tf.common.files import UserError
from ifcn_tf.config import bundled
from ifcn_tf.models.parts import precision
from ifcn_tf.predictor import Predictor
from tests.support.exported import CONFIG, narrow_network


def test_the_lines_say_what_is_here():
    said = list(installation.lines(lambda: Predictor.of_network(narrow_network(), CONFIG)))
    assert said[0].startswith("ifcn_tf 0.3.0.dev0, Python 3.")
    text = "\n".join(said)
    for beginning in ("processor: ", "GPUs: ", "precision auto: ", "threads: ", "extra onnx: ", "model default: "):
        assert re.search(f"^{beginning}", text, re.MULTILINE), beginning
    assert re.fullmatch(r"photograph coffee\.jpg, 400 x 600 px: \d+ masks in \S+ s \(the first time \S+ s\)", said[-1])


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The default model in another place, where no other is."""
    shutil.copytree(bundled.model_weights("default").parent, tmp_path / "default")
    monkeypatch.setattr(bundled, "_SAVEDMODELS", tmp_path)
    return tmp_path / "default" / "model.weights.h5"


def test_hashes_are_verified(copied):
    default, other = installation.models()
    assert re.fullmatch(
        rf"model default: {copied}, 5,\d{{3}},\d{{3}} numbers, sha256 [0-9a-f]{{64}}, verified", default
    )
    assert other.endswith("not installed here; a clone of the repository has it")
    content = bytearray(copied.read_bytes())
    content[len(content) // 2] ^= 1
    copied.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.weights\.h5 is damaged"):
        list(installation.models())


def test_extras_are_there_if_all_their_packages_are():
    requirements = ["numpy>=2", 'onnx; extra == "a"', 'keras>3; extra == "a"', "no-such-package; extra == 'b'"]
    requirements += ['tensorflow[and-cuda]; extra == "gpu"']
    assert list(installation._extras([*requirements, 'numpy<3; extra == "b"'])) == [
        "extra a: installed",
        "extra b: not installed (no-such-package missing)",
    ]


@pytest.mark.parametrize(
    ("flags", "fast", "reason"),
    [
        ({"avx2", "avx512_bf16"}, True, "the processor has avx512_bf16"),
        ({"avx512f"}, False, "the processor has neither avx512_bf16 nor amx_bf16"),
    ],
)
def test_the_reason_of_a_precision(flags, fast, reason, monkeypatch):
    monkeypatch.setattr(processor, "processor_flags", lambda: flags)
    monkeypatch.setattr(precision.tf.config, "list_physical_devices", lambda kind: [])
    assert precision.fast_bfloat16() == (fast, reason)
    assert precision.dtype_policy("auto") == ("mixed_bfloat16" if fast else "float32")
