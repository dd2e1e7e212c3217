"""VGG-16 as a fully convolutional feature extractor, stride 8 (section 3.3, "Network architecture")."""

from __future__ import annotations

import keras

from ifcn_tf.models.layers import Conv2D

#: Convolutions of the five blocks of VGG-16.
BLOCK_DEPTHS = (2, 2, 3, 3, 3)


def vgg16_trunk(image: keras.KerasTensor, channels: tuple[int, ...], dtype: str) -> keras.KerasTensor:
    """The 13 convolutions of VGG-16, of stride 8 by the hole algorithm.

    pool4 has stride 1 and conv5 dilation 2. pool4 is 3 x 3 (and not 2 x 2), so that a feature stays centred on its
    cell: a 2 x 2 pool of stride 1 would shift the map by half a cell.

    Args:
        image: [B, H, W, 3], BGR minus the ImageNet mean.
        channels: output channels of the five blocks.
        dtype: Keras dtype policy of the layers.

    Returns:
        [B, ceil(H / 8), ceil(W / 8), channels[-1]], after the ReLU of conv5_3.
    """
    x = image
    for block, (depth, width) in enumerate(zip(BLOCK_DEPTHS, channels, strict=True), start=1):
        dilation = 2 if block == 5 else 1
        for i in range(1, depth + 1):
            x = Conv2D(
                width,
                3,
                padding="same",
                activation="relu",
                dilation_rate=dilation,
                kernel_initializer=keras.initializers.HeNormal(seed=100 * block + i),
                dtype=dtype,
                name=f"block{block}_conv{i}",
            )(x)
        if block < 4:
            x = keras.layers.MaxPooling2D(2, 2, padding="same", dtype=dtype, name=f"block{block}_pool")(x)
        elif block == 4:
            x = keras.layers.MaxPooling2D(3, 1, padding="same", dtype=dtype, name="block4_pool")(x)
    return x


def freeze_blocks(model: keras.Model, blocks: int) -> None:
    """Keeps the weights of the trunk's first blocks: conv1_x and conv2_x when `blocks` is 2."""
    frozen = tuple(f"block{block}_" for block in range(1, blocks + 1))
    for layer in model.layers:
        layer.trainable = not layer.name.startswith(frozen)
