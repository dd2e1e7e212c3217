"""What is drawn at random for a training example: its scale, its cut and its colours."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.targets import fits_window
from ifcn_tf.data.views import Objects, View, boxes_in_view, view_of
from ifcn_tf.geometry import WindowGrid


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
    return one_of(tf.boolean_mask(sides, allowed), choice)


def _any_fits(objects: Objects, shorter_side: tf.Tensor, config: DataConfig) -> tf.Tensor:
    view = view_of(objects.size_hw, shorter_side, tf.constant(False), config)
    return tf.reduce_any(fits_window(objects, view, config))


def one_of(values: tf.Tensor, choice: tf.Tensor) -> tf.Tensor:
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
    box = one_of(tf.cond(tf.size(boxes) > 0, lambda: boxes, lambda: everything), choice)
    return (box[:2] + box[2:]) / 2


def draw_background(view: View, objects: Objects, config: DataConfig, grid: WindowGrid, seed: tf.Tensor) -> View:
    """With probability `background_cuts`, replaces a view by a cut of the image at a random place and scale.

    Args:
        view: as it is otherwise.
        objects: of the image.
        config: the share, the scales and the side of the cut.
        grid: the windows.
        seed: int64 [2].
    """
    drawn, scale_seed, place_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    labelled = ~tf.convert_to_tensor(objects.partial) | (config.partial_negatives > 0)
    side = draw_scale(objects, dataclasses.replace(config, fitting_scales=0.0), scale_seed)
    whole = view_of(objects.size_hw, side, view.flipped, config)
    background = cut_anywhere(whole, config.cut_side, grid.stride, place_seed)
    is_background = (tf.random.stateless_uniform([], drawn) < config.background_cuts) & labelled
    return View(*(tf.where(is_background, *pair) for pair in zip(background, view, strict=True)))


def cut_anywhere(whole: View, side: int, step: int, seed: tf.Tensor) -> View:
    """Cuts a square of a side [px] out of a view, at a random place: a multiple of `step` [px]; seed int64 [2]."""
    shown = tf.minimum(tf.constant(side, tf.int64), whole.shown_hw)
    places = tf.cast((whole.shown_hw - shown) // step + 1, tf.float32)
    first = tf.cast(tf.random.stateless_uniform([2], seed) * places, tf.int64) * step
    return whole._replace(origin_yx=first, shown_hw=shown)


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
