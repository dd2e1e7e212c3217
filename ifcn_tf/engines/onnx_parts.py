"""The three parts of a file that holds the whole method: put together, and taken apart again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ifcn_tf.common.files import UserError

try:
    import onnx
except ImportError as error:
    raise UserError("making ONNX files and taking them apart needs onnx: pip install 'ifcn-tf[onnx]'.") from error

OPSET = 18
_IMAGE = "image"


class Parts(NamedTuple):
    """What an image passes through.

    Attributes:
        pyramid: image -> images.
        network: image -> features.
        rest: the image, and of the pyramid's image named p the features f as "p/f" -> answers.
    """

    pyramid: onnx.GraphProto
    network: onnx.GraphProto
    rest: onnx.GraphProto


def joined(parts: Parts) -> onnx.ModelProto:
    """One model, whose network runs on each image of the pyramid, with one copy of its weights.

    The types of what passes from part to part are kept, in that order, so that `apart` finds the parts again.
    """
    pyramid, network, rest = parts
    images, features = ([value.name for value in part.output] for part in (pyramid, network))
    weights = {tensor.name: f"network/{tensor.name}" for tensor in network.initializer}
    nodes = _copied(pyramid.node, {name: name for name in (_IMAGE, *images)}, added="pyramid/")
    for image in images:
        answers = {name: f"{image}/{name}" for name in features}
        nodes += _copied(network.node, {_IMAGE: image, **answers, **weights}, added=f"{image}/network/")
    nodes += _copied(rest.node, {value.name: value.name for value in (*rest.input, *rest.output)}, added="rest/")
    constants = [
        _named(tensor, prefix + tensor.name)
        for prefix, part in zip(("pyramid/", "network/", "rest/"), parts, strict=True)
        for tensor in part.initializer
    ]
    between = [*pyramid.output, *(value for value in rest.input if value.name != _IMAGE)]
    for value in (*pyramid.input, *between, *rest.output):
        for dimension in value.type.tensor_type.shape.dim:
            dimension.ClearField("dim_param")  # names that were made for the parts
    graph = onnx.helper.make_graph(nodes, "proposer", pyramid.input, rest.output, constants, value_info=between)
    return model_of(graph)


def apart(model: onnx.ModelProto) -> Parts:
    """The parts of which `joined` made a model."""
    graph, between = model.graph, [value.name for value in model.graph.value_info]
    images, features = ([name for name in between if ("/" in name) == inside] for inside in (False, True))
    first = f"{images[0]}/"
    answers = {name: name.removeprefix(first) for name in features if name.startswith(first)}
    return Parts(
        _part(graph, "pyramid/", {_IMAGE: _IMAGE}, {name: name for name in images}),
        _part(graph, f"{first}network/", {images[0]: _IMAGE}, answers),
        _part(
            graph,
            "rest/",
            {name: name for name in (_IMAGE, *features)},
            {value.name: value.name for value in graph.output},
        ),
    )


def _part(
    graph: onnx.GraphProto, prefix: str, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> onnx.GraphProto:
    """The nodes of a prefix as a graph of their own, with new names for its ends."""
    stem = prefix.split("/")[-2] + "/"  # of the weights, which the networks of all images share
    weights = [tensor for tensor in graph.initializer if tensor.name.startswith(stem)]
    names = {tensor.name: tensor.name.removeprefix(stem) for tensor in weights} | {**inputs, **outputs}
    nodes = [node for node in graph.node if node.name.startswith(prefix)]
    values = {value.name: value for value in (*graph.input, *graph.value_info, *graph.output)}
    return onnx.helper.make_graph(
        _copied(nodes, names, removed=prefix),
        stem,
        [_named(values[name], names[name]) for name in inputs],
        [_named(values[name], names[name]) for name in outputs],
        [_named(tensor, names[tensor.name]) for tensor in weights],
    )


def model_of(graph: onnx.GraphProto) -> onnx.ModelProto:
    """A model of one graph."""
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=onnx.IR_VERSION_2021_7_30)


def _copied(
    nodes: Iterable[onnx.NodeProto], names: Mapping[str, str], added: str = "", removed: str = ""
) -> list[onnx.NodeProto]:
    """Nodes with new `names` of tensors; of all others, and of the nodes, one prefix is added and one removed."""
    copies = [_named(node, added + node.name.removeprefix(removed)) for node in nodes]
    for copy in copies:
        for ends in (copy.input, copy.output):
            ends[:] = [names.get(name, name and added + name.removeprefix(removed)) for name in ends]
    return copies


def _named(thing: Any, name: str) -> Any:
    copy = type(thing)()
    copy.CopyFrom(thing)
    copy.name = name
    return copy
