"""Which engine computes where none is asked for."""

from pathlib import Path

import pytest

from ifcn_tf.common import processor
from ifcn_tf.engines import loading


@pytest.fixture
def older(monkeypatch, tmp_path):
    """An x86 processor without bfloat16, OpenVINO installed, no GPU."""
    monkeypatch.setattr(processor, "processor_flags", set)
    monkeypatch.setattr(loading, "file_engine", lambda: "openvino")
    monkeypatch.setattr(loading, "_NVIDIA", tmp_path / "no_gpu")


def test_the_default_model_is_run_in_8_bits_where_nothing_computes_in_bfloat16(older, monkeypatch):
    assert loading.default_engine() == ("openvino", "the processor has neither avx512_bf16 nor amx_bf16")
    assert loading.default_engine({"num_proposals": 5})[0] == "openvino"
    monkeypatch.setattr(processor, "processor_flags", lambda: {"avx2", "avx512_bf16"})
    assert loading.default_engine() == ("tensorflow", "the processor has avx512_bf16")


def test_what_the_file_fixes_is_left_to_tensorflow(older):
    assert loading.default_engine({"num_proposals": 5, "nms_iou": 0.7}) == (
        "tensorflow",
        "the file in 8 bits has its own nms_iou",
    )


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("file_engine", lambda: "onnxruntime", "OpenVINO or its file are not installed, or this is no x86"),
        ("_NVIDIA", Path(__file__), "there is an NVIDIA GPU"),
        ("QUANTIZED", Path("/dev/null/none"), "OpenVINO or its file are not installed, or this is no x86"),
    ],
)
def test_what_leaves_it_to_tensorflow(name, value, reason, older, monkeypatch):
    monkeypatch.setattr(loading, name, value)
    assert loading.default_engine() == ("tensorflow", reason)
