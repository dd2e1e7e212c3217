"""InstanceFCN: from a trunk's features to score maps, objectness and the masks of windows (section 3, figure 4)."""

from __future__ import annotations

import keras

from ifcn_tf.config.network import InstanceFCNConfig
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.training import LossConfig
from ifcn_tf.models.instance_fcn.assembler import Assembler
from ifcn_tf.models.instance_fcn.heads import objectness_head, score_map_head
from ifcn_tf.models.instance_fcn.inference import InferenceModel
from ifcn_tf.models.instance_fcn.loss import window_losses, window_statistics
from ifcn_tf.models.method import Symbols, Tensors, WindowMethod


class InstanceFCN(WindowMethod):
    """The paper's network; see `WindowMethod`.

    Its maps are "score_maps" [B, h, w, k * k] and "objectness_map" float32 [B, h, w, 1], logits both, with
    h = ceil(H / 8) and w = ceil(W / 8).
    """

    config: InstanceFCNConfig

    def maps(self, features: keras.KerasTensor) -> Symbols:
        """The two branches."""
        channels = self.config.branch_channels
        return {
            "score_maps": score_map_head(features, self.config.k, channels, self.dtype),
            "objectness_map": objectness_head(features, channels, self.dtype),
        }

    def of_windows(self, maps: Symbols, windows: keras.KerasTensor) -> Symbols:
        """Assembles masks; the objectness of a window is the value at its centre, a window of one cell on one map."""
        assembler = Assembler(self.config.k, self.config.window_cells, dtype="float32", name="mask_logits")
        centre = Assembler(1, 1, dtype="float32", name="objectness_logits")
        objectness = centre(maps["objectness_map"], windows)
        return {
            "objectness_logits": keras.layers.Reshape((-1,), dtype="float32")(objectness),
            "mask_logits": assembler(maps["score_maps"], windows),
        }

    def losses(self, outputs: Tensors, inputs: Tensors, targets: Tensors, config: LossConfig) -> Tensors:
        """Equation (1)."""
        return window_losses(outputs, inputs, targets, config, self.config.grid)

    def statistics(self, outputs: Tensors, inputs: Tensors, targets: Tensors) -> Tensors:
        """Scores and mask IoU of the sampled windows."""
        return window_statistics(outputs, inputs, targets, self.config.grid)

    def window_model(self, config: ProposerConfig) -> InferenceModel:
        """Assembles the masks of those windows only that are asked for."""
        self.config.require_fitting(config)
        outputs = {**self.map_model.output, "trunk": self.trunk_model.output}
        model = keras.Model(self.map_model.input, outputs)
        return InferenceModel(model, self.config.k, self.config.window_cells, config.blend_cells)


METHOD = InstanceFCN
