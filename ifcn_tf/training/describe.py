"""What is known of a run before its first step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import keras

from ifcn_tf.common.files import read_json
from ifcn_tf.config.presets import RunConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.records import Records
from ifcn_tf.geometry import resized_hw
from ifcn_tf.models.instance_fcn.network import build_instance_fcn
from ifcn_tf.models.trunks.vgg16 import freeze_blocks

_GIB = 2**30


def describe(config: RunConfig, data: Sequence[Path]) -> str:
    """Describes a run: its layers, the memory of a replica and the figures of its data.

    Raises:
        UserError: a data folder cannot be used.
    """
    images, per_step = len(Records.open(data)), config.train.images_per_step
    model = build_instance_fcn(config.model, config.train.precision)
    freeze_blocks(model, config.train.frozen_blocks)
    lines = [_summary(layer) for layer in model.layers if layer.weights]
    trained = _parameters(model.trainable_variables)
    lines.append(f"{model.count_params():,} parameters, {trained:,} of them trained")
    height, width = _largest_hw(config.data)
    memory = memory_bytes(model, height, width) / _GIB
    lines.append(f"memory of a replica, estimated for an image of {height} x {width} px: {memory:.1f} GiB")
    lines.append(f"precision: {model.get_layer('score_maps').compute_dtype}")
    lines += [_figures(folder) for folder in data]
    lines.append(f"images a pass: {images}; {per_step} a step, so {images / per_step:.1f} steps a pass")
    return "\n".join(lines)


def memory_bytes(model: keras.Model, height: int, width: int) -> int:
    """Estimates the memory of a training step on one image: weights, gradients, momentum and kept activations.

    Args:
        model: `build_instance_fcn`'s model, its frozen layers set.
        height, width: size of the image [px].
    """
    # In float32: weights; of the trained ones a gradient, its sum and the momentum.
    total = 4 * model.count_params() + 3 * 4 * _parameters(model.trainable_variables)
    stride, largest = 1, 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.MaxPooling2D):
            stride *= layer.strides[0]
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.MaxPooling2D):
            continue
        size = -(-height // stride) * -(-width // stride) * layer.output.shape[-1] * _width_of(layer)
        total += size if layer.trainable_variables else 0
        largest = max(largest, size)
    return total + 3 * largest  # an output, its input and a gradient or a workspace


def _largest_hw(data: DataConfig) -> tuple[int, int]:
    """Size of the largest view of a photograph of 4 : 3 [px]."""
    height, width = resized_hw(3, 4, round(max(data.shorter_sides) * data.scale_jitter), data.longer_side_limit)
    side = data.cut_side or width
    return min(height, side), min(width, side)


def _summary(layer: keras.layers.Layer) -> str:
    state = "trained" if layer.trainable_variables else "frozen"
    return f"{layer.name:18} {layer.output.shape[-1]:4} channels {layer.count_params():10,} parameters, {state}"


def _parameters(variables: Sequence[keras.Variable]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def _width_of(layer: keras.layers.Layer) -> int:
    return 2 if layer.compute_dtype == "bfloat16" else 4


def _figures(folder: Path) -> str:
    description = read_json(folder / "dataset.json")
    shown = {name: value for name, value in description.items() if isinstance(value, int | str)}
    return f"{folder}: " + ", ".join(f"{name} {value}" for name, value in shown.items())
