"""From prepared data to training examples, by TensorFlow operations alone.

Example i of a run is a function of the seed and i, so a run can go on at any i, on any number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ifcn_tf.config.network import NetworkConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.augmentation import draw_background, draw_cut, draw_scale, jitter_colours
from ifcn_tf.data.class_masks import class_mask_example
from ifcn_tf.data.copy_paste import maybe_paste
from ifcn_tf.data.crops import crop_example
from ifcn_tf.data.records import Records
from ifcn_tf.data.rois import roi_example
from ifcn_tf.data.targets import training_targets
from ifcn_tf.data.views import image_of, largest_view_hw, objects_of, view_of
from ifcn_tf.geometry import WindowGrid

Tensors = dict[str, tf.Tensor]
fold_in = tf.random.experimental.stateless_fold_in
#: What else is drawn for an example where it is asked for; what every example draws stays as it is.
_BACKGROUND, _PASTED = range(2)


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
        Pairs (inputs, targets), here those of `training_example` (`crop_example`,
            `class_mask_example` and `roi_example` have their own); H and W vary, W windows
        and m cells are `config.num_windows` and the grid's `mask_cells`:
            inputs: "image" float32 [H, W, 3], RGB in 0..255, "windows" int32 [W, 2], centre cells (y, x).
            targets: "labels" float32 [W], "weights" float32 [W], "masks" float32 [W, m, m] (`training_targets`), and
                "image_id", a string scalar.

    Raises:
        UserError: a folder cannot be used. Iterating raises tf.errors.InvalidArgumentError, with a message that names
            the file, at a damaged record.
    """
    records, make = Records.open(data), EXAMPLES[network.example].make
    shown = shown_in_a_pass(records, shares)

    def any_record(seed: tf.Tensor) -> Tensors:
        return records.parsed(tf.gather(shown, tf.random.stateless_uniform([], seed, 0, len(shown), tf.int64)))

    def example(i: tf.Tensor) -> tuple[Tensors, Tensors]:
        record, own_seed = records.parsed(tf.gather(shown, _place(i, len(shown), seed))), tf.stack([seed, i])
        if config.copy_paste:
            record = maybe_paste(record, any_record, config, fold_in(own_seed, _PASTED))
        return make(record, config, network, own_seed)

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
    if config.background_cuts:
        view = draw_background(view, objects, config, grid, fold_in(seed, _BACKGROUND))
    targets = training_targets(objects, view, config, grid, window_seed)
    image = jitter_colours(image_of(record, view), config.colour_jitter, colour_seed)
    return {"image": image, "windows": targets.pop("windows")}, targets | {"image_id": record["image/source_id"]}


class ExampleKind(NamedTuple):
    """What a method is trained on.

    Attributes:
        make: makes the pair (inputs, targets) of a record, the settings, those of the method's network and a seed; see
            `training_example`.
        largest_hw: size [px] of the largest image that it makes of a photograph of 4 : 3.
    """

    make: Callable[[Tensors, DataConfig, Any, tf.Tensor], tuple[Tensors, Tensors]]
    largest_hw: Callable[[DataConfig, Any], tuple[int, int]]


#: By the name that `NetworkConfig.example` has.
EXAMPLES = {
    "view": ExampleKind(
        lambda record, config, network, seed: training_example(record, config, network.grid, seed),
        lambda config, network: largest_view_hw(config),
    ),
    "crop": ExampleKind(
        lambda record, config, network, seed: crop_example(record, config, network.grid, seed),
        lambda config, network: (network.grid.window_px, network.grid.window_px),
    ),
    "classes": ExampleKind(
        lambda record, config, network, seed: class_mask_example(record, config, seed),
        lambda config, network: largest_view_hw(config),
    ),
    "rois": ExampleKind(roi_example, lambda config, network: largest_view_hw(config)),
}
