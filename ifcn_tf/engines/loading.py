"""`ifcn_tf.load`: a model on the engine that is asked for. What another engine needs is not imported."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ifcn_tf.common.files import UserError
from ifcn_tf.config.settings import require
from ifcn_tf.images.files import MAX_PIXELS

if TYPE_CHECKING:
    from ifcn_tf.engines.predictor import EnginePredictor
    from ifcn_tf.predictor import Predictor

Engine = Literal["auto", "tensorflow", "openvino", "onnxruntime"]
#: What runs exported files, the fastest first (docs/speed.md): module, class and extra of each package.
_RUNTIMES = {
    "openvino": ("ifcn_tf.engines.openvino_predictor", "OpenvinoPredictor", "openvino"),
    "onnxruntime": ("ifcn_tf.engines.onnx_predictor", "OnnxPredictor", "onnx"),
}
ENGINES = ("auto", "tensorflow", *_RUNTIMES)


def load(
    weights: str | Path | None = None, *, engine: Engine = "auto", max_pixels: int = MAX_PIXELS, **settings: Any
) -> Predictor | EnginePredictor:
    """Loads a model for inference.

    Args:
        weights: what `ifcn_tf.predictor.load` takes, for TensorFlow; or a `.onnx` file that `pipelines.export` wrote.
        engine: what computes. Of "auto" weights take TensorFlow, and files the fastest runtime that is installed.
        max_pixels: larger image files are refused.
        **settings: with weights those of `ifcn_tf.predictor.load`, such as precision="float32"; with a file
            num_proposals alone.

    Raises:
        UserError: a file, engine or setting that cannot be used; says which and why.
    """
    require(engine in ENGINES, f"engine must be one of {', '.join(ENGINES)}, not {engine!r}.")
    exported = weights is not None and Path(weights).suffix == ".onnx"
    if exported:
        return _runtime(engine)(weights, max_pixels, **settings)
    if engine in _RUNTIMES:
        raise UserError(
            f"{engine} runs exported files: write one by "
            "`python -m pipelines.export --format=onnx --output=ifcn.onnx`, and give that (--onnx)."
        )
    from ifcn_tf.predictor import load as load_weights

    return load_weights(weights, max_pixels=max_pixels, **settings)


def installed_runtimes() -> list[str]:
    """The names of the engines for exported files that are installed, the fastest first."""
    return [name for name in _RUNTIMES if importlib.util.find_spec(name)]


def _runtime(engine: Engine) -> type[EnginePredictor]:
    require(engine != "tensorflow", "tensorflow runs weights: leave the .onnx file out, or take another engine.")
    installed = installed_runtimes()
    name = engine if engine != "auto" else next(iter(installed), None)
    if name not in installed:
        extras = " or ".join(f"'ifcn-tf[{extra}]'" for key, (_, _, extra) in _RUNTIMES.items() if name in (key, None))
        raise UserError(f"no {name or 'runtime for .onnx files'} is installed: pip install {extras}.")
    module, class_name, _ = _RUNTIMES[name]
    return getattr(importlib.import_module(module), class_name)
