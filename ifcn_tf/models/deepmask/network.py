"""DeepMask: from a trunk's features to the masks and scores of windows (section 3.1, figure 1)."""

from __future__ import annotations

import keras

from ifcn_tf.config.network import DeepMaskConfig
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.training import LossConfig
from ifcn_tf.models.deepmask.inference import InferenceModel
from ifcn_tf.models.deepmask.loss import crop_losses, crop_statistics
from ifcn_tf.models.deepmask.windows import WindowFeatures, copied, pooled, shifted, slid
from ifcn_tf.models.method import Symbols, Tensors, WindowMethod
from ifcn_tf.models.parts.dropout import Dropout
from ifcn_tf.models.parts.layers import Conv2D


class DeepMask(WindowMethod):
    """Two branches of fully connected layers; see `WindowMethod`.

    Its maps are "mask_features" [B, h, w, mask_channels], what the layers of the mask look at, and "score_features"
    [B, h, w, C], the trunk's, with h = ceil(H / 16) and w = ceil(W / 16). In training the layers see the windows that
    are asked for, at inference they slide.
    """

    config: DeepMaskConfig

    def maps(self, features: keras.KerasTensor) -> Symbols:
        """The 1 x 1 convolution of the mask branch; the score branch sees the trunk's features."""
        kernel = keras.initializers.HeNormal(seed=1)
        options = {"activation": "relu", "kernel_initializer": kernel, "dtype": self.dtype, "name": "mask_hidden"}
        hidden = Conv2D(self.config.mask_channels, 1, padding="same", **options)(features)
        return {"mask_features": hidden, "score_features": features}

    def of_windows(self, maps: Symbols, windows: keras.KerasTensor) -> Symbols:
        """The fully connected layers on the features of each window."""
        return {"objectness_logits": self._scores(maps, windows), "mask_logits": self._masks(maps, windows)}

    def _masks(self, maps: Symbols, windows: keras.KerasTensor) -> keras.KerasTensor:
        cells, side = self.config.window_cells, self.config.mask_cells
        x = WindowFeatures(cells, 1, dtype=self.dtype)(shifted(maps["mask_features"], self.dtype), windows)
        if self.config.low_rank:
            x = self._connected(self.config.low_rank, "mask_code", seed=2, use_bias=False)(x)
        x = self._connected(side**2, "mask", seed=3, use_bias=False)(x)
        return keras.layers.Reshape((-1, side, side), dtype="float32", name="mask_logits")(x)

    def _scores(self, maps: Symbols, windows: keras.KerasTensor) -> keras.KerasTensor:
        cells = self.config.window_cells // 2
        x = WindowFeatures(cells, 2, dtype=self.dtype)(pooled(maps["score_features"], self.dtype), windows)
        for i, units in enumerate(self.config.score_channels, start=1):
            x = self._connected(units, f"score_hidden{i}", seed=4 + i, activation="relu")(x)
            x = Dropout(self.config.dropout, seed=i, dtype=self.dtype, name=f"score_dropout{i}")(x)
        # In float32: scores rank proposals, and bfloat16 has too few values to rank thousands.
        x = self._connected(1, "objectness", seed=4, dtype="float32")(x)
        return keras.layers.Reshape((-1,), dtype="float32", name="objectness_logits")(x)

    def _connected(self, units: int, name: str, seed: int, **options: object) -> keras.layers.Dense:
        """A layer whose weights begin "from a uniform distribution", within 1 / sqrt(number of inputs) as in Torch."""
        kernel = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=seed)
        return keras.layers.Dense(units, name=name, kernel_initializer=kernel, **{"dtype": self.dtype, **options})

    def losses(self, outputs: Tensors, inputs: Tensors, targets: Tensors, config: LossConfig) -> Tensors:
        """Equation (1) of DeepMask: masks and scores in turn."""
        return crop_losses(outputs, targets, config)

    def statistics(self, outputs: Tensors, inputs: Tensors, targets: Tensors) -> Tensors:
        """Scores and mask IoU of the crops."""
        return crop_statistics(outputs, targets)

    def window_model(self, config: ProposerConfig) -> InferenceModel:
        """Scores every window, and makes the masks of those only that are asked for."""
        maps, layer, cells = self.map_model.output, self.model.get_layer, self.config.window_cells
        x = slid(layer("score_hidden1"), pooled(maps["score_features"], self.dtype), cells // 2, 2)
        for i in range(2, len(self.config.score_channels) + 1):
            x = slid(layer(f"score_hidden{i}"), x)
        outputs = {"mask_features": maps["mask_features"], "objectness_map": slid(layer("objectness"), x)}
        features = keras.Input(maps["mask_features"].shape[1:], name="mask_features")
        first, *rest = ["mask_code", "mask"] if self.config.low_rank else ["mask"]
        codes = slid(layer(first), features, cells, padding="valid")
        code = logits = keras.Input(codes.shape[-1:], name="code")
        for name in rest:
            logits = copied(layer(name), logits)
        models = (keras.Model(self.map_model.input, outputs), keras.Model(features, codes), keras.Model(code, logits))
        return InferenceModel(*models, cells)


METHOD = DeepMask
