"""From prepared data to training examples, by TensorFlow operations alone.

Example i of a run is a function of the seed and i, so a run can go on at any i, on any number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from ifcn_tf.config import DataConfig
from ifcn_tf.data.records import Records, parse
from ifcn_tf.data.targets import Objects, View, size_factors, training_targets
from ifcn_tf.geometry import resized_hw
from ifcn_tf.images import preprocess

Tensors = dict[str, tf.Tensor]


def training_examples(
    data: Sequence[Path],
    config: DataConfig,
    seed: int,
    start: int = 0,
    shard: int = 0,
    num_shards: int = 1,
    parallel_calls: int = tf.data.AUTOTUNE,
) -> tf.data.Dataset:
    """Endless training examples, each of one image.

    Every pass over the data has its own order. Example i is the same whatever the other arguments; this worker gets
    i = start + shard, start + shard + num_shards, and so on, in this order.

    Args:
        data: folders that `prepare_data` wrote.
        config: scales, windows and targets.
        seed: of the order, the scales, the flips and the windows.
        start: first i over all workers.
        shard, num_shards: this worker and the number of workers.
        parallel_calls: examples made at the same time.

    Returns:
        Pairs (inputs, targets); H and W vary, W windows and m cells are `config.num_windows` and `window_cells`:
            inputs: "image" float32 [H, W, 3] (`images.preprocess`), "windows" int32 [W, 2], centre cells (y, x).
            targets: "labels" float32 [W], "weights" float32 [W], "masks" float32 [W, m, m] (`training_targets`), and
                "image_id", a string scalar.

    Raises:
        UserError: a folder cannot be used. Iterating raises tf.errors.InvalidArgumentError, with a message that names
            the file, at a damaged record.
    """
    records = Records.open(data)

    def example(i: tf.Tensor) -> tuple[Tensors, Tensors]:
        return training_example(parse(records.read(_record_number(i, len(records), seed))), config, [seed, i])

    numbers = tf.data.Dataset.counter(start + shard, num_shards)
    return numbers.map(example, num_parallel_calls=parallel_calls, deterministic=True).prefetch(2)


def _record_number(i: tf.Tensor, num_records: int, seed: int) -> tf.Tensor:
    """The record of example i: a permutation of all records in each pass."""
    epoch, position = i // num_records, i % num_records
    return tf.random.experimental.index_shuffle(position, [seed, epoch], tf.constant(num_records - 1, tf.int64))


def training_example(record: Tensors, config: DataConfig, seed: tf.Tensor) -> tuple[Tensors, Tensors]:
    """Makes the training example of a record (`records.parse`); see `training_examples`.

    Args:
        record: the record.
        config: scales, windows and targets.
        seed: int64 [2], decides scale, flip and windows.
    """
    scale_seed, flip_seed, window_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    flipped = tf.random.stateless_uniform([], flip_seed) < config.flip_probability
    objects = objects_of(record)
    view = view_of(objects.size_hw, draw_scale(objects, config, scale_seed), flipped, config)
    targets = training_targets(objects, view, config, window_seed)
    inputs = {"image": image_of(record, view), "windows": targets.pop("windows")}
    return inputs, targets | {"image_id": record["image/source_id"]}


def draw_scale(objects: Objects, config: DataConfig, seed: tf.Tensor) -> tf.Tensor:
    """Draws the shorter side [px] of a view: among all scales, or those that fit an object (`fitting_scales`).

    Args:
        objects: of the image.
        config: the scales.
        seed: int64 [2].
    """
    only_fitting, choice = tf.unstack(tf.random.stateless_uniform([2], seed))
    fits = tf.stack([_fits(objects, side, config) for side in config.shorter_sides])
    allowed = tf.cond((only_fitting < config.fitting_scales) & tf.reduce_any(fits), lambda: fits, lambda: fits | True)
    sides = tf.boolean_mask(tf.constant(config.shorter_sides), allowed)
    return sides[tf.cast(choice * tf.cast(tf.size(sides), tf.float32), tf.int32)]


def _fits(objects: Objects, shorter_side: int, config: DataConfig) -> tf.Tensor:
    """Whether some object is of a size for positive windows at a scale."""
    factor = size_factors(
        objects, view_of(objects.size_hw, tf.constant(shorter_side), tf.constant(False), config), config
    )
    return tf.reduce_any(~objects.is_crowd & (factor <= config.side_tolerance))


def objects_of(record: Tensors) -> Objects:
    """The objects of a record."""
    size_hw = tf.stack([record["image/height"], record["image/width"]])
    boxes = tf.stack([record[f"image/object/bbox/{name}"] for name in ("ymin", "xmin", "ymax", "xmax")], 1)
    boxes = tf.round(boxes * tf.cast(tf.tile(size_hw, [2]), tf.float32))  # whole pixels, stored as fractions
    return Objects(
        tf.cast(boxes, tf.int64),
        record["image/object/is_crowd"] == 1,
        record["image/object/mask/counts"],
        record["image/object/mask/num_counts"],
        size_hw,
    )


def view_of(size_hw: tf.Tensor, shorter_side: tf.Tensor, flipped: tf.Tensor, config: DataConfig) -> View:
    """The view of an image (int64 [2], px) with a shorter side [px]."""
    shorter_side = tf.cast(shorter_side, tf.int64)
    return View(tf.stack(resized_hw(size_hw[0], size_hw[1], shorter_side, config.longer_side_limit)), flipped)


def decode(record: Tensors) -> tf.Tensor:
    """The photograph of a record as it is, uint8 [H, W, 3], RGB; the annotations know no EXIF orientation."""
    return tf.io.decode_image(record["image/encoded"], channels=3, expand_animations=False)


def image_of(record: Tensors, view: View) -> tf.Tensor:
    """The photograph of a record in a view, float32 [H, W, 3], as `images.preprocess` makes it."""
    image = decode(record)
    image = tf.cond(view.flipped, lambda: tf.reverse(image, [1]), lambda: image)
    height, width = tf.unstack(tf.cast(view.resized_hw, tf.int32))
    return preprocess(image, height, width)
