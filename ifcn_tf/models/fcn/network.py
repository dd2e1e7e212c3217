"""FCN-32s, 16s and 8s: from the maps of a trunk to scores of the classes at each pixel (section 4, figure 3)."""

from __future__ import annotations

import keras

from ifcn_tf.config.network import FCNConfig
from ifcn_tf.config.training import LossConfig
from ifcn_tf.models.fcn.loss import pixel_losses, pixel_statistics
from ifcn_tf.models.fcn.upsampling import Upsampled
from ifcn_tf.models.method import Method, Tensors
from ifcn_tf.models.parts.dropout import Dropout
from ifcn_tf.models.parts.layers import Conv2D
from ifcn_tf.models.trunks.trunk import Level

#: An image is a map of its pixels, whose centres lie at one half.
_PIXELS = (1, 0.5)


class FCN(Method):
    """Scores of the classes at strides 32, 16 and 8, the finer ones added as skips; see `Method`.

    Its map, and the output of its model, is "scores", float32 logits [B, H, W, classes] of the image's size. Where the
    trunk pads the image, as VGG-16 does, fc6 has no padding, and the maps lie where the published crops put them.
    """

    config: FCNConfig

    def build(self, image: keras.KerasTensor) -> tuple[keras.Model, keras.Model]:
        """See `Method.build`; `model` is `map_model` with its input by name."""
        levels = self.trunk.levels(image, self.dtype)
        scores = self._coarsest(levels[32])
        for stride in (16, 8):
            if stride >= self.config.stride:
                scores = self._added(scores, levels[stride])
        outputs = {"scores": _upsampled(scores, image, *_PIXELS)}
        return keras.Model(image, outputs), keras.Model({"image": image}, outputs, name=self.config.method)

    def _coarsest(self, level: Level) -> Level:
        """Scores of the coarsest map, by fc6 and fc7; where the trunk pads, zeros lie around them."""
        cells, padded = self.config.fc_cells, self.trunk.padding > 0
        x = level.features
        for name, side, seed in (("fc6", cells, 1), ("fc7", 1, 2)):
            # Keras' own, for its "valid" padding.
            x = keras.layers.Conv2D(
                self.config.fc_channels,
                side,
                padding="valid" if padded else "same",
                activation="relu",
                kernel_initializer=keras.initializers.HeNormal(seed=seed),
                dtype=self.dtype,
                name=name,
            )(x)
            x = Dropout(self.config.dropout, seed=seed, dtype=self.dtype, name=f"{name}_dropout")(x)
        scores = self._scored(level._replace(features=x))
        if not padded:
            return scores
        x = keras.layers.ZeroPadding2D(1, dtype="float32", name="scores_padding")(scores.features)
        return Level(x, level.stride, level.first + (cells // 2 - 1) * level.stride)

    def _scored(self, level: Level) -> Level:
        """Scores of the classes, which begin as zeros, in float32."""
        options = {"padding": "same", "kernel_initializer": "zeros", "dtype": "float32"}
        layer = Conv2D(len(self.config.classes), 1, name=f"scores_stride{level.stride}", **options)
        return level._replace(features=layer(level.features))

    def _added(self, coarse: Level, level: Level) -> Level:
        """The sum of coarser scores and those of a finer map."""
        fine = self._scored(level)
        parts = [_upsampled(coarse, fine.features, fine.stride, fine.first), fine.features]
        return fine._replace(features=keras.layers.Add(dtype="float32", name=f"added_stride{fine.stride}")(parts))

    def losses(self, outputs: Tensors, inputs: Tensors, targets: Tensors, config: LossConfig) -> Tensors:
        """The cross entropy of the pixels."""
        return pixel_losses(outputs, targets, config)

    def statistics(self, outputs: Tensors, inputs: Tensors, targets: Tensors) -> Tensors:
        """Accuracy of the pixels."""
        return pixel_statistics(outputs, targets)


def _upsampled(coarse: Level, finer: keras.KerasTensor, stride: int, first: float) -> keras.KerasTensor:
    """Builds a map at the cells of a finer one, of which stride and centre of the first cell are given [px]."""
    layer = Upsampled(
        coarse.stride // stride,
        (coarse.first - first) / stride,
        dtype="float32",
        name=f"upsampled_stride{coarse.stride}",
    )
    return layer(coarse.features, finer)


METHOD = FCN
