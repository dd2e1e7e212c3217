"""The network as an ONNX file, for those who deploy without TensorFlow; `onnx_predictor` runs it.

tf2onnx converts it, except for one thing: it leaves the padding of convolutions to the runtime (`auto_pad`), and
onnxruntime refuses that for dilated ones. All convolutions here have stride 1, so their padding is known.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import keras
import tensorflow as tf

from ifcn_tf.common.files import UserError, atomic_write
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.onnx_predictor import METADATA

try:
    import onnx
    import tf2onnx
except ImportError as error:
    raise UserError(f"writing ONNX files needs {error.name}: pip install 'ifcn-tf[onnx]'.") from error

_OPSET = 17


def export_onnx(model: keras.Model, config: ProposerConfig, path: Path) -> None:
    """Writes `build_instance_fcn`'s float32 model, without its assembling.

    The file maps image float32 [1, H, W, 3], preprocessed (`tensors.preprocess`), of any size, to score_maps float32
    [1, ceil(H / 8), ceil(W / 8), k * k] and objectness_logits float32 [1, ceil(H / 8), ceil(W / 8)].

    Raises:
        UserError: the model computes in another precision, or the file cannot be written.
    """
    precision = model.get_layer("block1_conv1").compute_dtype
    if precision != "float32":
        raise UserError(f"an ONNX file holds a float32 network, not one of {precision}: ask for precision float32.")
    converted = _converted(model)
    for node in converted.graph.node:
        if node.op_type == "Conv":
            _state_padding(node)
    assembler = model.get_layer("mask_logits")
    settings = {"proposer": config.to_dict(), "k": assembler.k, "window_cells": assembler.cells}
    onnx.helper.set_model_props(converted, {METADATA: json.dumps(settings)})
    onnx.checker.check_model(converted, full_check=True)
    with atomic_write(path, "wb") as file:
        file.write(converted.SerializeToString())


def _converted(model: keras.Model) -> onnx.ModelProto:
    maps = keras.Model(
        model.input["image"], [model.get_layer(name).output for name in ("score_maps", "objectness_map")]
    )

    def network(image: tf.Tensor) -> dict[str, tf.Tensor]:
        score_maps, objectness_map = maps(image, training=False)
        return {"score_maps": score_maps, "objectness_logits": objectness_map[..., 0]}

    signature = [tf.TensorSpec([1, None, None, 3], tf.float32, "image")]
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    converted, _ = tf2onnx.convert.from_function(tf.function(network, signature), signature, opset=_OPSET)
    return converted


def _state_padding(node: onnx.NodeProto) -> None:
    """Replaces `auto_pad` of a convolution of stride 1 and odd side by the padding that it stands for."""
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    each_side = [d * (side - 1) // 2 for d, side in zip(given["dilations"], given["kernel_shape"], strict=True)]
    kept = [attribute for attribute in node.attribute if attribute.name not in ("auto_pad", "pads")]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute("pads", each_side * 2)])
