"""Photographs to masks with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.common.pool import usable_cores
from ifcn_tf.config.network import Precision
from ifcn_tf.config.settings import require
from ifcn_tf.engines.predictor import METADATA, Arrays, EnginePredictor
from ifcn_tf.images.files import MAX_PIXELS

try:
    import onnxruntime
except ImportError as error:
    raise UserError("running ONNX files needs onnxruntime: pip install 'ifcn-tf[onnx]'.") from error


class OnnxPredictor(EnginePredictor):
    """`EnginePredictor` by ONNX Runtime.

    Args:
        path, max_pixels, num_proposals: see there.
        providers: onnxruntime's execution providers, in order of preference.
        precision: "auto" or "float32".
    """

    def __init__(
        self,
        path: str | Path,
        max_pixels: int = MAX_PIXELS,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        num_proposals: int | None = None,
        precision: Precision = "auto",
        **fixed: Any,
    ) -> None:
        require(precision in ("auto", "float32"), f"onnxruntime computes in float32, not in {precision}.")
        self._providers = list(providers)
        super().__init__(path, max_pixels, num_proposals, **fixed)

    @property
    def _runtime(self) -> str:
        return f"onnxruntime {onnxruntime.__version__}"

    def _load(self, path: Path, content: bytes) -> str:
        self._session = session(content, self._providers)
        self._names = [output.name for output in self._session.get_outputs()]
        return self._session.get_modelmeta().custom_metadata_map[METADATA]

    def _compute(self, image: np.ndarray) -> Arrays:
        return dict(zip(self._names, self._session.run(self._names, {"image": image}), strict=True))


def session(
    content: bytes, providers: Sequence[str] = ("CPUExecutionProvider",), arena: bool = True
) -> onnxruntime.InferenceSession:
    """What runs a model, on all cores; an arena keeps the memory of one image for the next."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = arena
    return onnxruntime.InferenceSession(content, options, providers=list(providers))
