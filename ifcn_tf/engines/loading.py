"""`ifcn_tf.load`: a model on the engine that is asked for. What another engine needs is not imported."""

from __future__ import annotations

import platform
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ifcn_tf.common.files import UserError
from ifcn_tf.common.processor import bfloat16_instructions
from ifcn_tf.config.bundled import QUANTIZED, quantized_model
from ifcn_tf.config.settings import require
from ifcn_tf.images.files import MAX_PIXELS

if TYPE_CHECKING:
    from ifcn_tf.engines.predictor import EnginePredictor
    from ifcn_tf.predictor import Predictor


class _FileEngine(NamedTuple):
    """An engine that runs a file."""

    suffix: str  # of the file
    packages: tuple[str, ...]  # that it needs
    extra: str  # that installs them


#: The faster ones first.
_FILE_ENGINES = {
    "openvino": _FileEngine(".onnx", ("openvino", "onnxruntime", "onnx"), "openvino"),
    "onnxruntime": _FileEngine(".onnx", ("onnxruntime",), "onnx"),
    "litert": _FileEngine(".tflite", ("ai_edge_litert",), "litert"),
}
#: Values of `export --format`, by the suffix of what they write.
_FORMATS = {".onnx": "onnx", ".tflite": "litert"}
ENGINES = ("auto", "tensorflow", *_FILE_ENGINES)
#: Settings that a file does not fix.
_NOT_FIXED = {"num_proposals"}
#: Where there is a GPU that TensorFlow may use.
_NVIDIA = Path("/proc/driver/nvidia/version")
#: Processors on which OpenVINO was measured to be the faster one.
_OPENVINO_FASTER = ("x86_64", "AMD64")


def load(
    weights: str | Path | None = None, *, engine: str = "auto", max_pixels: int = MAX_PIXELS, **settings: Any
) -> Predictor | EnginePredictor:
    """Loads a model for inference.

    Args:
        weights: what `ifcn_tf.predictor.load` takes, for TensorFlow; or a `.onnx` or `.tflite` file that
            `pipelines.export` wrote.
        engine: what computes: "tensorflow", "openvino", "onnxruntime", "litert", or "auto": TensorFlow for weights, for
            a file what `file_engine` says, and for neither what `default_engine` says. "openvino" without weights runs
            the bundled file in 8 bits.
        max_pixels: larger image files are refused.
        **settings: with weights those of `ifcn_tf.predictor.load`, such as precision="float32" or classes="voc"; with a
            file num_proposals, and on OpenVINO precision.

    Raises:
        UserError: a file, engine or setting that cannot be used; says which and why.
    """
    if weights is None and engine == "auto":
        engine, _ = default_engine(settings)
    if weights is None and engine == "openvino":
        weights = quantized_model()
    require(engine in ENGINES, f"engine must be one of {', '.join(ENGINES)}, not {engine!r}.")
    suffix = Path(weights).suffix if weights is not None else ""
    if weights is not None and suffix in _FORMATS:
        chosen = file_engine(suffix) if engine == "auto" else engine
        known = [name for name, needed in _FILE_ENGINES.items() if needed.suffix == suffix]
        require(chosen in known, f"{weights} is run by {' or '.join(known)}, not by {chosen}: leave the engine out.")
        return _load_file(Path(weights), chosen, max_pixels, settings)
    if engine in _FILE_ENGINES:
        form = _FORMATS[_FILE_ENGINES[engine].suffix]
        raise UserError(
            f"{engine} runs exported files: write one by "
            f"`ifcn-tf export --format={form} --output=ifcn{_FILE_ENGINES[engine].suffix}`, and give that (--{form})."
        )
    from ifcn_tf.predictor import load as load_weights

    return load_weights(weights, max_pixels=max_pixels, **settings)


def default_engine(settings: Collection[str] = ()) -> tuple[str, str]:
    """What computes the default model fastest here, with some settings of `load`: "tensorflow" or "openvino", and why.

    On two cores with AVX-512 seven scales take 1.2 s in OpenVINO's 8 bits with float32 around them, and in TensorFlow
    1.8 s in float32, and 1.1 s in bfloat16.
    """
    found, reason = bfloat16_instructions()
    if fixed := set(settings) - _NOT_FIXED:
        return "tensorflow", f"the file in 8 bits has its own {min(fixed)}"
    if _NVIDIA.exists():
        return "tensorflow", "there is an NVIDIA GPU"
    if file_engine() != "openvino" or not QUANTIZED.exists():
        return "tensorflow", "OpenVINO or its file are not installed, or this is no x86"
    return ("tensorflow" if found else "openvino"), reason


def file_engine(suffix: str = ".onnx") -> str:
    """The engine that runs a file fastest here: an ONNX file OpenVINO on x86 where it is installed, or ONNX Runtime."""
    if suffix == ".tflite":
        return "litert"
    takes_openvino = platform.machine() in _OPENVINO_FASTER and "openvino" in installed_engines(suffix)
    return "openvino" if takes_openvino else "onnxruntime"


def installed_engines(suffix: str = ".onnx") -> list[str]:
    """Those of the engines that run a file whose packages are here, the faster ones first."""
    of_suffix = {engine: needed for engine, needed in _FILE_ENGINES.items() if needed.suffix == suffix}
    return [engine for engine, needed in of_suffix.items() if all(map(find_spec, needed.packages))]


def _load_file(path: Path, engine: str, max_pixels: int, settings: dict[str, Any]) -> EnginePredictor:
    needed = _FILE_ENGINES[engine]
    if missing := [package for package in needed.packages if not find_spec(package)]:
        raise UserError(f"{engine} needs {missing[0]}, which is not installed: pip install 'ifcn-tf[{needed.extra}]'.")
    if engine == "openvino":
        from ifcn_tf.engines.openvino_predictor import OpenvinoPredictor

        return OpenvinoPredictor(path, max_pixels, **settings)
    if engine == "litert":
        from ifcn_tf.engines.litert_predictor import LitertPredictor

        return LitertPredictor(path, max_pixels, **settings)
    from ifcn_tf.engines.onnx_predictor import OnnxPredictor

    return OnnxPredictor(path, max_pixels, **settings)
