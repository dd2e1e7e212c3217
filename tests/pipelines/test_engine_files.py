"""`propose` with an exported file, as users call it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import ifcn_tf
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.litert_export import export_litert
from ifcn_tf.engines.onnx_export import export_onnx
from tests.support.exported import narrow_network, scene

ROOT = Path(__file__).parents[2]
EXPORTS = {"onnx": ("model.onnx", export_onnx), "litert": ("model.tflite", export_litert)}


def propose(*arguments):
    line = [sys.executable, "-m", "pipelines.propose", "--overlay=none", *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("flag", EXPORTS)
def test_it_proposes_as_the_library_does(flag, tmp_path):
    name, export = EXPORTS[flag]
    export(narrow_network(), ProposerConfig(shorter_sides=(64,), num_proposals=5, pre_nms=50), tmp_path / name)
    Image.fromarray(scene(0, (60, 80))).save(tmp_path / "a.png")
    done = propose(f"--{flag}={tmp_path / name}", f"--output={tmp_path / 'masks'}", str(tmp_path / "a.png"))
    assert (done.returncode, done.stderr.count("error")) == (0, 0), done.stderr
    written = json.loads((tmp_path / "masks" / "proposals.json").read_text())
    expected = ifcn_tf.load(tmp_path / name).propose(tmp_path / "a.png")
    assert written and [entry["segmentation"] for entry in written] == expected.rles


@pytest.mark.parametrize("flag", EXPORTS)
def test_what_does_not_go_with_a_file_is_refused(flag, tmp_path):
    Image.fromarray(scene(0, (60, 80))).save(tmp_path / "a.png")
    done = propose(f"--{flag}=model.bin", "--classify=voc", str(tmp_path / "a.png"))
    assert done.returncode == 1
    assert done.stderr == (
        f"error: --{flag} gives no names: leave --classify out, or give weights instead of the file.\n"
    )


#: `propose` on a processor that does not compute in bfloat16.
OLDER = (
    "from ifcn_tf.common import processor; processor.processor_flags = set\n"
    "from pipelines import _cli, propose; _cli.run(propose.main, propose._images.IMAGES)"
)


@pytest.mark.parametrize(
    ("flags", "engine"), [((), "openvino"), (("--nms_iou=0.7",), "tensorflow"), (("--model=default",), "tensorflow")]
)
def test_the_default_model_is_run_by_what_is_fastest_here(flags, engine, tmp_path):
    pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install '.[openvino]'")
    Image.fromarray(scene(0, (60, 80))).save(tmp_path / "a.png")
    line = [sys.executable, "-c", OLDER, *flags, f"--output={tmp_path / 'masks'}"]
    done = subprocess.run([*line, str(tmp_path / "a.png")], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (done.returncode, f"\nengine: {engine} " in done.stdout) == (0, True), done.stdout + done.stderr
    named = json.loads((tmp_path / "masks" / "run.json").read_text())["places"]["engine"]
    assert named == (engine if engine == "openvino" else "auto")
