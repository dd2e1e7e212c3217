"""The parts of a file that holds the whole method: put together, and taken apart again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
        rest: the image, and of the pyramid's image named p the features f as "p/f" -> answers; or if there are parts
            after it, what these take.
        chips: the image and features, likewise -> further images of the pyramid, and of each "p/chip", where it lies;
            or None.
        refiner: what it is asked -> masks; or None.
        ranking: of the image, `rest` and masks -> answers; or None.
    """

    pyramid: onnx.GraphProto
    network: onnx.GraphProto
    rest: onnx.GraphProto
    chips: onnx.GraphProto | None = None
    refiner: onnx.GraphProto | None = None
    ranking: onnx.GraphProto | None = None


def joined(parts: Parts) -> onnx.ModelProto:
    """One model, whose network runs on each image of the pyramid, with one copy of its weights.

    The types of what passes from part to part are kept, so that `apart` finds the parts again.
    """
    order = ("pyramid", "network", "chips", "rest", "refiner", "ranking")
    named = {f"{name}/": part for name in order if (part := getattr(parts, name)) is not None}
    nodes = [node for prefix, part in named.items() for node in _nodes(prefix, part, parts)]
    constants = [_named(tensor, prefix + tensor.name) for prefix, part in named.items() for tensor in part.initializer]
    after = [part for part in (parts.rest, parts.refiner, parts.ranking) if part is not None]
    read = {value.name for part in after for value in part.input}
    passed = [value for part in after[:-1] for value in part.output if value.name in read]
    answers = after[-1].output
    between = [*images(parts), *(value for value in parts.rest.input if value.name != _IMAGE), *passed]
    for value in (*parts.pyramid.input, *between, *answers):
        for dimension in value.type.tensor_type.shape.dim:
            dimension.ClearField("dim_param")  # names that were made for the parts
    graph = onnx.helper.make_graph(nodes, "proposer", parts.pyramid.input, answers, constants, value_info=between)
    return model_of(graph)


def _nodes(prefix: str, part: onnx.GraphProto, parts: Parts) -> list[onnx.NodeProto]:
    """A part's nodes under a prefix; of the network, those for each image that the pyramid begins with."""
    if part is parts.network:
        return _on_images(parts.pyramid, part)
    ends = {value.name: value.name for value in (*part.input, *part.output)}
    seen = _on_images(part, parts.network) if part is parts.chips else []
    return _copied(part.node, ends, added=prefix) + seen


def images(parts: Parts) -> list[onnx.ValueInfoProto]:
    """The images of the pyramid."""
    return [value for part in (parts.pyramid, parts.chips) if part is not None for value in _images(part)]


def _images(part: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The images of the pyramid that a part makes."""
    return [value for value in part.output if "/" not in value.name]


def _on_images(part: onnx.GraphProto, network: onnx.GraphProto) -> list[onnx.NodeProto]:
    return [node for value in _images(part) for node in _on_image(value.name, network)]


def _on_image(image: str, network: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The network's nodes for an image of the pyramid, with the weights that all of them have in common."""
    weights = {tensor.name: f"network/{tensor.name}" for tensor in network.initializer}
    features = {value.name: f"{image}/{value.name}" for value in network.output}
    return _copied(network.node, {_IMAGE: image, **features, **weights}, added=f"{image}/network/")


def apart(model: onnx.ModelProto) -> Parts:
    """The parts of which `joined` made a model."""
    graph = model.graph
    scale = next(value.name for value in graph.value_info if "/" not in value.name)
    further = {node.name.split("/")[0] for node in graph.node} & {"chips", "refiner", "ranking"}
    return Parts(
        _part(graph, "pyramid/"),
        _part(graph, f"{scale}/network/", scale),
        _part(graph, "rest/"),
        **{name: _part(graph, f"{name}/") for name in further},
    )


def _part(graph: onnx.GraphProto, prefix: str, image: str = _IMAGE) -> onnx.GraphProto:
    """The nodes of a prefix as a graph of their own, in which `image` and what is found there have general names."""
    stem = prefix.split("/")[-2] + "/"  # of the weights, which the networks of all images share
    weights = [tensor for tensor in graph.initializer if tensor.name.startswith(stem)]
    nodes = [node for node in graph.node if node.name.startswith(prefix)]
    read, made = {name for node in nodes for name in _read(node)}, {name for node in nodes for name in node.output}
    values = (*graph.input, *graph.value_info, *graph.output)
    inputs = [value for value in values if value.name in read - made]
    outputs = [value for value in values if value.name in made]
    names = {value.name: value.name.removeprefix(f"{image}/") for value in (*inputs, *outputs)} | {image: _IMAGE}
    names |= {tensor.name: tensor.name.removeprefix(stem) for tensor in weights}
    return onnx.helper.make_graph(
        _copied(nodes, names, removed=prefix),
        stem,
        [_named(value, names[value.name]) for value in inputs],
        [_named(value, names[value.name]) for value in outputs],
        [_named(tensor, names[tensor.name]) for tensor in weights],
    )


def model_of(graph: onnx.GraphProto) -> onnx.ModelProto:
    """A model of one graph."""
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=onnx.IR_VERSION_2021_7_30)


def _read(node: onnx.NodeProto) -> Iterator[str]:
    """Names of the tensors that a node reads, those that its branches read or make among them."""
    yield from node.input
    for branch in _branches(node):
        for inner in branch.node:
            yield from _read(inner)


def _branches(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _copied(
    nodes: Iterable[onnx.NodeProto], names: Mapping[str, str], added: str = "", removed: str = ""
) -> list[onnx.NodeProto]:
    """Nodes with new `names` of tensors; of all others, and of the nodes, one prefix is added and one removed."""

    def new(name: str) -> str:
        return names.get(name, name and added + name.removeprefix(removed))

    copies = [_named(node, added + node.name.removeprefix(removed)) for node in nodes]
    for copy in copies:
        for ends in (copy.input, copy.output):
            ends[:] = [new(name) for name in ends]
        for branch in _branches(copy):
            inner = _copied(branch.node, names, added, removed)
            del branch.node[:]
            branch.node.extend(inner)
            for value in (*branch.output, *branch.value_info, *branch.initializer):
                value.name = new(value.name)
    return copies


def _named(thing: Any, name: str) -> Any:
    copy = type(thing)()
    copy.CopyFrom(thing)
    copy.name = name
    return copy
