"""The two branches on top of the trunk (section 3.3, figure 4)."""

from __future__ import annotations

import keras

from ifcn_tf.models.parts.layers import Conv2D


def _conv(
    filters: int, side: int, name: str, dtype: str, seed: int, activation: str | None = None
) -> keras.layers.Layer:
    return Conv2D(
        filters,
        side,
        padding="same",
        activation=activation,
        # "randomly initialized from a Gaussian distribution with zero mean and standard deviation of 0.01"; seeded, so
        # that an untrained network is the same everywhere.
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01, seed=seed),
        dtype=dtype,
        name=name,
    )


def score_map_head(features: keras.KerasTensor, k: int, channels: int, dtype: str) -> keras.KerasTensor:
    """Instance-sensitive score maps: 1 x 1 convolution with ReLU, then 3 x 3 to k * k maps.

    Returns:
        [B, h, w, k * k] logits; map bin_y * k + bin_x scores "this cell is that part of an object".
    """
    hidden = _conv(channels, 1, "score_hidden", dtype, seed=1, activation="relu")(features)
    return _conv(k * k, 3, "score_maps", dtype, seed=2)(hidden)


def objectness_head(features: keras.KerasTensor, channels: int, dtype: str) -> keras.KerasTensor:
    """Objectness of the window centred at each cell: 3 x 3 convolution with ReLU, then 1 x 1 to one map.

    The last layer computes in float32: scores rank proposals, and bfloat16 has too few values to rank thousands.

    Returns:
        float32 [B, h, w, 1] logits.
    """
    hidden = _conv(channels, 3, "objectness_hidden", dtype, seed=3, activation="relu")(features)
    return _conv(1, 1, "objectness_map", "float32", seed=4)(hidden)
