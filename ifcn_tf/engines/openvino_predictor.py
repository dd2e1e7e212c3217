"""Photographs to masks with OpenVINO, which computes the network; ONNX Runtime does what is before and after it."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.common.memory import give_back_memory
from ifcn_tf.common.pool import usable_cores
from ifcn_tf.config.network import Precision
from ifcn_tf.config.settings import require
from ifcn_tf.engines.onnx_parts import apart, model_of, onnx
from ifcn_tf.engines.onnx_predictor import session
from ifcn_tf.engines.predictor import METADATA, Arrays, EnginePredictor
from ifcn_tf.images.files import MAX_PIXELS

try:
    import openvino
    from openvino import opset13 as operators
    from openvino.utils import replace_node
except ImportError as error:
    raise UserError("OpenVINO is not installed: pip install 'ifcn-tf[openvino]'.") from error

#: Name and version.
RUNTIME = f"openvino {openvino.get_version().split('-')[0]}"
#: OpenVINO's names of precisions.
_HINTS = {"float32": "f32", "bfloat16": "bf16"}
#: Scales that are computed at once, on as many parts of the cores: the largest is about as much work as all others.
_STREAMS = 2


class OpenvinoPredictor(EnginePredictor):
    """`EnginePredictor` whose network OpenVINO computes.

    Args:
        path, max_pixels, num_proposals: see there.
        precision: of the network; "auto" is OpenVINO's choice, bfloat16 where the processor has instructions for it.
    """

    def __init__(
        self,
        path: str | Path,
        max_pixels: int = MAX_PIXELS,
        num_proposals: int | None = None,
        precision: Precision = "auto",
        **fixed: Any,
    ) -> None:
        known = ("auto", *_HINTS)
        require(precision in known, f"precision must be one of {', '.join(known)}, not {precision!r}.")
        self._hint = {"INFERENCE_PRECISION_HINT": _HINTS[precision]} if precision != "auto" else {}
        super().__init__(path, max_pixels, num_proposals, **fixed)

    @property
    def precision(self) -> str:
        """See `EnginePredictor`."""
        return precision_of(self._network)

    @property
    def _runtime(self) -> str:
        return RUNTIME

    def _load(self, path: Path, content: bytes) -> str:
        model = onnx.load_model_from_string(content)
        parts = apart(model)
        pyramid, network, rest = (model_of(part).SerializeToString() for part in parts)
        with ThreadPoolExecutor(1) as beside:
            made = beside.submit(lambda: compiled(read_network(network), min(_STREAMS, usable_cores()), **self._hint))
            self._pyramid, self._rest = session(pyramid, arena=False), session(rest, arena=False)
        self._network = made.result()
        self._scales, self._answers = ([value.name for value in part.output] for part in (parts.pyramid, parts.rest))
        return next(entry.value for entry in model.metadata_props if entry.key == METADATA)

    def _run(self, image: np.ndarray) -> Arrays:
        features = self.features(self.pyramid(image))
        give_back_memory()
        answers = self._rest.run(self._answers, {"image": image, **features})
        return dict(zip(self._answers, answers, strict=True))

    def pyramid(self, image: np.ndarray) -> Arrays:
        """Image uint8 [H, W, 3] -> the image at each scale, float32 [1, h, w, 3], by name."""
        return dict(zip(self._scales, self._pyramid.run(self._scales, {"image": image}), strict=True))

    def features(self, images: Arrays) -> Arrays:
        """What the network finds in each image of the pyramid, by the names that the rest knows."""
        requests = {scale: self._network.create_infer_request() for scale in images}
        for scale in sorted(images, key=lambda scale: -images[scale].size):  # the longest first
            requests[scale].start_async({"image": images[scale]}, share_inputs=True)
        features = {}
        for scale, request in requests.items():
            request.wait()
            for output in self._network.outputs:
                features[f"{scale}/{output.any_name}"] = request.get_tensor(output).data
        return features


@functools.cache
def core() -> openvino.Core:
    """OpenVINO, once in a process and for good.

    It handles signals on a stack of its own, which ends with it: a process that is interrupted after that crashes.
    """
    return openvino.Core()


def read_network(content: bytes) -> openvino.Model:
    """The network of a file (`Parts.network`, serialized), whose objectness stays in float32."""
    model = core().read_model(content)
    _keep_single_channels(model)
    return model


def compiled(model: openvino.Model, streams: int, **hint: str) -> openvino.CompiledModel:
    """A model on all cores, of which each of so many requests at a time has a part."""
    options = {
        "INFERENCE_NUM_THREADS": usable_cores(),
        "NUM_STREAMS": streams,
        "CPU_RUNTIME_CACHE_CAPACITY": "0",  # kernels of each size of image that was ever seen; making them takes 2 %
        **hint,
    }
    return core().compile_model(model, "CPU", options)


def precision_of(network: openvino.CompiledModel) -> str:
    """The arithmetic that OpenVINO took: "float32", "bfloat16", or its own name of another."""
    taken = network.get_property("INFERENCE_PRECISION_HINT").to_string()
    return next((name for name, hint in _HINTS.items() if hint == taken), taken)


def _keep_single_channels(network: openvino.Model) -> None:
    """Lets a convolution of one cell to one channel, which is objectness, answer in float32 whatever the precision.

    Scores rank thousands of windows, and bfloat16 has too few values for that. OpenVINO rounds what a convolution
    answers, but not a sum of products.
    """
    for node in network.get_ordered_ops():
        if node.get_type_name() == "Convolution":
            channels, _, *size_hw = node.input(1).get_shape()
            if [channels, *size_hw] == [1, 1, 1]:
                products = operators.multiply(node.input_value(0), node.input_value(1))
                replace_node(node, operators.reduce_sum(products, np.array([1]), keep_dims=True))
