"""Photographs to masks with OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.common.pool import usable_cores
from ifcn_tf.engines.predictor import METADATA, Arrays, EnginePredictor

try:
    import openvino
except ImportError as error:
    raise UserError("OpenVINO is not installed: pip install 'ifcn-tf[openvino]'.") from error


class OpenvinoPredictor(EnginePredictor):
    """`EnginePredictor` by OpenVINO."""

    @property
    def engine(self) -> str:
        """Such as "openvino 2026.1.0, float32, 2 threads"."""
        version = openvino.get_version().split("-")[0]
        return f"openvino {version}, float32, {usable_cores()} threads"

    def _load(self, path: Path, content: bytes) -> str:
        core = openvino.Core()
        model = core.read_model(content)
        # In bfloat16 it would compute boxes too, of pixels in the thousands.
        options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": usable_cores()}
        self._request = core.compile_model(model, "CPU", options).create_infer_request()
        return str(model.get_rt_info(["framework", METADATA]).value)

    def _run(self, image: np.ndarray) -> Arrays:
        answer = self._request.infer({"image": image}, share_inputs=True)
        return {output.any_name: answer[output] for output in answer}
