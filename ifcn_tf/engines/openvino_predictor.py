"""Photographs to masks with OpenVINO, which computes network and refiner; ONNX Runtime does the rest."""

from __future__ import annotations

import functools
import itertools
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
#: Photographs after which memory is given back: each time takes a tenth of a photograph's, and to wait needs .2 GiB.
_GIVES_BACK = 8


class OpenvinoPredictor(EnginePredictor):
    """`EnginePredictor` whose network and refiner OpenVINO computes.

    Args:
        path, max_pixels, num_proposals: see there.
        precision: of both; "auto" is OpenVINO's choice, bfloat16 where the processor has instructions for it.
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
        self._photographs = itertools.count(1)
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
        with ThreadPoolExecutor(1) as beside:
            network = beside.submit(_network, parts.network, **self._hint)
            refiner = beside.submit(lambda: None if parts.refiner is None else _Refiner(parts.refiner, **self._hint))
            self._pyramid, self._rest = _Step(parts.pyramid), _Step(parts.rest)
            optional = (parts.chips, parts.ranking)
            self._chips, self._ranking = (None if part is None else _Step(part) for part in optional)
        self._network, self._refiner = network.result(), refiner.result()
        return next(entry.value for entry in model.metadata_props if entry.key == METADATA)

    def _compute(self, image: np.ndarray) -> Arrays:
        _, features = self.seen(image)
        if not next(self._photographs) % _GIVES_BACK:
            give_back_memory()
        found = self._rest({"image": image, **features})
        if self._refiner is None or self._ranking is None:
            return found
        return self._ranking({"image": image, **found, **self._refiner(found)})

    def seen(self, image: np.ndarray) -> tuple[Arrays, Arrays]:
        """Image uint8 [H, W, 3] -> the images of the pyramid, and what `Parts.rest` asks of them, by name."""
        images = self._pyramid({"image": image})
        features = self.features(images)
        if self._chips is None:
            return images, features
        found = self._chips({"image": image, **features})
        parts = {name: value for name, value in found.items() if "/" not in name}
        places = {name: value for name, value in found.items() if name not in parts}
        return images | parts, features | places | self.features(parts)

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


class _Step:
    """A part that ONNX Runtime computes: of arrays by name, among which its inputs are, to its outputs by name."""

    def __init__(self, part: onnx.GraphProto) -> None:
        self._session = session(model_of(part).SerializeToString(), arena=False)
        self._inputs, self._outputs = ([value.name for value in ends] for ends in (part.input, part.output))

    def __call__(self, given: Arrays) -> Arrays:
        answers = self._session.run(self._outputs, {name: given[name] for name in self._inputs})
        return dict(zip(self._outputs, answers, strict=True))


class _Refiner:
    """`Parts.refiner` on OpenVINO, likewise."""

    def __init__(self, part: onnx.GraphProto, **hint: str) -> None:
        self._inputs, (self._output,) = ([value.name for value in ends] for ends in (part.input, part.output))
        self._compiled = compiled(core().read_model(model_of(part).SerializeToString()), 1, **hint)

    def __call__(self, given: Arrays) -> Arrays:
        request = self._compiled.create_infer_request()  # one each, since photographs may be done at once
        return {self._output: request.infer({name: given[name] for name in self._inputs}, share_inputs=True)[0]}


def _network(part: onnx.GraphProto, **hint: str) -> openvino.CompiledModel:
    return compiled(read_network(model_of(part).SerializeToString()), min(_STREAMS, usable_cores()), **hint)


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
