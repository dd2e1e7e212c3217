"""The network of an ONNX file in integers of 8 bits, by NNCF's quantisation after training."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ifcn_tf.common.files import UserError, atomic_write
from ifcn_tf.config.settings import require
from ifcn_tf.engines.onnx_parts import apart, joined, model_of, onnx
from ifcn_tf.engines.onnx_predictor import OnnxPredictor, session
from ifcn_tf.engines.predictor import METADATA, QUANTIZED

try:
    import nncf
except ImportError as error:
    raise UserError("quantising needs nncf: pip install 'ifcn-tf[quantize]'.") from error

#: Every so many-th photograph is measured on, and not calibrated with.
_HELD_OUT = 5
#: A photograph is seen at every so many-th of its scales.
_SCALES = 3


class Agreement(NamedTuple):
    """How one map of the quantised network agrees with that of the other one, on photographs that it has not seen."""

    map: str
    correlation: float
    same_sign: float
    """Share of the values [0..1]."""


def quantize(file: Path, photographs: Sequence[Path], output: Path) -> list[Agreement]:
    """Writes a file whose network computes in integers of 8 bits, but for its first and its last convolutions.

    These are few, see pixels and make the answers: rounding shows most in them. Weights have a scale for each channel,
    activations have one each, taken from photographs.

    Args:
        file: what `onnx_export.export_onnx` wrote.
        photographs: image files, two or more; every fifth is not calibrated with but measured on.
        output: the new file, of the same kind.

    Raises:
        UserError: no such file, one that is quantised already, too few photographs, or one that cannot be read.
    """
    require(len(photographs) > 1, "quantising needs two photographs or more: one of them is measured on.")
    predictor = OnnxPredictor(file)
    require(not predictor.quantized, f"{file} is quantised already: give the file of `ifcn-tf export`.")
    model = onnx.load(file)
    parts = apart(model)
    seen = list(_inputs(predictor, parts.pyramid, [p for i, p in enumerate(photographs) if i % _HELD_OUT]))
    network = model_of(parts.network)
    quantized = _quantized(network, seen)
    whole = joined(parts._replace(network=quantized.graph))
    (stored,) = (json.loads(entry.value) for entry in model.metadata_props if entry.key == METADATA)
    onnx.helper.set_model_props(whole, {METADATA: json.dumps({**stored, QUANTIZED: True})})
    onnx.checker.check_model(whole, full_check=True)
    with atomic_write(output, "wb") as opened:
        opened.write(whole.SerializeToString())
    return _agreements(network, quantized, _inputs(predictor, parts.pyramid, photographs[::_HELD_OUT]))


def _inputs(predictor: OnnxPredictor, pyramid: onnx.GraphProto, photographs: Sequence[Path]) -> Iterator[np.ndarray]:
    """What the network sees of photographs, each at every third scale: float32 [1, H, W, 3]."""
    resizing = session(model_of(pyramid).SerializeToString())
    for number, path in enumerate(photographs):
        scales = resizing.run(None, {"image": predictor.read(path)})
        yield from scales[number % min(_SCALES, len(scales)) :: _SCALES]


def _quantized(network: onnx.ModelProto, images: Sequence[np.ndarray]) -> onnx.ModelProto:
    nncf.set_log_level(logging.ERROR)
    return nncf.quantize(
        network,
        nncf.Dataset(images, lambda image: {"image": image}),
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(names=_outermost(network.graph)),
    )


def _outermost(network: onnx.GraphProto) -> list[str]:
    """Names of the first convolution, and of those after which none comes."""
    convolutions = [node for node in network.node if node.op_type == "Conv"]
    last, read_later = [], set[str]()
    for node in reversed(network.node):  # they are in order
        reached = bool(read_later & set(node.output))
        if node.op_type == "Conv" and not reached:
            last.append(node.name)
        if node.op_type == "Conv" or reached:
            read_later |= set(node.input)
    return [convolutions[0].name, *last]


def _agreements(network: onnx.ModelProto, quantized: onnx.ModelProto, images: Iterator[np.ndarray]) -> list[Agreement]:
    sessions = [session(model.SerializeToString()) for model in (network, quantized)]
    names = [value.name for value in network.graph.output]
    answers = [[run.run(names, {"image": image}) for run in sessions] for image in images]
    pairs = {
        name: [np.concatenate([answer[which][i].ravel() for answer in answers]) for which in range(2)]
        for i, name in enumerate(names)
    }
    return [
        Agreement(name, float(np.corrcoef(a, b)[0, 1]), float(np.mean((a > 0) == (b > 0))))
        for name, (a, b) in pairs.items()
    ]
