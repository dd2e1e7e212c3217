"""Training examples without data: a bright square on noise, at a place that the example's number determines."""

from __future__ import annotations

import tensorflow as tf

WINDOWS = 256


def generated_examples(start: int = 0, shard: int = 0, num_shards: int = 1) -> tf.data.Dataset:
    """What `training_examples` gives, for images of 64 to 128 px."""
    numbers = tf.data.Dataset.range(start + shard, 2**40, num_shards)
    return numbers.map(_example, num_parallel_calls=2, deterministic=True).prefetch(2)


def _example(number: tf.Tensor):
    def random(salt: int, low: int, high: int, shape: tuple[int, ...] = ()) -> tf.Tensor:
        return tf.random.stateless_uniform(shape, tf.stack([number, tf.cast(salt, tf.int64)]), low, high, tf.int32)

    height, width = random(1, 64, 129), random(2, 64, 129)
    rows, columns = -(-height // 8), -(-width // 8)
    y, x = random(3, 2, 6), random(4, 2, 6)  # the square's centre cell; it is 5 cells a side
    noise = tf.random.stateless_normal(tf.stack([height, width, 3]), tf.stack([number, 5]), mean=100.0, stddev=10.0)
    in_rows = tf.abs(tf.range(height) // 8 - y) <= 2
    in_columns = tf.abs(tf.range(width) // 8 - x) <= 2
    image = noise + 80.0 * tf.cast(in_rows[:, None, None] & in_columns[None, :, None], tf.float32)
    positives, negatives = random(6, 0, 9), 40
    number_of_window = tf.range(WINDOWS)
    labels = tf.cast(number_of_window < positives, tf.float32)
    weights = tf.cast(number_of_window < positives + negatives, tf.float32)
    # At least 3 rows away from the square's centre, counted around the map's edge.
    other_rows = (y + 3 + random(7, 0, 1000, (WINDOWS,)) % (rows - 5)) % rows
    elsewhere = tf.stack([other_rows, random(8, 0, 1000, (WINDOWS,)) % columns], 1)
    windows = tf.where(labels[:, None] > 0, tf.stack([y, x])[None], elsewhere) * tf.cast(weights[:, None], tf.int32)
    inside = tf.abs(tf.range(21) - 10) <= 2
    masks = labels[:, None, None] * tf.cast(inside[:, None] & inside[None, :], tf.float32)
    inputs = {"image": image, "windows": windows}
    return inputs, {"labels": labels, "weights": weights, "masks": masks, "image_id": tf.strings.as_string(number)}
