"""TensorFlow's functions as graphs of ONNX's standard operators."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.engines.onnx_parts import OPSET

try:
    import onnx
    import tf2onnx
except ImportError as error:
    raise UserError(f"writing ONNX files needs {error.name}: pip install 'ifcn-tf[onnx]'.") from error

# Otherwise tf2onnx copies the whole graph before each of its many passes.
os.environ.setdefault("TF2ONNX_CATCH_ERRORS", "false")


def converted(function: Callable[..., Any], signature: Sequence[tf.TensorSpec]) -> onnx.GraphProto:
    """A function of tensors that gives a dict of them, as a graph.

    Its inputs have the names of `signature`, those which it does not use left out, and its outputs those of the dict.
    """
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    model, _ = tf2onnx.convert.from_function(
        tf.function(function), signature, opset=OPSET, custom_op_handlers={"FloorDiv": (_floor_div, [])}
    )
    for node in model.graph.node:
        if node.op_type == "Conv" and max(_attributes(node)["dilations"]) > 1:
            _state_padding(node)
    return model.graph


def _floor_div(graph: Any, node: Any, *_: Any) -> None:
    """Rounds quotients of integers down, as TensorFlow does; ONNX rounds them towards 0."""
    dividend, divisor = node.input
    remade = {"name": node.name, "outputs": node.output, "dtypes": node.output_dtypes, "shapes": node.output_shapes}
    graph.remove_node(node.name)
    # ONNX's remainder has the sign of the divisor.
    whole = graph.make_node("Sub", [dividend, graph.make_node("Mod", [dividend, divisor]).output[0]])
    graph.make_node("Div", [whole.output[0], divisor], **remade)


def _state_padding(node: onnx.NodeProto) -> None:
    """Replaces `auto_pad` of a convolution of stride 1 and odd side by the padding that it stands for.

    tf2onnx leaves the padding of convolutions to the runtime, and ONNX Runtime refuses that for dilated ones.
    """
    given = _attributes(node)
    each_side = [d * (side - 1) // 2 for d, side in zip(given["dilations"], given["kernel_shape"], strict=True)]
    kept = [attribute for attribute in node.attribute if attribute.name not in ("auto_pad", "pads")]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute("pads", each_side * 2)])


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
