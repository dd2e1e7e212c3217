"""Photographs to masks with LiteRT, formerly TensorFlow Lite."""

from __future__ import annotations

import threading
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
    import ai_edge_litert
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter
except ImportError as error:
    raise UserError("running LiteRT files needs ai-edge-litert: pip install 'ifcn-tf[litert]'.") from error


class LitertPredictor(EnginePredictor):
    """`EnginePredictor` by LiteRT, which works on one image at a time.

    Args:
        path: what `litert_export.export_litert` wrote.
        max_pixels, num_proposals: see there.
        precision: "auto" or "float32".
    """

    def __init__(
        self,
        path: str | Path,
        max_pixels: int = MAX_PIXELS,
        num_proposals: int | None = None,
        precision: Precision = "auto",
        **fixed: Any,
    ) -> None:
        require(precision in ("auto", "float32"), f"litert computes in float32, not in {precision}.")
        self._busy = threading.Lock()
        super().__init__(path, max_pixels, num_proposals, **fixed)

    @property
    def _runtime(self) -> str:
        return f"litert {ai_edge_litert.__version__}"

    def _load(self, path: Path, content: bytes) -> str:
        model = schema.Model.GetRootAs(content)
        entries = [model.Metadata(number) for number in range(model.MetadataLength())]
        settings = next(model.Buffers(entry.Buffer()) for entry in entries if entry.Name() == METADATA.encode())
        # The interpreter keeps what it allocates; the runner does not keep the interpreter.
        self._interpreter = Interpreter(model_content=content, num_threads=usable_cores())
        self._runner = self._interpreter.get_signature_runner()
        return settings.DataAsNumpy().tobytes().decode()

    def _compute(self, image: np.ndarray) -> Arrays:
        with self._busy:
            return self._runner(image=image)
