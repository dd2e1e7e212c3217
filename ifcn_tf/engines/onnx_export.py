"""The network as an ONNX file, for those who deploy without TensorFlow; `onnx_predictor` runs it.

tf2onnx converts it, except for one thing: it leaves the padding of convolutions to the runtime (`auto_pad`), and
onnxruntime refuses that for dilated ones. Those have stride 1 here, so their padding is known.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ifcn_tf.common.files import UserError, atomic_write
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.onnx_predictor import METADATA
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.models.parts.normalized import for_inference

try:
    import onnx
    import tf2onnx
except ImportError as error:
    raise UserError(f"writing ONNX files needs {error.name}: pip install 'ifcn-tf[onnx]'.") from error

_OPSET = 17


def export_onnx(network: WindowMethod, config: ProposerConfig, path: Path) -> None:
    """Writes a float32 network that has score maps, without its assembling.

    The file maps image float32 [1, H, W, 3], RGB in 0..255, of any size, to score_maps float32 [1, h, w, k * k] and
    objectness_logits float32 [1, h, w], maps of the network's stride.

    Raises:
        UserError: the network computes in another precision, has no score maps or is scored by another one, or the file
            cannot be written.
    """
    if network.precision != "float32":
        raise UserError(
            f"an ONNX file holds a float32 network, not one of {network.precision}: ask for precision float32."
        )
    if "score_maps" not in network.map_model.output:
        raise UserError(f"an ONNX file holds score maps, which {network.config.method} has none of.")
    if network.scorer is not None:
        raise UserError("an ONNX file holds one network: leave score_weights out.")
    network.config.require_fitting(config)
    converted = _converted(network.map_model)
    for node in converted.graph.node:
        if node.op_type == "Conv" and max(_attributes(node)["dilations"]) > 1:
            _state_padding(node)
    settings = {"proposer": config.to_dict(), "model": network.config.to_dict()}
    onnx.helper.set_model_props(converted, {METADATA: json.dumps(settings)})
    onnx.checker.check_model(converted, full_check=True)
    with atomic_write(path, "wb") as file:
        file.write(converted.SerializeToString())


def _converted(map_model: keras.Model) -> onnx.ModelProto:
    """The model, normalisation folded, as it was converted."""
    plain = for_inference(map_model)

    def network(image: tf.Tensor) -> dict[str, tf.Tensor]:
        maps = plain(image, training=False)
        return {"score_maps": maps["score_maps"], "objectness_logits": maps["objectness_map"][..., 0]}

    signature = [tf.TensorSpec([1, None, None, 3], tf.float32, "image")]
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    converted, _ = tf2onnx.convert.from_function(tf.function(network, signature), signature, opset=_OPSET)
    return converted


def _state_padding(node: onnx.NodeProto) -> None:
    """Replaces `auto_pad` of a convolution of stride 1 and odd side by the padding that it stands for."""
    given = _attributes(node)
    each_side = [d * (side - 1) // 2 for d, side in zip(given["dilations"], given["kernel_shape"], strict=True)]
    kept = [attribute for attribute in node.attribute if attribute.name not in ("auto_pad", "pads")]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute("pads", each_side * 2)])


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
