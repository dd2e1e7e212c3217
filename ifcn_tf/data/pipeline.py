"""From prepared data to training examples, by TensorFlow operations alone.

Example i of a run is a function of the seed and i, so a run can go on at any i, on any number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from ifcn_tf.config.network import NetworkConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.records import Records
from ifcn_tf.data.targets import fits_window, training_targets
from ifcn_tf.data.views import Objects, View, boxes_in_view
from ifcn_tf.geometry import WindowGrid, resized_hw
from ifcn_tf.images.tensors import decode, resize

Tensors = dict[str, tf.Tensor]


def training_examples(
    data: Sequence[Path],
    config: DataConfig,
    network: NetworkConfig,
    seed: int,
    start: int = 0,
    shard: int = 0,
    num_shards: int = 1,
    parallel_calls: int = tf.data.AUTOTUNE,
    shares: Sequence[int] = (),
) -> tf.data.Dataset:
    """Endless training examples, each of one image.

    Every pass over the data has its own order. Example i is the same whatever the other arguments; this worker gets
    i = start + shard, start + shard + num_shards, and so on, in this order.

    Args:
        data: folders that `prepare_data` wrote.
        config: scales, windows and targets.
        network: whose examples.
        seed: of the order and of everything that is drawn for an example.
        start: first i over all workers.
        shard, num_shards: this worker and the number of workers.
        parallel_calls: examples made at the same time.
        shares: how often a pass shows the photographs of each folder; once where left out.

    Returns:
        Pairs (inputs, targets), here those of `training_example`; H and W vary, W windows and m cells are
        `config.num_windows` and the grid's `mask_cells`:
            inputs: "image" float32 [H, W, 3], RGB in 0..255, "windows" int32 [W, 2], centre cells (y, x).
            targets: "labels" float32 [W], "weights" float32 [W], "masks" float32 [W, m, m] (`training_targets`), and
                "image_id", a string scalar.

    Raises:
        UserError: a folder cannot be used. Iterating raises tf.errors.InvalidArgumentError, with a message that names
            the file, at a damaged record.
    """
    records, make = Records.open(data), EXAMPLES[network.example]
    shown = shown_in_a_pass(records, shares)

    def example(i: tf.Tensor) -> tuple[Tensors, Tensors]:
        number = tf.gather(shown, _place(i, len(shown), seed))
        return make(records.parsed(number), config, network.grid, [seed, i])

    numbers = tf.data.Dataset.counter(start + shard, num_shards)
    return numbers.map(example, num_parallel_calls=parallel_calls, deterministic=True).prefetch(2)


def shown_in_a_pass(records: Records, shares: Sequence[int]) -> np.ndarray:
    """Numbers of the records that a pass shows, int64: each as often as the share of its folder says, else once."""
    numbers = np.arange(len(records))
    return np.repeat(numbers, np.array(shares)[records.folders]) if shares else numbers


def _place(i: tf.Tensor, shown: int, seed: int) -> tf.Tensor:
    """Which one of all that a pass shows is example i: a permutation of them in each pass."""
    epoch, position = i // shown, i % shown
    return tf.random.experimental.index_shuffle(position, [seed, epoch], tf.constant(shown - 1, tf.int64))


def training_example(record: Tensors, config: DataConfig, grid: WindowGrid, seed: tf.Tensor) -> tuple[Tensors, Tensors]:
    """Makes the training example of a record (`Records.parsed`); see `training_examples`.

    Args:
        record: the record.
        config: scales, windows and targets.
        grid: the windows.
        seed: int64 [2], decides scale, flip, cut, windows and colours.
    """
    scale_seed, flip_seed, window_seed, cut_seed, colour_seed = tf.unstack(
        tf.random.experimental.stateless_split(seed, 5)
    )
    flipped = tf.random.stateless_uniform([], flip_seed) < config.flip_probability
    objects = objects_of(record)
    whole = view_of(objects.size_hw, draw_scale(objects, config, scale_seed), flipped, config)
    view = draw_cut(objects, whole, config, grid, cut_seed)
    targets = training_targets(objects, view, config, grid, window_seed)
    image = jitter_colours(image_of(record, view), config.colour_jitter, colour_seed)
    return {"image": image, "windows": targets.pop("windows")}, targets | {"image_id": record["image/source_id"]}


#: What makes an example of a record, by the name that `NetworkConfig.example` has.
EXAMPLES = {"view": training_example}


def draw_scale(objects: Objects, config: DataConfig, seed: tf.Tensor) -> tf.Tensor:
    """Draws the shorter side [px] of a view: among all scales, or those that fit an object (`fitting_scales`).

    Args:
        objects: of the image.
        config: the scales.
        seed: int64 [2].
    """
    only_fitting, choice, jitter = tf.unstack(tf.random.stateless_uniform([3], seed))
    factor = config.scale_jitter ** (2 * jitter - 1)
    sides = tf.cast(tf.round(tf.constant(config.shorter_sides, tf.float32) * factor), tf.int64)
    fits = tf.stack([_any_fits(objects, side, config) for side in tf.unstack(sides)])
    allowed = tf.cond((only_fitting < config.fitting_scales) & tf.reduce_any(fits), lambda: fits, lambda: fits | True)
    return _one_of(tf.boolean_mask(sides, allowed), choice)


def _any_fits(objects: Objects, shorter_side: tf.Tensor, config: DataConfig) -> tf.Tensor:
    view = view_of(objects.size_hw, shorter_side, tf.constant(False), config)
    return tf.reduce_any(fits_window(objects, view, config))


def _one_of(values: tf.Tensor, choice: tf.Tensor) -> tf.Tensor:
    """One row of values; choice in 0..1, below 1, says how far down."""
    return values[tf.cast(choice * tf.cast(tf.shape(values)[0], tf.float32), tf.int32)]


def draw_cut(objects: Objects, whole: View, config: DataConfig, grid: WindowGrid, seed: tf.Tensor) -> View:
    """Cuts a square of `cut_side` out of a view, somewhere around an object: of a fitting size, if there is any.

    The windows that fit the object stay whole unless the image ends before. Cuts begin at whole cells.

    Args:
        objects: of the image.
        whole: the image without a cut.
        config: the side.
        grid: the windows.
        seed: int64 [2].
    """
    if not config.cut_side:
        return whole
    choice, *shift = tf.unstack(tf.random.stateless_uniform([3], seed))
    shown = tf.minimum(tf.constant(config.cut_side, tf.int64), whole.shown_hw)
    half_cell = grid.stride / 2  # the first cell is the nearest one
    room = max(config.cut_side / 2 - grid.window_px / 2 - config.centre_tolerance - half_cell, 0)
    centre = _subject_centre(objects, whole, config, choice) + room * tf.cast(2 * tf.stack(shift) - 1, tf.float64)
    first = tf.cast(centre - tf.cast(shown, tf.float64) / 2 + half_cell, tf.int64)
    first = tf.clip_by_value(first, 0, whole.shown_hw - shown)
    return whole._replace(origin_yx=first // grid.stride * grid.stride, shown_hw=shown)


def _subject_centre(objects: Objects, view: View, config: DataConfig, choice: tf.Tensor) -> tf.Tensor:
    """Centre of an object, one of a fitting size if there is any, else of the view: float64 [2], px of the view."""
    fits = fits_window(objects, view, config)
    boxes = tf.boolean_mask(boxes_in_view(objects, view), fits | ~tf.reduce_any(fits))
    everything = tf.cast([[0, 0, *tf.unstack(view.shown_hw)]], tf.float64)
    box = _one_of(tf.cond(tf.size(boxes) > 0, lambda: boxes, lambda: everything), choice)
    return (box[:2] + box[2:]) / 2


def objects_of(record: Tensors) -> Objects:
    """The objects of a record, which is fully labelled unless it says otherwise (`Records.parsed`)."""
    size_hw = tf.stack([record["image/height"], record["image/width"]])
    boxes = tf.stack([record[f"image/object/bbox/{name}"] for name in ("ymin", "xmin", "ymax", "xmax")], 1)
    boxes = tf.round(boxes * tf.cast(tf.tile(size_hw, [2]), tf.float32))  # whole pixels, stored as fractions
    return Objects(
        tf.cast(boxes, tf.int64),
        record["image/object/is_crowd"] == 1,
        record["image/object/mask/counts"],
        record["image/object/mask/num_counts"],
        size_hw,
        record.get("image/partial", tf.constant(False)),
    )


def view_of(size_hw: tf.Tensor, shorter_side: tf.Tensor, flipped: tf.Tensor, config: DataConfig) -> View:
    """The view of a whole image (int64 [2], px) with a shorter side [px]."""
    shorter_side = tf.cast(shorter_side, tf.int64)
    size = tf.stack(resized_hw(size_hw[0], size_hw[1], shorter_side, config.longer_side_limit))
    return View(size, flipped, tf.zeros_like(size), size)


def image_of(record: Tensors, view: View) -> tf.Tensor:
    """The photograph of a record in a view, float32 [H, W, 3], RGB in 0..255."""
    image = decode(record["image/encoded"])
    image = tf.cond(view.flipped, lambda: tf.reverse(image, [1]), lambda: image)
    height, width = tf.unstack(tf.cast(view.resized_hw, tf.int32))
    (top, left), (rows, columns) = tf.unstack(view.origin_yx), tf.unstack(view.shown_hw)
    return resize(image, height, width)[top : top + rows, left : left + columns]


def jitter_colours(image: tf.Tensor, strength: float, seed: tf.Tensor) -> tf.Tensor:
    """Changes brightness, contrast and saturation each by a factor within 1 - strength .. 1 + strength.

    Args:
        image: float32 [H, W, 3] in 0..255.
        strength: 0 leaves the image as it is.
        seed: int64 [2].
    """
    if not strength:
        return image
    brightness, contrast, saturation = tf.unstack(tf.random.stateless_uniform([3], seed, 1 - strength, 1 + strength))
    image *= brightness
    image = tf.reduce_mean(image) * (1 - contrast) + image * contrast
    image = tf.reduce_mean(image, -1, keepdims=True) * (1 - saturation) + image * saturation
    return tf.clip_by_value(image, 0, 255)
