"""`ifcn_tf.load`: a model on the engine that is asked for. What another engine needs is not imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ifcn_tf.common.files import UserError
from ifcn_tf.config.settings import require
from ifcn_tf.images.files import MAX_PIXELS

if TYPE_CHECKING:
    from ifcn_tf.engines.predictor import EnginePredictor
    from ifcn_tf.predictor import Predictor

ENGINES = ("auto", "tensorflow", "onnxruntime")


def load(
    weights: str | Path | None = None, *, engine: str = "auto", max_pixels: int = MAX_PIXELS, **settings: Any
) -> Predictor | EnginePredictor:
    """Loads a model for inference.

    Args:
        weights: what `ifcn_tf.predictor.load` takes, for TensorFlow; or a `.onnx` file that `pipelines.export` wrote.
        engine: what computes: "tensorflow", "onnxruntime", or "auto", which takes the one that runs what is given.
        max_pixels: larger image files are refused.
        **settings: with weights those of `ifcn_tf.predictor.load`, such as precision="float32"; with a file
            num_proposals alone.

    Raises:
        UserError: a file, engine or setting that cannot be used; says which and why.
    """
    require(engine in ENGINES, f"engine must be one of {', '.join(ENGINES)}, not {engine!r}.")
    if weights is not None and Path(weights).suffix == ".onnx":
        require(engine != "tensorflow", "tensorflow runs weights: leave the .onnx file out, or take another engine.")
        from ifcn_tf.engines.onnx_predictor import OnnxPredictor

        return OnnxPredictor(weights, max_pixels, **settings)
    if engine == "onnxruntime":
        raise UserError(
            "onnxruntime runs exported files: write one by "
            "`ifcn-tf export --format=onnx --output=ifcn.onnx`, and give that (--onnx)."
        )
    from ifcn_tf.predictor import load as load_weights

    return load_weights(weights, max_pixels=max_pixels, **settings)
