"""Examples of methods that see one window at a time: crops around objects at their canonical scale, and beside them.

DeepMask's (Pinheiro et al., 2015, section 3.3): a crop is positive when an object is centred in it, its longer side
`object_side`; that is shifted by up to `centre_tolerance` and scaled by up to `side_tolerance`. Here a crop is a window
of the image at that scale, which the proposer would meet too, without what it overhangs.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.augmentation import draw_scale, jitter_colours, one_of
from ifcn_tf.data.targets import classify_windows, mask_targets
from ifcn_tf.data.views import Objects, View, image_of, objects_of, view_of
from ifcn_tf.geometry import WindowGrid

Tensors = dict[str, tf.Tensor]


class Crop(NamedTuple):
    """A window and what it shows.

    Attributes:
        view: the image, cut to the window.
        window: int64 [1, 2], the window's centre cell (y, x) on the map of the cut.
        weight: float32 [1], what it counts for the score; 0 where the image has no such crop.
        owner: int64 [0] or [1], the object of a positive crop.
    """

    view: View
    window: tf.Tensor
    weight: tf.Tensor
    owner: tf.Tensor


def crop_example(record: Tensors, config: DataConfig, grid: WindowGrid, seed: tf.Tensor) -> tuple[Tensors, Tensors]:
    """Makes the training example of a record: one crop.

    Of `crops_in_turn` examples each trains masks, with a positive crop; of as many then each second one is positive and
    all train scores; and so on. An image without an object gives a negative crop, which trains no mask.

    Args:
        record: the record (`Records.parsed`).
        config: what is positive or negative; `shorter_sides` are the scales of negative crops.
        grid: the windows.
        seed: int64 [2], decides scale, flip, crop and colours; its second number is that of the example.

    Returns:
        The pair (inputs, targets), with p = window_px:
            inputs: "image" float32 [H, W, 3], H and W at most p, less where the window overhangs the image, RGB in
                0..255, and "windows" int32 [1, 2], its centre cell (y, x).
            targets: "labels" float32 [1], 1 positive; "weights" float32 [1] (`Crop.weight`); "masks" float32 [1, p, p],
                0 or 1, zero of a negative crop; "trains_masks", a float32 scalar, 1 or 0: whether the example trains
                the mask or the score; and "image_id", a string scalar.
    """
    number = seed[1]
    flip_seed, crop_seed, colour_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    trains_masks = number // config.crops_in_turn % 2 == 0
    objects = objects_of(record)
    flipped = tf.random.stateless_uniform([], flip_seed) < config.flip_probability
    crop = draw_crop(objects, trains_masks | (number % 2 == 0), flipped, config, grid, crop_seed)
    pixels = dataclasses.replace(grid, mask_cells=grid.window_px)
    positive = tf.size(crop.owner)
    masks = mask_targets(objects, crop.view, crop.window[:positive], crop.owner, config, pixels)
    masks = tf.pad(masks, [[0, 1 - positive], [0, 0], [0, 0]])
    image = jitter_colours(image_of(record, crop.view), config.colour_jitter, colour_seed)
    return {"image": image, "windows": tf.cast(crop.window, tf.int32)}, {
        "labels": tf.reshape(tf.cast(positive, tf.float32), [1]),
        "weights": crop.weight,
        "masks": tf.ensure_shape(tf.cast(masks, tf.float32), [1, grid.window_px, grid.window_px]),
        "trains_masks": tf.cast(trains_masks, tf.float32),
        "image_id": record["image/source_id"],
    }


def draw_crop(
    objects: Objects, positive: tf.Tensor, flipped: tf.Tensor, config: DataConfig, grid: WindowGrid, seed: tf.Tensor
) -> Crop:
    """Draws a crop: of an object, or a negative one of any scale.

    Args:
        objects: of the image.
        positive: bool, whether the crop is to be positive; where no object can be it is negative.
        flipped: bool, whether the image is mirrored.
        config: what is positive or negative.
        grid: the windows.
        seed: int64 [2].
    """
    seeds = tf.random.experimental.stateless_split(seed, 3)
    subject, shorter_side = _draw_subject(objects, config, seeds[0])
    positive &= shorter_side > 0
    any_scale = draw_scale(objects, dataclasses.replace(config, fitting_scales=0.0), seeds[1])
    whole = view_of(objects.size_hw, tf.where(positive, shorter_side, any_scale), flipped, config)
    classes = classify_windows(objects, whole, config, grid)
    wanted = tf.where(positive, classes.positive & (classes.owner == subject), classes.negative)
    found = tf.random.experimental.stateless_shuffle(tf.where(wanted), seeds[2])[:1]
    count = tf.shape(found)[0]
    window = tf.ensure_shape(tf.pad(found, [[0, 1 - count], [0, 0]]), [1, 2])
    weight = tf.ensure_shape(tf.pad(tf.gather_nd(classes.weight, found), [[0, 1 - count]]), [1])
    view = cut_to_window(whole, window[0], grid)
    owner = tf.fill([tf.cast(positive, tf.int32) * count], subject)
    return Crop(view, window - view.origin_yx // grid.stride, weight, owner)


def cut_to_window(view: View, window: tf.Tensor, grid: WindowGrid) -> View:
    """What a window, int64 [2], shows of the view of a whole image; it may overhang that."""
    first, end = grid.extent(window)
    first, end = tf.maximum(first, 0), tf.minimum(end, view.resized_hw)
    return view._replace(origin_yx=first, shown_hw=end - first)


def _draw_subject(objects: Objects, config: DataConfig, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws an object, and the image's shorter side [px] at which it is of canonical size but for a random factor.

    Returns:
        Two int64 scalars; the side is 0 where no object can be of that size.
    """
    choice, jitter = tf.unstack(tf.random.stateless_uniform([2], seed))
    sides = tf.pad(canonical_sides(objects, config), [[0, 1]])  # the last one, of no size, is there in any case
    subject = one_of(tf.where((sides > 0) | ~tf.reduce_any(sides > 0))[:, 0], choice)
    factor = config.side_tolerance ** (2 * tf.cast(jitter, tf.float64) - 1)
    return subject, tf.cast(tf.round(tf.gather(sides, subject) * factor), tf.int64)


def canonical_sides(objects: Objects, config: DataConfig) -> tf.Tensor:
    """Shorter side of the image [px] at which each object's longer side is `object_side`: float64 [n].

    It is 0 for crowds, and for objects so small that the image would be longer than `longer_side_limit`.
    """
    boxes, size_hw = tf.cast(objects.boxes_yxyx, tf.float64), tf.cast(objects.size_hw, tf.float64)
    scales = config.object_side / tf.reduce_max(boxes[:, 2:] - boxes[:, :2], 1)
    possible = ~objects.is_crowd & (scales * tf.reduce_max(size_hw) <= config.longer_side_limit)
    return tf.where(possible, scales * tf.reduce_min(size_hw), 0.0)
