"""Maps of several strides as one of the finest: projected to one width, doubled from coarse to fine and added."""

from __future__ import annotations

import keras
import tensorflow as tf

from ifcn_tf.models.parts.layers import Conv2D


def fused(maps: dict[int, keras.KerasTensor], image: keras.KerasTensor, channels: int, dtype: str) -> keras.KerasTensor:
    """Builds the fusion.

    Args:
        maps: [B, h, w, C] each, by stride, from coarse to fine, each stride half of the one before.
        image: [B, H, W, 3], of which the maps are; they may reach beyond its end.
        channels: of the result.
        dtype: Keras dtype policy of the layers.

    Returns:
        [B, ceil(H / stride), ceil(W / stride), channels] of the finest stride, after a 3 x 3 convolution with ReLU.
    """
    total = None
    for stride, features in maps.items():
        kernel = keras.initializers.LecunNormal(seed=stride)
        options = {"kernel_initializer": kernel, "dtype": dtype, "name": f"fusion_stride{stride}"}
        level = Conv2D(channels, 1, padding="same", **options)(features)
        if total is None:
            total = level
        else:
            doubled = Doubled(dtype=dtype, name=f"fusion_doubled{stride}")(total)
            total = keras.layers.Add(dtype=dtype, name=f"fusion_added{stride}")([doubled, level])
    cropped = Cropped(min(maps), dtype=dtype, name="fusion_cropped")(total, image)
    kernel = keras.initializers.HeNormal(seed=3)
    options = {"kernel_initializer": kernel, "activation": "relu", "dtype": dtype, "name": "fusion"}
    return Conv2D(channels, 3, padding="same", **options)(cropped)


@keras.saving.register_keras_serializable("ifcn_tf")
class Doubled(keras.layers.Layer):
    """Interpolates a map bilinearly to half its stride, in the place where a strided convolution found it.

    With "same" padding on an even side a stride of 2 centres cell i on cell 2 i + 1 of the finer map. So cell 2 i + 1
    is cell i here, and cell 2 i the mean of cells i - 1 and i; the first repeats where there is none before.
    """

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """[B, h, w, C] -> [B, 2 h, 2 w, C]."""
        rows = tf.concat([features[:, :1], features], 1)
        padded = tf.concat([rows[:, :, :1], rows], 2)
        doubled = tf.raw_ops.ResizeBilinear(images=padded, size=2 * tf.shape(padded)[1:3])
        return tf.cast(doubled[:, 1:-1, 1:-1], self.compute_dtype)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """[B, 2 h, 2 w, C]."""
        return (shape[0], *(side and 2 * side for side in shape[1:3]), shape[3])


@keras.saving.register_keras_serializable("ifcn_tf")
class Cropped(keras.layers.Layer):
    """Cuts a map to the cells that an image begins.

    Args:
        stride: pixels between the cells of the map.
    """

    def __init__(self, stride: int, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        self.stride = stride

    def call(self, features: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        """[B, h, w, C] of an image [B, H, W, 3] -> [B, ceil(H / stride), ceil(W / stride), C]."""
        height, width = tf.unstack((tf.shape(image)[1:3] + self.stride - 1) // self.stride)
        # No `features[:, :height, :width]`: its ends are floats in ONNX, which engines may round to bfloat16.
        return tf.slice(features, [0, 0, 0, 0], tf.stack([-1, height, width, features.shape[3]]))

    def compute_output_shape(self, features_shape: tuple, image_shape: tuple) -> tuple:
        """[B, ceil(H / stride), ceil(W / stride), C]."""
        cells = (side and -(-side // self.stride) for side in image_shape[1:3])
        return (features_shape[0], *cells, features_shape[3])

    def get_config(self) -> dict[str, object]:
        """Arguments that rebuild this layer."""
        return {**super().get_config(), "stride": self.stride}
