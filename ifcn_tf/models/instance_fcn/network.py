"""InstanceFCN as a Keras functional model: (image, windows) -> objectness and mask logits (section 3, figure 4)."""

from __future__ import annotations

import keras

from ifcn_tf.config.network import ModelConfig, Precision
from ifcn_tf.models.instance_fcn.assembler import Assembler
from ifcn_tf.models.instance_fcn.heads import objectness_head, score_map_head
from ifcn_tf.models.precision import dtype_policy
from ifcn_tf.models.trunks.vgg16 import vgg16_trunk


def build_instance_fcn(config: ModelConfig, precision: Precision = "auto") -> keras.Model:
    """Builds the network with random weights, the same on every call.

    Inputs (a dict):
        image: [B, H, W, 3] of any size, BGR minus the ImageNet mean (`images.preprocess`).
        windows: int32 [B, N, 2], centre cells (y, x) on the ceil(H / 8) x ceil(W / 8) map.

    Outputs (a dict), all float32:
        objectness_logits: [B, N].
        mask_logits: [B, N, window_cells, window_cells].

    The layers "score_maps" [B, h, w, k * k] and "objectness_map" [B, h, w, 1] hold the maps behind them.

    Args:
        config: the architecture.
        precision: in which the convolutions compute; weights are float32 in any case.
    """
    dtype = dtype_policy(precision)
    image = keras.Input((None, None, 3), name="image")
    windows = keras.Input((None, 2), dtype="int32", name="windows")
    features = vgg16_trunk(image, config.trunk_channels, dtype)
    score_maps = score_map_head(features, config.k, config.branch_channels, dtype)
    objectness_map = objectness_head(features, config.branch_channels, dtype)
    masks = Assembler(config.k, config.window_cells, dtype="float32", name="mask_logits")(score_maps, windows)
    # The objectness of a window is the value at its centre: a window of one cell on one map.
    centres = Assembler(1, 1, dtype="float32", name="objectness_logits")(objectness_map, windows)
    outputs = {"objectness_logits": keras.layers.Reshape((-1,), dtype="float32")(centres), "mask_logits": masks}
    return keras.Model({"image": image, "windows": windows}, outputs, name="instance_fcn")
