"""What the network shall answer: which windows are positive or negative, and the masks of the positive ones.

DeepMask's definition (Pinheiro et al., 2015, section 3.3), which the paper takes over, moved from crops to windows.
TensorFlow operations only; nothing depends on the number of pixels of a mask, because masks stay run lengths.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.views import Objects, View, boxes_in_view, covers, original_pixels
from ifcn_tf.geometry import WindowGrid


class WindowClasses(NamedTuple):
    """The windows of a view, one a cell, [h, w]; a window that is neither positive nor negative is never sampled.

    Attributes:
        positive: bool.
        negative: bool.
        owner: int64, the object of a positive window; meaningless elsewhere.
        weight: float32, what a window counts in the loss of objectness: 1, or `partial_negatives`.
        near: bool, whether the centre of a window lies in the box of an object, no crowd, or up to `negative_distance`
            beside it. A negative window that is near is a hard one.
    """

    positive: tf.Tensor
    negative: tf.Tensor
    owner: tf.Tensor
    weight: tf.Tensor
    near: tf.Tensor


def window_centres(view: View, grid: WindowGrid) -> tuple[tf.Tensor, tf.Tensor]:
    """Centres of all windows in pixels of the view: y float64 [h], x float64 [w]."""
    y, x = (tf.cast(grid.extent(tf.range(cells))[0], tf.float64) for cells in grid.map_hw(*tf.unstack(view.shown_hw)))
    return y + grid.window_px / 2, x + grid.window_px / 2


def classify_windows(objects: Objects, view: View, config: DataConfig, grid: WindowGrid) -> WindowClasses:
    """Says of every window whether it is positive, negative or neither (see `DataConfig` for the definition)."""
    boxes = boxes_in_view(objects, view)
    offsets = _offsets(boxes, view, grid)
    fitting = tf.where(fits_window(objects, view, config))[:, 0]
    positive, owner = _owners(fitting, offsets, config.centre_tolerance)
    similar = tf.where(size_factors(objects, view, config) < config.negative_side_factor)[:, 0]
    close_y, close_x = (tf.gather(offset, similar) <= config.negative_distance for offset in offsets)
    close = tf.reduce_any(close_y[:, :, None] & close_x[:, None, :], 0)
    crowd = _in_crowd(objects, view, grid)
    known = _near_boxes(boxes, view, config.centre_tolerance, grid) | ~tf.convert_to_tensor(objects.partial)
    weight = tf.where(known, 1.0, config.partial_negatives)
    near = _near_boxes(tf.boolean_mask(boxes, ~objects.is_crowd), view, config.negative_distance, grid)
    return WindowClasses(positive & ~crowd, ~close & ~crowd & (weight > 0), owner, weight, near)


def fits_window(objects: Objects, view: View, config: DataConfig) -> tf.Tensor:
    """Which objects are of a size for positive windows: bool [n], False for crowds."""
    return ~objects.is_crowd & (size_factors(objects, view, config) <= config.side_tolerance)


def size_factors(objects: Objects, view: View, config: DataConfig) -> tf.Tensor:
    """By what factor, 1 or more, each object's longer side differs from `object_side`: float64 [n]."""
    boxes = boxes_in_view(objects, view)
    side = tf.reduce_max(boxes[:, 2:] - boxes[:, :2], 1)
    return tf.maximum(side / config.object_side, config.object_side / side)


def _offsets(boxes_yxyx: tf.Tensor, view: View, grid: WindowGrid) -> tuple[tf.Tensor, tf.Tensor]:
    """Distance of each object's centre from each window's, along y [n, h] and along x [n, w], in px of the view."""
    centres = (boxes_yxyx[:, :2] + boxes_yxyx[:, 2:]) / 2
    y, x = window_centres(view, grid)
    return tf.abs(centres[:, :1] - y), tf.abs(centres[:, 1:] - x)


def _near_boxes(boxes_yxyx: tf.Tensor, view: View, tolerance: float, grid: WindowGrid) -> tf.Tensor:
    """Windows around whose centre a square, of `tolerance` px to each side, overlaps any box: bool [h, w]."""
    top, left, bottom, right = (side[:, None] for side in tf.unstack(boxes_yxyx, axis=1))
    y, x = window_centres(view, grid)
    rows, columns = (y + tolerance > top) & (y - tolerance < bottom), (x + tolerance > left) & (x - tolerance < right)
    return tf.reduce_any(rows[:, :, None] & columns[:, None, :], 0)


def _owners(fitting: tf.Tensor, offsets: tuple[tf.Tensor, tf.Tensor], tolerance: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Windows close enough to an object of fitting size, bool [h, w], and the nearest such object, int64 [h, w]."""
    far = tf.constant(float("inf"), tf.float64)
    squared_y, squared_x = (
        tf.where(offset <= tolerance, offset**2, far) for offset in (tf.gather(o, fitting) for o in offsets)
    )
    squared = squared_y[:, :, None] + squared_x[:, None, :]  # [fitting, h, w]
    # A last, infinitely far object keeps the minimum defined when none fits.
    squared = tf.pad(squared, [[0, 1], [0, 0], [0, 0]], constant_values=float("inf"))
    owner = tf.gather(tf.pad(fitting, [[0, 1]]), tf.argmin(squared, 0))
    return tf.reduce_min(squared, 0) < far, owner


def _in_crowd(objects: Objects, view: View, grid: WindowGrid) -> tf.Tensor:
    """Windows whose centre lies in a crowd's mask, bool [h, w]."""
    crowds = tf.where(objects.is_crowd)  # [c, 1]
    y, x = (original_pixels(p, axis, objects, view) for axis, p in enumerate(window_centres(view, grid)))
    return tf.reduce_any(covers(objects, crowds[:, :, None], y[None, :, None], x[None, None, :]), 0)


def sample_windows(classes: WindowClasses, config: DataConfig, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws windows without replacement: half positives at most, and as many negatives (or `negatives_floor`).

    Args:
        classes: of all windows.
        config: the counts, and the least share of hard negatives, of which there may be fewer.
        seed: int64 [2].

    Returns:
        positives int64 [p, 2] and negatives int64 [q, 2], centre cells (y, x); p <= num_windows / 2,
        p + q <= num_windows.
    """
    seeds = tf.random.experimental.stateless_split(seed, 2)
    positives, negatives = (
        tf.random.experimental.stateless_shuffle(tf.where(kind), seeds[i])
        for i, kind in enumerate((classes.positive, classes.negative))
    )
    positives = positives[: config.num_windows // 2]
    count = tf.shape(positives)[0]
    wanted = tf.minimum(tf.maximum(count, config.negatives_floor), config.num_windows - count)
    if config.hard_negatives:
        hard = tf.round(config.hard_negatives * tf.cast(wanted, tf.float32))
        negatives = _first(negatives, tf.gather_nd(classes.near, negatives), tf.cast(hard, tf.int32))
    return positives, negatives[:wanted]


def _first(windows: tf.Tensor, chosen: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Puts the first `count` of the chosen windows, bool [n], before all others, and changes no order otherwise."""
    moved = chosen & (tf.cumsum(tf.cast(chosen, tf.int32)) <= count)
    return tf.concat([tf.boolean_mask(windows, moved), tf.boolean_mask(windows, ~moved)], 0)


def mask_targets(
    objects: Objects, view: View, windows: tf.Tensor, owners: tf.Tensor, config: DataConfig, grid: WindowGrid
) -> tf.Tensor:
    """Masks of windows: cells of which the owner covers at least `mask_coverage`; other objects are background.

    The windows of an object are shifted against one another by whole cells, so its mask is looked up once, on the
    cells that any of them can hold.

    Args:
        windows: int64 [p, 2], centre cells (y, x), positive windows of `owners`.
        owners: int64 [p].

    Returns:
        bool [p, m, m], m = `mask_cells`.
    """
    unique, group = tf.unique(owners)
    corners = grid.extent(windows)[0] // grid.mask_cell_px  # [cells of the mask]
    first = tf.math.unsorted_segment_min(corners, group, tf.size(unique))
    # Centres lie within the tolerance on both sides of the object's.
    side = grid.mask_cells + int(2 * config.centre_tolerance // grid.stride) * (grid.stride // grid.mask_cell_px)
    cells = tf.reshape(_cells(objects, view, unique, first * grid.mask_cell_px, side, config, grid.mask_cell_px), [-1])
    corners -= tf.gather(first, group)  # within `cells`
    start = (tf.cast(group, tf.int64) * side + corners[:, 0]) * side + corners[:, 1]
    within = tf.range(grid.mask_cells, dtype=tf.int64)
    return tf.gather(cells, start[:, None, None] + within[:, None] * side + within)


def _cells(
    objects: Objects, view: View, numbers: tf.Tensor, first: tf.Tensor, side: int, config: DataConfig, cell_px: int
) -> tf.Tensor:
    """Masks on squares of cells, bool [u, side, side]; `first` int64 [u, 2] is the top left of each square [px].

    The mask is looked up at the centre of every pixel of the view; their average stands for that over the cell's area.
    """
    pixels = tf.cast(tf.range(side * cell_px), tf.float64) + 0.5
    y, x = (
        original_pixels(tf.cast(first[:, axis : axis + 1], tf.float64) + pixels, axis, objects, view) for axis in (0, 1)
    )
    covered = covers(objects, numbers[:, None, None], y[:, :, None], x[:, None, :])
    by_cell = tf.reshape(tf.cast(covered, tf.int32), [-1, side, cell_px, side, cell_px])
    return tf.reduce_sum(by_cell, [2, 4]) >= math.ceil(config.mask_coverage * cell_px**2)


def training_targets(
    objects: Objects, view: View, config: DataConfig, grid: WindowGrid, seed: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Samples windows of one view and says what the network shall answer.

    Returns:
        With W = num_windows and m = mask_cells, positives first, then negatives, then padding:
            windows: int32 [W, 2], centre cells (y, x); padding is (0, 0).
            labels: float32 [W], 1 positive, 0 negative or padding.
            weights: float32 [W], `WindowClasses.weight` of what is sampled, 0 padding.
            masks: float32 [W, m, m], 0 or 1; zero but for positives.
    """
    classes = classify_windows(objects, view, config, grid)
    positives, negatives = sample_windows(classes, config, seed)
    masks = mask_targets(objects, view, positives, tf.gather_nd(classes.owner, positives), config, grid)
    num_positives, total = tf.shape(positives)[0], tf.shape(positives)[0] + tf.shape(negatives)[0]
    slots = tf.range(config.num_windows)
    sampled, padding = tf.concat([positives, negatives], 0), [0, config.num_windows - total]
    weights = tf.pad(tf.gather_nd(classes.weight, sampled), [padding])
    windows = tf.pad(sampled, [padding, [0, 0]])
    masks = tf.pad(masks, [[0, config.num_windows - num_positives], [0, 0], [0, 0]])
    return {
        "windows": tf.ensure_shape(tf.cast(windows, tf.int32), [config.num_windows, 2]),
        "labels": tf.cast(slots < num_positives, tf.float32),
        "weights": tf.ensure_shape(weights, [config.num_windows]),
        "masks": tf.ensure_shape(tf.cast(masks, tf.float32), [config.num_windows] + [grid.mask_cells] * 2),
    }
