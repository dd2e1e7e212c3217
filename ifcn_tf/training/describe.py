"""What is known of a run before its first step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import keras

from ifcn_tf.common.files import read_json
from ifcn_tf.config.presets import RunConfig
from ifcn_tf.config.training import TrainConfig
from ifcn_tf.data.pipeline import EXAMPLES, shown_in_a_pass
from ifcn_tf.data.records import Records
from ifcn_tf.models.method import Method, build_network, output_shapes
from ifcn_tf.training.optimizer import OPTIMIZERS

_GIB = 2**30


def describe(config: RunConfig, data: Sequence[Path], shares: Sequence[int] = ()) -> str:
    """Describes a run: its layers, the memory of a replica and the figures of its data.

    Args:
        config: the settings.
        data, shares: see `training_examples`.

    Raises:
        UserError: a data folder cannot be used.
    """
    images, per_step = len(shown_in_a_pass(Records.open(data), shares)), config.train.images_per_step
    network = build_network(config.model, config.train.precision)
    network.freeze(config.train.frozen_blocks)
    model = network.model
    lines = [_summary(layer) for layer in model.layers if layer.weights]
    trained = _parameters(model.trainable_variables)
    lines.append(f"{model.count_params():,} parameters, {trained:,} of them trained")
    height, width = EXAMPLES[config.model.example].largest_hw(config.data, config.model)
    memory = memory_bytes(network, height, width, config.train) / _GIB
    lines.append(f"memory of a replica, estimated for an image of {height} x {width} px: {memory:.1f} GiB")
    lines.append(f"precision: {network.precision}")
    lines += [_figures(folder) for folder in data]
    lines.append(f"images a pass: {images}; {per_step} a step, so {images / per_step:.1f} steps a pass")
    return "\n".join(lines)


def memory_bytes(network: Method, height: int, width: int, train: TrainConfig) -> int:
    """Estimates the memory of a training step on one image: weights, gradients, their buffers and kept activations.

    Args:
        network: its frozen layers set.
        height, width: size of the image [px].
        train: the optimiser, and whether weights are averaged.
    """
    model, shapes = network.map_model, output_shapes(network.map_model, height, width)
    # In float32: weights and their averages; of the trained ones a gradient, its sum and what the optimiser keeps.
    total = 4 * network.model.count_params() * (1 + (train.ema > 0))
    total += 4 * _parameters(network.model.trainable_variables) * (2 + len(OPTIMIZERS[train.optimizer].buffers))
    outputs = {layer.name: math.prod(shapes[layer.name]) * _width_of(layer) for layer in model.layers}
    total += sum(outputs[layer.name] for layer in model.layers if layer.trainable_variables)
    return total + 3 * max(outputs.values())  # an output, its input and a gradient or a workspace


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
