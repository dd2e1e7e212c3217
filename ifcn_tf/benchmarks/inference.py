"""From encoded bytes to run lengths: how long each step takes, beside the bare network."""

from __future__ import annotations

import dataclasses
import itertools
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from ifcn_tf.benchmarks.timing import in_turn, median_ms, median_ratio, peak_gib, resident_gib
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.images.tensors import read_image, resize
from ifcn_tf.models.method import WindowMethod, output_shapes
from ifcn_tf.models.parts.constant_weights import with_constant_weights
from ifcn_tf.predictor import Predictor
from ifcn_tf.proposals import Proposals
from ifcn_tf.proposing.network import network_proposer
from ifcn_tf.proposing.proposer import IMAGE
from ifcn_tf.proposing.scales import Tensors
from ifcn_tf.proposing.window_model import WindowModel

SIZE_HW = (480, 640)
_TEN_SIZES = (
    *((480, 640), (375, 500), (640, 427), (333, 500), (500, 500)),
    *((426, 640), (640, 640), (240, 320), (600, 400), (360, 640)),
)
Row = dict[str, Any]


def run(network: WindowMethod, config: ProposerConfig, photograph: Path, rounds: int) -> Iterator[Row]:
    """Measures one 480 x 640 photograph.

    Args:
        network: trained, because how many windows survive depends on its weights.
        config: how it proposes; what is done beside the network depends on the number of scales and proposals.
        photograph: resized to 480 x 640 and written as a JPEG.
        rounds: how often everything is timed; medians are reported.

    Yields:
        Rows of JSON types: memory, the whole beside the bare network, each step [ms], then many at a time.
    """
    image = resized(read_image(photograph), SIZE_HW)
    predictor = Predictor.of_network(network, config)
    with tempfile.TemporaryDirectory() as folder:
        encoded = Path(folder) / "photograph.jpg"
        Image.fromarray(image).save(encoded, quality=92)
        yield from _memory(predictor, encoded, image)
        yield from _times(predictor, network, encoded, image, rounds)
        yield from _throughput(predictor, encoded, rounds)


def _memory(predictor: Predictor, encoded: Path, image: np.ndarray) -> Iterator[Row]:
    for _ in range(3):
        predictor.propose(encoded)
    yield {"memory": "peak, one size", "gib": peak_gib()}
    after, seconds = [], []
    for _ in range(4):
        seconds.append([_seconds(predictor, resized(image, size)) for size in _TEN_SIZES])
        after.append(resident_gib())
    yield {
        "memory": "ten sizes in a row, four times",
        "peak_gib": peak_gib(),
        "growth_after_second_gib": round(after[-1] - after[1], 3),
    }
    first, again = seconds[:2]
    yield {"new_size": "an image's first time less its second", "ms": median_ms(np.subtract(first, again).tolist())}


def _seconds(predictor: Predictor, image: np.ndarray) -> float:
    start = time.perf_counter()
    predictor.propose(image)
    return time.perf_counter() - start


def _times(predictor: Predictor, network: WindowMethod, encoded: Path, image: np.ndarray, rounds: int) -> Iterator[Row]:
    seen = tf.function(network_proposer(network, predictor.config).seen)(image)
    sizes = [tuple(resized.shape[1:3]) for resized, _ in seen]
    seconds = in_turn(_steps(predictor, network, encoded, image, seen), rounds)
    yield {
        "step": "whole",
        "ms": median_ms(seconds["whole"]),
        "bare_network_ms": median_ms(seconds["network"]),
        "ratio": median_ratio(seconds["whole"], seconds["network"]),
        "proposals": len(predictor.propose(encoded)),
        "scales": len(sizes),
        "precision": network.precision,
    }
    yield from ({"step": name, "ms": median_ms(values)} for name, values in seconds.items() if name != "whole")
    heads = [both - alone for both, alone in zip(seconds["network"], seconds["trunk"], strict=True)]
    yield {"step": "heads (network less trunk)", "ms": median_ms(heads)}
    gflop = sum(_flop(network.trunk_model, *size) for size in sizes) / 1e9
    yield {"trunk_gflop": round(gflop), "trunk_gflop_per_s": round(gflop / median_ms(seconds["trunk"]) * 1000)}


def _steps(
    predictor: Predictor, network: WindowMethod, encoded: Path, image: np.ndarray, seen: list[tuple[tf.Tensor, Tensors]]
) -> dict[str, Callable[[], Any]]:
    """The whole, and its parts one by one, each on the results of the part before."""
    sizes, inputs = predictor.config.pyramid_hw(*SIZE_HW), [resized for resized, _ in seen]
    resize_all = tf.function(lambda pixels: [resize(pixels, *size)[None] for size in sizes])
    trunk, bare = (on_all_scales(part, inputs) for part in (network.trunk_model, network.map_model))
    asking = network_proposer(network, predictor.config)
    known = _KnownMaps(asking.model, [features for _, features in seen])
    proposer = dataclasses.replace(asking, model=known)
    assemble = tf.function(proposer.best_windows).get_concrete_function(IMAGE)
    after_network = proposer.compile()
    found = {name: value.numpy() for name, value in after_network(tf.constant(image)).items()}
    return {
        "whole": lambda: predictor.propose(encoded),
        "network": bare,
        "trunk": trunk,
        "decode": lambda: predictor.read(encoded),
        "resize": lambda: resize_all(image),
        "assemble": lambda: assemble(tf.constant(image)),
        "assemble, boxes, NMS, ranking": lambda: after_network(tf.constant(image)),
        "paste and RLE": lambda: Proposals.from_windows(
            found["scores"], found["windows_yxyx"], found["mask_logits"], SIZE_HW, predictor.config.mask_threshold
        ),
    }


def _throughput(predictor: Predictor, encoded: Path, rounds: int) -> Iterator[Row]:
    """A file eight times: one after the other, and as a batch."""
    files = [encoded] * 8
    steps: dict[str, Callable[[], Any]] = {
        "one by one": lambda: [predictor.propose(file) for file in files],
        "batch": lambda: predictor.propose_batch(files),
    }
    seconds = in_turn(steps, rounds, warm_up=1)
    for name, values in seconds.items():
        gain = median_ratio(seconds["one by one"], values)
        yield {"throughput": name, "images_per_s": round(8000 / median_ms(values), 2), "ratio": gain}
    yield {"memory": "peak, batches too", "gib": peak_gib()}


def on_all_scales(part: keras.Model, inputs: list[tf.Tensor]) -> Callable[[], list[Any]]:
    """A part of the network, weights as constants, on all inputs in one graph."""
    constant = with_constant_weights(part)
    graph = tf.function(lambda *images: [constant(image) for image in images])
    concrete = graph.get_concrete_function(*[tf.TensorSpec([1, None, None, 3])] * len(inputs))
    return lambda: concrete(*inputs)


class _KnownMaps:
    """A model that knows the maps of each scale already, in the order in which it is asked."""

    def __init__(self, windows: WindowModel, maps: list[Tensors]) -> None:
        self.objectness, self.masks = windows.objectness, windows.masks
        self.descriptors, self.in_windows = (getattr(windows, name, None) for name in ("descriptors", "in_windows"))
        self._maps = itertools.cycle(maps)

    def features(self, image: tf.Tensor) -> Tensors:
        return next(self._maps)


def _flop(model: keras.Model, height: int, width: int) -> int:
    """Multiplications and additions of a model's convolutions on one image [px]."""
    shapes = output_shapes(model, height, width)
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    return sum(2 * math.prod(layer.kernel.shape) * math.prod(shapes[layer.name][1:3]) for layer in layers)


def resized(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """An image, uint8 [H, W, 3], of another size [px]."""
    return tf.cast(tf.image.resize(image, size_hw), tf.uint8).numpy()
