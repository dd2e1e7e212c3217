"""The whole method as one ONNX file, from the pixels of an image to its proposals; other runtimes take it from there.

The proposer is converted in parts, what is before the network, the network, what says where to look at finer scales,
what is after it, the refiner and ranking: the network, which every scale asks, is converted once, and the file has its
weights once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import tensorflow as tf

from ifcn_tf.common.files import UserError, atomic_write
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.exporting import require_float32, stored_settings
from ifcn_tf.engines.onnx_graph import converted, onnx
from ifcn_tf.engines.onnx_parts import Parts, joined
from ifcn_tf.engines.predictor import METADATA
from ifcn_tf.images.tensors import resize_by_products
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.proposing.chips import CHIP
from ifcn_tf.proposing.network import network_proposer
from ifcn_tf.proposing.proposer import IMAGE, Proposer, Tensors

#: Before the names of what passes from part to part: of proposals, and of what a refiner is asked.
_KEPT, _ASKED = "kept/", "asked/"
#: What a refiner answers.
_REFINED = "refined"


def export_onnx(network: WindowMethod, config: ProposerConfig, path: Path) -> None:
    """Writes a float32 network with all that is done before and after it.

    The file maps image uint8 [H, W, 3], RGB, of any size, to what `Proposer.__call__` returns.

    Raises:
        UserError: the network computes in another precision or does what ONNX cannot, or the file cannot be written.
    """
    require_float32(network, "an ONNX")
    proposer = dataclasses.replace(network_proposer(network, config), resize=resize_by_products)
    model = _model(proposer)
    onnx.helper.set_model_props(model, {METADATA: stored_settings(config)})
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise UserError(f"{network.config.method} does what ONNX has no operator for: {error}.") from error
    with atomic_write(path, "wb") as file:
        file.write(model.SerializeToString())


def _model(proposer: Proposer) -> onnx.ModelProto:
    image, model = tf.TensorSpec([1, None, None, 3], tf.float32, "image"), proposer.model
    found = tf.function(model.features).get_concrete_function(image).structured_outputs
    scales = [f"scale{i}" for i in range(len(proposer.config.pyramid_hw(1, 1)))]
    coarse = scales[: len(scales) - len(proposer.pyramid.finer)]
    features = {(scale, name): found[name] for scale in scales for name in found}
    of_coarse = {key: value for key, value in features.items() if key[0] in coarse}
    places = {(scale, CHIP): tf.TensorSpec([3, 2], tf.int32) for scale in scales if scale not in coarse}

    def pyramid(image: tf.Tensor) -> Tensors:
        return dict(zip(coarse, proposer.pyramid.whole(image), strict=True))

    def chips(image: tf.Tensor, *values: tf.Tensor) -> Tensors:
        parts = proposer.pyramid.chips(image, _by_scale(of_coarse, values))
        named = dict(zip(scales[len(coarse) :], parts, strict=True))
        return {scale: part["image"] for scale, part in named.items()} | {
            f"{scale}/{CHIP}": part[CHIP] for scale, part in named.items()
        }

    def rest(image: tf.Tensor, *values: tf.Tensor) -> Tensors:
        each = _by_scale({**features, **places}, values)
        if not proposer.refines:
            return proposer.of_features(image, each)
        kept, asked = proposer.unrefined(image, each)
        del kept["boxes_yxyx"]  # which are made anew
        return {_KEPT + name: value for name, value in kept.items()} | {
            _ASKED + name: value for name, value in asked.items()
        }

    after = converted(rest, [IMAGE, *_specs({**features, **places})])
    looking = converted(chips, [IMAGE, *_specs(of_coarse)]) if places else None
    read = [*after.input, *(looking.input if looking else [])]
    used = {value.name.split("/")[-1] for value in read}

    def network(image: tf.Tensor) -> Tensors:
        return {name: value for name, value in model.features(image).items() if name in used}

    parts = Parts(converted(pyramid, [IMAGE]), converted(network, [image]), after, looking)
    return joined(parts._replace(**_refining(proposer, after)) if proposer.refines else parts)


def _specs(values: Mapping[tuple[str, str], tf.Tensor | tf.TensorSpec]) -> list[tf.TensorSpec]:
    """The signature of what each scale's features, by scale and name, are given as."""
    return [tf.TensorSpec(value.shape, value.dtype, "/".join(key)) for key, value in values.items()]


def _by_scale(names: Iterable[tuple[str, str]], values: Sequence[tf.Tensor]) -> list[Tensors]:
    """The features of each scale, in the order of scales."""
    scales: dict[str, Tensors] = {}
    for (scale, name), value in zip(names, values, strict=True):
        scales.setdefault(scale, {})[name] = value
    return list(scales.values())


def _refining(proposer: Proposer, rest: onnx.GraphProto) -> dict[str, onnx.GraphProto]:
    """The parts that refine masks and rank them, of what the part before them gives."""

    def refiner(*asked: tf.Tensor) -> Tensors:
        return {_REFINED: cast(tf.Tensor, proposer.refined(_named(signature, asked, _ASKED)))}

    def ranking(image: tf.Tensor, refined: tf.Tensor, *kept: tf.Tensor) -> Tensors:
        return proposer.ranked(image, _named(given, kept, _KEPT), refined)

    signature = _signature(value for value in rest.output if value.name.startswith(_ASKED))
    refining = converted(refiner, signature)
    given = _signature(value for value in rest.output if value.name.startswith(_KEPT))
    return {"refiner": refining, "ranking": converted(ranking, [IMAGE, *_signature(refining.output), *given])}


def _signature(values: Iterable[onnx.ValueInfoProto]) -> list[tf.TensorSpec]:
    shapes = {value.name: [size.dim_value or None for size in value.type.tensor_type.shape.dim] for value in values}
    return [tf.TensorSpec(shape, tf.float32, name) for name, shape in shapes.items()]


def _named(signature: Sequence[tf.TensorSpec], values: Sequence[tf.Tensor], prefix: str) -> Tensors:
    return {spec.name.removeprefix(prefix): value for spec, value in zip(signature, values, strict=True)}
