"""`ifcn_tf.load`: a model on the engine that is asked for. What another engine needs is not imported."""

from __future__ import annotations

import platform
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ifcn_tf.common.files import UserError
from ifcn_tf.config.settings import require
from ifcn_tf.images.files import MAX_PIXELS

if TYPE_CHECKING:
    from ifcn_tf.engines.predictor import EnginePredictor
    from ifcn_tf.predictor import Predictor

#: What the engines that run a file need, and the extra that installs it; the faster ones first.
_FILE_ENGINES = {
    "openvino": (("openvino", "onnxruntime", "onnx"), "openvino"),
    "onnxruntime": (("onnxruntime",), "onnx"),
}
ENGINES = ("auto", "tensorflow", *_FILE_ENGINES)
#: Processors on which OpenVINO was measured to be the faster one.
_OPENVINO_FASTER = ("x86_64", "AMD64")


def load(
    weights: str | Path | None = None, *, engine: str = "auto", max_pixels: int = MAX_PIXELS, **settings: Any
) -> Predictor | EnginePredictor:
    """Loads a model for inference.

    Args:
        weights: what `ifcn_tf.predictor.load` takes, for TensorFlow; or a `.onnx` file that `pipelines.export` wrote.
        engine: what computes: "tensorflow", "openvino", "onnxruntime", or "auto": TensorFlow for weights, and for a
            file what `file_engine` says.
        max_pixels: larger image files are refused.
        **settings: with weights those of `ifcn_tf.predictor.load`, such as precision="float32" or classes="voc"; with a
            file num_proposals, and on OpenVINO precision.

    Raises:
        UserError: a file, engine or setting that cannot be used; says which and why.
    """
    require(engine in ENGINES, f"engine must be one of {', '.join(ENGINES)}, not {engine!r}.")
    if weights is not None and Path(weights).suffix == ".onnx":
        require(engine != "tensorflow", "tensorflow runs weights: leave the .onnx file out, or take another engine.")
        return _load_file(Path(weights), file_engine() if engine == "auto" else engine, max_pixels, settings)
    if engine in _FILE_ENGINES:
        raise UserError(
            f"{engine} runs exported files: write one by "
            "`ifcn-tf export --format=onnx --output=ifcn.onnx`, and give that (--onnx)."
        )
    from ifcn_tf.predictor import load as load_weights

    return load_weights(weights, max_pixels=max_pixels, **settings)


def file_engine() -> str:
    """The engine that runs a file fastest here: OpenVINO on x86 where it is installed, else ONNX Runtime."""
    takes_openvino = platform.machine() in _OPENVINO_FASTER and "openvino" in installed_engines()
    return "openvino" if takes_openvino else "onnxruntime"


def installed_engines() -> list[str]:
    """Those of the engines that run a file whose packages are here, the faster ones first."""
    return [engine for engine, (packages, _) in _FILE_ENGINES.items() if all(map(find_spec, packages))]


def _load_file(path: Path, engine: str, max_pixels: int, settings: dict[str, Any]) -> EnginePredictor:
    packages, extra = _FILE_ENGINES[engine]
    if missing := [package for package in packages if not find_spec(package)]:
        raise UserError(f"{engine} needs {missing[0]}, which is not installed: pip install 'ifcn-tf[{extra}]'.")
    if engine == "openvino":
        from ifcn_tf.engines.openvino_predictor import OpenvinoPredictor

        return OpenvinoPredictor(path, max_pixels, **settings)
    from ifcn_tf.engines.onnx_predictor import OnnxPredictor

    return OnnxPredictor(path, max_pixels, **settings)
