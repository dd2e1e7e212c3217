"""Network and refiner of an ONNX file in integers of 8 bits, by NNCF's quantisation after training."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ifcn_tf.common.files import UserError, atomic_write
from ifcn_tf.config.settings import require
from ifcn_tf.engines.onnx_parts import apart, images, joined, model_of, onnx
from ifcn_tf.engines.onnx_predictor import OnnxPredictor, session
from ifcn_tf.engines.predictor import METADATA, QUANTIZED

try:
    import nncf
except ImportError as error:
    raise UserError("quantising needs nncf: pip install 'ifcn-tf[quantize]'.") from error

#: Every so many-th photograph is measured on, and not calibrated with.
_HELD_OUT = 5
#: A photograph is seen at every so many-th of its scales, and every so many-th of its masks.
_SCALES, _MASKS = 3, 20

Fed = dict[str, np.ndarray]
Inputs = Callable[[Sequence[Path]], Iterator[Fed]]


class Agreement(NamedTuple):
    """How an answer of what is quantised agrees with that of what was not, on photographs that it has not seen."""

    answer: str
    correlation: float
    same_sign: float
    """Share of the values [0..1]."""


def quantize(file: Path, photographs: Sequence[Path], output: Path) -> list[Agreement]:
    """Writes a file that computes in integers of 8 bits, but for the network's first and all last convolutions.

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
    network, agreements = _in_8_bits(
        parts.network,
        _outermost(parts.network),
        _of_network(predictor, model, [value.name for value in images(parts)]),
        photographs,
    )
    refiner = parts.refiner
    if refiner is not None:
        inputs = _of_refiner(predictor, model, refiner)
        refiner, further = _in_8_bits(refiner, _last(refiner), inputs, photographs)
        agreements += further
    whole = joined(parts._replace(network=network, refiner=refiner))
    (stored,) = (json.loads(entry.value) for entry in model.metadata_props if entry.key == METADATA)
    onnx.helper.set_model_props(whole, {METADATA: json.dumps({**stored, QUANTIZED: True})})
    onnx.checker.check_model(whole, full_check=True)
    with atomic_write(output, "wb") as opened:
        opened.write(whole.SerializeToString())
    return agreements


def _of_network(predictor: OnnxPredictor, model: onnx.ModelProto, names: Sequence[str]) -> Inputs:
    """What the network sees of photographs, each at every third of the scales that are named."""

    def inputs(photographs: Sequence[Path]) -> Iterator[Fed]:
        for number, scales in enumerate(_passed(predictor, model, names, photographs)):
            for scale in scales[number % min(_SCALES, len(scales)) :: _SCALES]:
                yield {"image": scale}

    return inputs


def _of_refiner(predictor: OnnxPredictor, model: onnx.ModelProto, refiner: onnx.GraphProto) -> Inputs:
    """What the refiner is asked of photographs, of each about every so many-th mask."""
    names = [value.name for value in refiner.input]

    def inputs(photographs: Sequence[Path]) -> Iterator[Fed]:
        for found in _passed(predictor, model, names, photographs):
            yield {name: values[::_MASKS] for name, values in zip(names, found, strict=True)}

    return inputs


def _passed(
    predictor: OnnxPredictor, model: onnx.ModelProto, names: Sequence[str], photographs: Sequence[Path]
) -> Iterator[list[np.ndarray]]:
    """What passes from part to part of a model, by name, for each photograph."""
    asking = onnx.ModelProto()
    asking.CopyFrom(model)
    asking.graph.output.extend(value for value in model.graph.value_info if value.name in names)
    asked = session(asking.SerializeToString())
    return (asked.run(names, {"image": predictor.read(path)}) for path in photographs)


def _in_8_bits(
    part: onnx.GraphProto, kept: list[str], inputs: Inputs, photographs: Sequence[Path]
) -> tuple[onnx.GraphProto, list[Agreement]]:
    """A part in integers but for the nodes that are kept, and how its answers agree with those of what it was."""
    nncf.set_log_level(logging.ERROR)
    seen = list(inputs([path for number, path in enumerate(photographs) if number % _HELD_OUT]))
    scope, model = nncf.IgnoredScope(names=kept), model_of(part)
    quantized = nncf.quantize(model, nncf.Dataset(seen), subset_size=len(seen), ignored_scope=scope)
    return quantized.graph, _agreements(model, quantized, inputs(photographs[::_HELD_OUT]))


def _outermost(network: onnx.GraphProto) -> list[str]:
    """Names of the first convolution, and of those after which none comes."""
    return [next(node.name for node in network.node if node.op_type == "Conv"), *_last(network)]


def _last(part: onnx.GraphProto) -> list[str]:
    """Names of the convolutions after which none comes."""
    last, read_later = [], set[str]()
    for node in reversed(part.node):  # they are in order
        reached = bool(read_later & set(node.output))
        if node.op_type == "Conv" and not reached:
            last.append(node.name)
        if node.op_type == "Conv" or reached:
            read_later |= set(node.input)
    return last


def _agreements(part: onnx.ModelProto, quantized: onnx.ModelProto, inputs: Iterator[Fed]) -> list[Agreement]:
    sessions = [session(model.SerializeToString()) for model in (part, quantized)]
    names = [value.name for value in part.graph.output]
    answers = [[run.run(names, fed) for run in sessions] for fed in inputs]
    pairs = {
        name: [np.concatenate([answer[which][i].ravel() for answer in answers]) for which in range(2)]
        for i, name in enumerate(names)
    }
    return [
        Agreement(name.split("/")[-1], float(np.corrcoef(a, b)[0, 1]), float(np.mean((a > 0) == (b > 0))))
        for name, (a, b) in pairs.items()
    ]
