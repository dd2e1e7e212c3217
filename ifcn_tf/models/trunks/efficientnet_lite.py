"""EfficientNet-Lite (Tan and Le) as a trunk: inverted bottlenecks without squeeze-excitation, with ReLU6.

Features are those of stages 3, 5 and 7, of strides 8, 16 and 32, projected to one width, doubled from coarse to fine
and added, as FCN's skips are.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf

from ifcn_tf.config.bundled import BACKBONES
from ifcn_tf.config.settings import require
from ifcn_tf.models.parts.normalized import NormalizedConv2D, NormalizedDepthwiseConv2D
from ifcn_tf.models.trunks.fusion import fused
from ifcn_tf.models.trunks.torch_weights import TorchNames, load_torch_weights
from ifcn_tf.models.trunks.trunk import Level, Trunk

_COARSEST = 32
_STEM_CHANNELS = 32


class _Stage(NamedTuple):
    """A row of EfficientNet's table, before it is scaled."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    side: int


_STAGES = (
    _Stage(1, 16, 1, 1, 3),
    _Stage(6, 24, 2, 2, 3),
    _Stage(6, 40, 2, 2, 5),
    _Stage(6, 80, 3, 2, 3),
    _Stage(6, 112, 3, 1, 5),
    _Stage(6, 192, 4, 2, 5),
    _Stage(6, 320, 1, 1, 3),
)
#: The last stage of each stride, from coarse to fine.
_LAST_OF_STRIDE = {32: 7, 16: 5, 8: 3}
#: The convolutions of a block, and what PyTorch's EfficientNet calls them and their normalisation.
_PARTS = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}


class EfficientNetLite(Trunk):
    """A size of EfficientNet-Lite without its head; batch normalisation keeps ImageNet's statistics.

    Args:
        name: of the trunk in TRUNKS, and so of its ImageNet file.
        width: factor of all channels but the stem's.
        depth: factor of the number of blocks, of all stages but the first and the last.
    """

    groups = ("stem_", *(f"stage{number}_" for number in range(1, 8)))

    def __init__(self, name: str, width: float, depth: float) -> None:
        self.name = name
        self.stages = [
            stage._replace(
                channels=_rounded(width * stage.channels),
                blocks=math.ceil((1.0 if number in (1, 7) else depth) * stage.blocks),
            )
            for number, stage in enumerate(_STAGES, start=1)
        ]

    def features(self, image: keras.KerasTensor, stride: int, channels: int, dtype: str) -> keras.KerasTensor:
        """See `Trunk.features`: [B, h, w, channels] after a ReLU; raises UserError on a stride other than 8 or 16."""
        require(stride in (8, 16), f"{self.name} has features of stride 8 or 16, not {stride}.")
        maps = {step: level.features for step, level in self.levels(image, dtype).items() if step >= stride}
        return fused(maps, image, channels, dtype)

    def first(self, stride: int) -> float:
        """See `Trunk.first`; as of `levels`."""
        return stride - 0.5

    def levels(self, image: keras.KerasTensor, dtype: str) -> dict[int, Level]:
        """See `Trunk.levels`: the outputs of stages 7, 5 and 3, without an activation.

        "Same" padding on an even side pads its end only, so that a stride of 2 centres cell i on cell 2 i + 1.
        """
        x = LitePreprocessing(dtype="float32", name="preprocessing")(image)
        x = _conv(_STEM_CHANNELS, 3, "stem_conv", dtype, strides=2, activation="relu6")(x)
        outputs = {}
        for number, name, stage in self._blocks():
            x = outputs[number] = _bottleneck(x, stage, name, dtype)
        return {step: Level(outputs[number], step, self.first(step)) for step, number in _LAST_OF_STRIDE.items()}

    def load_imagenet(self, model: keras.Model, source: str) -> None:
        """See `Trunk.load_imagenet`.

        Args:
            model: built on these features.
            source: "imagenet" (the bundled file, which Lite2 alone has) or the path of an `.npz` file of arrays with
                the names and axes of PyTorch's EfficientNet-Lite.

        Raises:
            UserError: there is no such file, it cannot be read, or it is of another trunk.
        """
        path = BACKBONES / f"{self.name}_imagenet.npz" if source == "imagenet" else Path(source)
        load_torch_weights(model, path, self.name, self._torch_names())

    def _blocks(self) -> Iterator[tuple[int, str, _Stage]]:
        """The number of its stage, the name and the form of each block; the first of a stage has the stage's stride."""
        for number, stage in enumerate(self.stages, start=1):
            for block in range(1, stage.blocks + 1):
                yield number, f"stage{number}_block{block}", stage if block == 1 else stage._replace(stride=1)

    def _torch_names(self) -> Iterator[TorchNames]:
        yield TorchNames("stem_conv", "_conv_stem", "_bn0")
        for index, (_, name, stage) in enumerate(self._blocks()):
            for part, (convolution, normalization) in _PARTS.items():
                if part != "expand" or stage.expansion > 1:
                    prefix = f"_blocks.{index}."
                    yield TorchNames(f"{name}_{part}", prefix + convolution, prefix + normalization)


def _rounded(channels: float) -> int:
    """The multiple of 8 nearest to a number of channels, though not below nine tenths of it."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def _bottleneck(x: keras.KerasTensor, stage: _Stage, name: str, dtype: str) -> keras.KerasTensor:
    """Builds a block: wider by 1 x 1, each channel by itself, narrower by 1 x 1; added to its input where that fits."""
    before = x
    if stage.expansion > 1:
        x = _conv(stage.expansion * x.shape[-1], 1, f"{name}_expand", dtype, activation="relu6")(x)
    x = NormalizedDepthwiseConv2D(
        stage.side,
        strides=stage.stride,
        activation="relu6",
        depthwise_initializer=keras.initializers.RandomNormal(stddev=2**0.5 / stage.side, seed=_seed(name)),
        dtype=dtype,
        name=f"{name}_depthwise",
    )(x)
    x = _conv(stage.channels, 1, f"{name}_project", dtype)(x)
    if stage.stride > 1 or before.shape[-1] != stage.channels:
        return x
    return keras.layers.Add(dtype=dtype, name=f"{name}_add")([before, x])


def _conv(
    filters: int, side: int, name: str, dtype: str, strides: int = 1, activation: str | None = None
) -> keras.layers.Layer:
    return NormalizedConv2D(
        filters,
        side,
        strides=strides,
        activation=activation,
        kernel_initializer=keras.initializers.HeNormal(seed=_seed(name)),
        dtype=dtype,
        name=name,
    )


def _seed(name: str) -> int:
    return zlib.crc32(name.encode())


@keras.saving.register_keras_serializable("ifcn_tf")
class LitePreprocessing(keras.layers.Layer):
    """Brings RGB in 0..255 into EfficientNet-Lite's value range, and its sides to a multiple of 32.

    "Same" padding of a stride divides an even side one way and an odd side another; on multiples of 32 all strides
    meet even sides, so that the maps of all stages are aligned. What is added, below and to the right, is 0, as the
    padding of convolutions is.
    """

    def call(self, image: tf.Tensor) -> tf.Tensor:
        """[B, H, W, 3] -> [B, 32 ceil(H / 32), 32 ceil(W / 32), 3]."""
        # Of numbers that are not negative: ONNX divides integers towards 0.
        size_hw = tf.shape(image)[1:3]
        below, right = tf.unstack(_COARSEST - 1 - (size_hw - 1) % _COARSEST)
        padded = tf.pad((image - 127.0) / 128.0, [[0, 0], [0, below], [0, right], [0, 0]])
        return tf.reshape(padded, [-1, size_hw[0] + below, size_hw[1] + right, 3])  # LiteRT has to know the channels

    def compute_output_shape(self, shape: tuple) -> tuple:
        """[B, 32 ceil(H / 32), 32 ceil(W / 32), 3]."""
        return (shape[0], *(side and side + -side % _COARSEST for side in shape[1:3]), shape[3])


LITE0 = EfficientNetLite("efficientnet_lite0", 1.0, 1.0)
LITE1 = EfficientNetLite("efficientnet_lite1", 1.0, 1.1)
LITE2 = EfficientNetLite("efficientnet_lite2", 1.1, 1.2)
