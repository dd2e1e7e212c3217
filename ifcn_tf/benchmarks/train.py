"""Speed and memory of training: one update, against the bare network's forward and backward pass."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ifcn_tf.annotations.shapes import shapes_source
from ifcn_tf.benchmarks.timing import in_turn, median_ms, median_ratio, peak_gib
from ifcn_tf.config.network import Precision, network_config, require_windows
from ifcn_tf.config.proposing import SIX_SCALES
from ifcn_tf.config.training import DataConfig, LossConfig
from ifcn_tf.data.pipeline import training_examples
from ifcn_tf.data.prepare import prepare, records_writer, tolerate
from ifcn_tf.models.method import Method, build_network
from ifcn_tf.training.optimizer import MomentumSGD
from ifcn_tf.training.step import TrainStep

#: Works on a training example.
Action = Callable[[Any], None]
_CONFIG = require_windows(network_config({}))
_WINDOWS, _MASK = DataConfig().num_windows, [_CONFIG.grid.mask_cells] * 2
_OVERFIT_STEPS, _OVERFIT_RATE = 100, 0.001
_SPEC = (
    {"image": tf.TensorSpec([None, None, 3]), "windows": tf.TensorSpec([_WINDOWS, 2], tf.int32)},
    {
        **dict.fromkeys(("labels", "weights"), tf.TensorSpec([_WINDOWS])),
        "masks": tf.TensorSpec([_WINDOWS, *_MASK]),
    },
)


def run(
    precision: Precision = "auto", rounds: int = 10, backbone_weights: str | None = None
) -> Iterator[dict[str, Any]]:
    """Measures the default network, two groups of its trunk frozen, with one image a step.

    Args:
        precision: of the convolutions.
        rounds: everything is timed so often; the rows hold medians.
        backbone_weights: "imagenet" or a file of ImageNet weights to overfit from; None leaves the last row out.

    Yields:
        JSON-able rows: an update on a 600 x 800 image beside forward and backward of the bare network, timed in turns;
        the peak memory of the process after that; images a second at each scale; how far a fixed batch of two
        generated scenes is learnt by heart.
    """
    network = _network(precision)
    step = TrainStep(network, _optimizer(network, 0.0005), LossConfig(), 1, _SPEC)
    update, bare = _update(step), _bare_pass(network.map_model)
    element = _element(600, 800)
    seconds = in_turn({"update": lambda: update(element), "bare": lambda: bare(element)}, rounds)
    yield {
        "what": "update on one image of 600 x 800 px",
        "precision": network.precision,
        "update_ms": median_ms(seconds["update"]),
        "forward_backward_ms": median_ms(seconds["bare"]),
        "ratio": median_ratio(seconds["update"], seconds["bare"]),
    }
    yield {"what": "peak memory", "gib": peak_gib()}
    for side in SIX_SCALES:
        yield _speed(update, side, side * 4 // 3, rounds)
    if backbone_weights:
        yield _overfit(precision, backbone_weights)


def _speed(update: Action, height: int, width: int, rounds: int) -> dict[str, Any]:
    element = _element(height, width)
    milliseconds = median_ms(in_turn({"update": lambda: update(element)}, rounds)["update"])
    return {
        "what": f"updates on one image of {height} x {width} px",
        "update_ms": milliseconds,
        "images_per_s": round(1000 / milliseconds, 2),
    }


def _update(step: TrainStep) -> Action:
    def action(element: Any) -> None:
        step.accumulate(element)
        step.update(1e-6)

    return action


def _network(precision: Precision) -> Method:
    """The default network, two groups of its trunk frozen."""
    network = build_network(_CONFIG, precision)
    network.freeze(2)
    return network


def _optimizer(network: Method, decay: float) -> MomentumSGD:
    return MomentumSGD([variable.value for variable in network.model.trainable_variables], 0.9, decay)


def _bare_pass(map_model: keras.Model) -> Action:
    """Forward and backward of the network up to its maps, with the cheapest loss."""
    variables = [variable.value for variable in map_model.trainable_variables]

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3])])
    def gradients(image: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            maps = map_model(image[None], training=True).values()
            loss = sum(tf.reduce_mean(tf.cast(values, tf.float32)) for values in maps)
        return tape.gradient(loss, variables)

    def action(element: Any) -> None:
        gradients(element[0]["image"])[0].numpy()

    return action


def _element(height: int, width: int) -> Any:
    """A training example of noise, half of whose windows are positive."""
    random = np.random.default_rng(0)
    windows = np.stack([random.integers(0, side, _WINDOWS) for side in _CONFIG.grid.map_hw(height, width)], 1)
    labels = (np.arange(_WINDOWS) < _WINDOWS // 2).astype(np.float32)
    masks = random.integers(0, 2, (_WINDOWS, *_MASK)) * labels[:, None, None]
    return (
        {
            "image": tf.constant(random.uniform(0, 255, (height, width, 3)), tf.float32),
            "windows": tf.constant(windows, tf.int32),
        },
        {"labels": tf.constant(labels), "weights": tf.ones(_WINDOWS), "masks": tf.constant(masks, tf.float32)},
    )


def _overfit(precision: Precision, backbone_weights: str) -> dict[str, Any]:
    """Trains on the same two generated scenes again and again."""
    network = _network(precision)
    network.trunk.load_imagenet(network.model, backbone_weights)
    elements = _two_scenes()
    step = TrainStep(network, _optimizer(network, 0.0), LossConfig(), len(elements), _SPEC)
    for _ in range(_OVERFIT_STEPS):
        records = [step.accumulate(element)[0] for element in elements]
        step.update(_OVERFIT_RATE)
    return {
        "what": f"two generated scenes after {_OVERFIT_STEPS} steps",
        "loss": round(max(float(record["loss"]) for record in records), 4),
        "mask_iou": round(min(float(record["mask_iou"]) for record in records), 3),
    }


def _two_scenes() -> list[Any]:
    """Two training examples with more than 8 positive windows each."""
    config, source = DataConfig(shorter_sides=(119, 178), fitting_scales=1.0), shapes_source(6, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "scenes"
        prepare(source, records_writer(source, data, 1), 1, tolerate)
        examples = training_examples([data], config, _CONFIG, seed=0)
        chosen = examples.filter(lambda _, targets: tf.reduce_sum(targets["labels"]) > 8).take(2)
        return [(inputs, {name: targets[name] for name in _SPEC[1]}) for inputs, targets in chosen]
