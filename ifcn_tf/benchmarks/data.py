"""How fast data is prepared and turned into training examples, and which step takes the time."""

from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import tensorflow as tf

from ifcn_tf.annotations.coco import coco_source
from ifcn_tf.annotations.coco_writer import write_coco
from ifcn_tf.annotations.example import Example
from ifcn_tf.benchmarks.timing import peak_bytes
from ifcn_tf.config.network import network_config, require_windows
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.augmentation import draw_scale
from ifcn_tf.data.photographs import example_of
from ifcn_tf.data.pipeline import training_examples
from ifcn_tf.data.prepare import prepare, records_writer, tolerate
from ifcn_tf.data.records import Records, parse
from ifcn_tf.data.targets import training_targets
from ifcn_tf.data.views import Objects, View, image_of, objects_of, view_of
from ifcn_tf.images.tensors import decode

_SEED = 0
_NETWORK = require_windows(network_config({}))


def run(data: Sequence[Path], num_images: int = 300) -> Iterator[dict[str, Any]]:
    """Measures the pipeline on prepared folders, and preparing on the same photographs.

    Args:
        data: folders that `prepare_data` wrote; COCO's photographs for figures that can be compared.
        num_images: images of each measurement.

    Yields:
        Rows: training examples a second on all cores; milliseconds an image of each step, one step at a time; images a
        second of preparing once and four times as many images, with the peak memory.
    """
    config = DataConfig()
    yield _measure_examples(data, config, num_images)
    yield _measure_steps(Records.open(data), config, num_images)
    for count in (num_images, 4 * num_images):
        yield _measure_preparing(Records.open(data), count)


def _measure_examples(data: Sequence[Path], config: DataConfig, count: int) -> dict[str, Any]:
    examples = iter(training_examples(data, config, _NETWORK, _SEED))
    next(examples)  # tracing
    start = time.perf_counter()
    for _ in itertools.islice(examples, count):
        pass
    rate = count / (time.perf_counter() - start)
    return {"what": "training examples", "images": count, "cores": os.cpu_count(), "images_per_second": round(rate, 1)}


def _measure_steps(records: Records, config: DataConfig, count: int) -> dict[str, Any]:
    """Median and mean time of each step, called one after the other on one image at a time."""
    seeds = [tf.constant([_SEED, i], tf.int64) for i in range(count)]
    numbers = [tf.constant(i % len(records), tf.int64) for i in range(count)]
    serialized, read = _timed(records.read, zip(numbers, strict=True))
    parsed, parsing = _timed(parse, zip(serialized, strict=True))
    objects = [objects_of(record) for record in parsed]
    views = [_view(o, config, seed) for o, seed in zip(objects, seeds, strict=True)]
    _, decoding = _timed(decode, ((record["image/encoded"],) for record in parsed))
    _, images = _timed(image_of, zip(parsed, views, strict=True))
    _, targets = _timed(
        lambda o, v, seed: training_targets(o, v, config, _NETWORK.grid, seed), zip(objects, views, seeds, strict=True)
    )
    steps = {"read": read + parsing, "decode": decoding, "resize": images - decoding, "targets": targets}
    return {"what": "steps, ms an image", "images": count} | {name: round(1e3 * s, 2) for name, s in steps.items()}


def _view(objects: Objects, config: DataConfig, seed: tf.Tensor) -> View:
    """One of the views that training draws, every second one mirrored."""
    return view_of(objects.size_hw, draw_scale(objects, config, seed), seed[1] % 2 == 0, config)


def _timed(step: Callable[..., Any], arguments: Iterable[tuple]) -> tuple[list[Any], float]:
    """Results of a step as one graph, and its mean seconds, tracing left out."""
    graph = tf.function(step, reduce_retracing=True)
    arguments = list(arguments)
    for some in arguments[:3]:
        graph(*some)
    start = time.perf_counter()
    results = [graph(*some) for some in arguments]
    return results, (time.perf_counter() - start) / len(arguments)


def _measure_preparing(records: Records, count: int) -> dict[str, Any]:
    """Prepares a COCO json of `count` photographs, in a process of its own for the sake of its memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_coco(_saved(_examples(records, count), folder), records.categories, folder / "file.json")
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            seconds, megabytes = pool.submit(_prepare, folder).result()
    row = {"what": "preparing", "images": count, "cores": os.cpu_count()}
    return row | {"images_per_second": round(count / seconds, 1), "peak_memory_mb": round(megabytes)}


def _examples(records: Records, count: int) -> Iterator[Example]:
    """`count` examples, the records over and over under new names."""
    for i in range(count):
        example = example_of(parse(records.read(tf.constant(i % len(records), tf.int64))))
        yield dataclasses.replace(example, source_id=str(i), file_name=f"{i}.jpg")


def _saved(examples: Iterable[Example], folder: Path) -> Iterator[Example]:
    """Saves the photographs; passes the examples on without them."""
    for example in examples:
        (folder / example.file_name).write_bytes(example.encoded)
        yield dataclasses.replace(example, encoded=b"")


def _prepare(folder: Path) -> tuple[float, float]:
    """Seconds, start of the workers included, and peak memory of this process [MB] (Linux only)."""
    start = time.perf_counter()
    source = coco_source(folder / "file.json", folder)
    prepare(source, records_writer(source, folder / "prepared", 8), os.cpu_count() or 1, tolerate)
    return time.perf_counter() - start, peak_bytes() / 1e6
