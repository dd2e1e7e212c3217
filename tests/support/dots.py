"""A method as a user would add one of their own, registered on import: masks are cuts of a map of the foreground."""

import dataclasses
import types

import keras
import tensorflow as tf

from ifcn_tf.config.network import METHODS, WindowConfig
from ifcn_tf.geometry import WindowGrid
from ifcn_tf.models.instance_fcn.assembler import Assembler, assemble
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.models.parts.constant_weights import with_constant_weights
from ifcn_tf.models.parts.layers import Conv2D


@dataclasses.dataclass(frozen=True)
class DotsConfig(WindowConfig):
    module = __name__
    method: str = "dots"
    grid = WindowGrid(stride=16, window_cells=6, mask_cells=12)  # masks twice as fine as the map


class Dots(WindowMethod):
    def maps(self, features):
        upsampled = keras.layers.UpSampling2D(2, dtype="float32")(features)
        foreground = Conv2D(1, 3, padding="same", dtype="float32", name="foreground")(upsampled)
        return {"foreground": foreground, "dots": Conv2D(1, 3, padding="same", dtype="float32", name="dots")(features)}

    def of_windows(self, maps, windows):
        dots = keras.layers.Reshape((-1,), dtype="float32")(Assembler(1, 1, dtype="float32")(maps["dots"], windows))
        return {
            "objectness_logits": dots,
            "mask_logits": Assembler(1, 12, dtype="float32")(maps["foreground"], 2 * windows),
        }

    def losses(self, outputs, inputs, targets, config):
        wrong = tf.nn.sigmoid_cross_entropy_with_logits
        dots = tf.reduce_mean(targets["weights"] * wrong(targets["labels"], outputs["objectness_logits"]))
        mask = tf.reduce_mean(targets["labels"][..., None, None] * wrong(targets["masks"], outputs["mask_logits"]))
        return {"loss": dots + config.mask_weight * mask, "dots_loss": dots, "mask_loss": mask}

    def statistics(self, outputs, inputs, targets):
        return {"positives": tf.reduce_sum(targets["labels"])}

    def window_model(self, config):
        return types.SimpleNamespace(
            features=with_constant_weights(self.map_model),
            objectness=lambda features, windows: tf.gather_nd(features["dots"][0, ..., 0], windows),
            masks=lambda features, windows: assemble(features["foreground"], 2 * windows[None], 1, 12)[0],
        )


METHOD, METHODS["dots"] = Dots, DotsConfig
