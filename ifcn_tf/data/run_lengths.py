"""Masks of objects that change and stay run lengths: seen in another view, or less what hides them.

The masks of n objects lie end to end on a line, each column by column: pixel (y, x) of object number i is pixel
(i * width + x) * height + y of the line. Whatever is done to them, they change at few pixels of the line, and a lookup
at these says how they go on.
"""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.data.views import Objects, View, boxes_in_view, covers, original_pixels


def areas(objects: Objects) -> tf.Tensor:
    """Pixels of each mask, int64 [n]."""
    owner, is_mask = _runs(objects)
    return tf.math.unsorted_segment_sum(objects.counts * is_mask, owner, tf.size(objects.num_counts))


def _runs(objects: Objects) -> tuple[tf.Tensor, tf.Tensor]:
    """The object of each run and whether the run is of its mask, 0 or 1: int64 [r] both."""
    owner = tf.repeat(tf.range(tf.size(objects.num_counts, tf.int64)), objects.num_counts)
    first = tf.gather(tf.cumsum(objects.num_counts, exclusive=True), owner)
    return owner, (tf.range(tf.size(objects.counts, tf.int64)) - first) % 2


def selected(objects: Objects, kept: tf.Tensor) -> Objects:
    """Those of the objects that are kept, bool [n]."""
    owner, _ = _runs(objects)
    return objects._replace(
        boxes_yxyx=tf.boolean_mask(objects.boxes_yxyx, kept),
        is_crowd=tf.boolean_mask(objects.is_crowd, kept),
        counts=tf.boolean_mask(objects.counts, tf.gather(kept, owner)),
        num_counts=tf.boolean_mask(objects.num_counts, kept),
    )


def joined(objects: Objects, others: Objects) -> Objects:
    """All objects of one image, which is labelled as the first ones are."""
    boxes, is_crowd, counts, num_counts = (tf.concat(pair, 0) for pair in zip(objects[:4], others[:4], strict=True))
    return Objects(boxes, is_crowd, counts, num_counts, objects.size_hw, objects.partial)


def union(objects: Objects) -> tf.Tensor:
    """The pixels that any mask covers, bool [H, W]."""
    height, width = tf.unstack(objects.size_hw)
    owner, is_mask = _runs(objects)
    ends = tf.cumsum(objects.counts) - owner * height * width
    places = tf.concat([ends - objects.counts, ends], 0)
    changes = tf.scatter_nd(places[:, None], tf.concat([is_mask, -is_mask], 0), [height * width + 1])
    return tf.transpose(tf.reshape(tf.cumsum(changes)[:-1] > 0, [width, height]))


def without(objects: Objects, hidden: tf.Tensor) -> Objects:
    """The objects less hidden pixels, bool [H, W]; the box of an object that is hidden altogether is meaningless."""
    column_wise = tf.reshape(tf.transpose(hidden), [-1])
    changes = tf.where(column_wise[1:] != column_wise[:-1])[:, 0] + 1
    hidden_from = _lines(objects)[:, None] + changes
    pixels = _in_order(objects, tf.cumsum(objects.counts), hidden_from)
    number, y, x = _places(pixels, objects)
    return _changing_at(objects, pixels, covers(objects, number, y, x) & ~tf.gather_nd(hidden, tf.stack([y, x], 1)))


def seen_in(view: View, objects: Objects) -> Objects:
    """The objects as a view shows them, in its pixels; the box of an object that it does not show is meaningless."""
    seen = objects._replace(size_hw=view.shown_hw)
    rows, columns = (
        original_pixels(tf.cast(tf.range(view.shown_hw[axis]), tf.float64) + 0.5, axis, objects, view)
        for axis in (0, 1)
    )
    pixels = _in_order(seen, _changes(objects, boxes_in_view(objects, view), rows, columns))
    number, y, x = _places(pixels, seen)
    return _changing_at(seen, pixels, covers(objects, number, tf.gather(rows, y), tf.gather(columns, x)))


def _changes(objects: Objects, boxes_yxyx: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Pixels of the line of a view at which masks may change.

    Args:
        objects: in pixels of the original.
        boxes_yxyx: float64 [n, 4], theirs in the view.
        rows, columns: int64, the original's pixel that each row and column of the view shows; rows rise.
    """
    height, width = tf.size(rows, tf.int64), tf.size(columns, tf.int64)
    left, right = tf.floor(boxes_yxyx[:, 1]), tf.math.ceil(boxes_yxyx[:, 3]) + 1  # and the column after it
    shown = tf.ragged.range(*(tf.clip_by_value(tf.cast(side, tf.int64), 0, width) for side in (left, right)))
    number, x = shown.value_rowids(), shown.values
    # A column of the view shows one of the original, in which some runs end.
    first = objects.size_hw[0] * (number * objects.size_hw[1] + tf.gather(columns, x))
    ends = tf.cumsum(objects.counts)
    within = (tf.searchsorted(ends, first + side, out_type=tf.int64) for side in (1, objects.size_hw[0]))
    ending = tf.ragged.range(*within)
    row = tf.gather(ends, ending.values) - tf.gather(first, ending.value_rowids())
    start = (number * width + x) * height
    borders = tf.concat([[0], tf.searchsorted(rows, tf.stack([0, objects.size_hw[0]]), out_type=tf.int64)], 0)
    change = tf.gather(start, ending.value_rowids()) + tf.searchsorted(rows, row, out_type=tf.int64)
    return tf.concat([change, tf.reshape(start[:, None] + borders, [-1])], 0)


def _lines(objects: Objects) -> tf.Tensor:
    """Where the pixels of each object begin, int64 [n]."""
    return tf.range(tf.size(objects.num_counts, tf.int64)) * tf.reduce_prod(objects.size_hw)


def _places(pixels: tf.Tensor, objects: Objects) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Number of the object, y and x of pixels of the line."""
    height, width = tf.unstack(objects.size_hw)
    columns = pixels // height
    return columns // width, pixels % height, columns % width


def _in_order(objects: Objects, *pixels: tf.Tensor) -> tf.Tensor:
    """Pixels of the line, those at which masks begin among them; pixels beyond its end are left out."""
    together = tf.concat([_lines(objects), *(tf.reshape(some, [-1]) for some in pixels)], 0)
    end = tf.size(objects.num_counts, tf.int64) * tf.reduce_prod(objects.size_hw)
    return tf.sort(tf.boolean_mask(together, together < end))


def _changing_at(objects: Objects, pixels: tf.Tensor, inside: tf.Tensor) -> Objects:
    """Objects whose masks, up to the next of these pixels (`_in_order`), are as they are there, bool [s]."""
    count, (height, width) = tf.size(objects.num_counts, tf.int64), tf.unstack(objects.size_hw)
    lengths = tf.concat([pixels[1:], [count * height * width]], 0) - pixels
    in_mask = tf.where(inside, lengths, 0)
    number, top, left = _places(pixels, objects)
    _, bottom, right = _places(pixels + lengths - 1, objects)
    one_column = left == right  # else a run goes through the bottom and the top
    top, bottom = tf.where(one_column, top, 0), tf.where(one_column, bottom, height - 1)
    seen = in_mask > 0
    owner = tf.boolean_mask(number, seen)
    first, last = (
        reduce(tf.boolean_mask(tf.stack(corner, 1), seen), owner, count)
        for reduce, corner in (
            (tf.math.unsorted_segment_min, (top, left)),
            (tf.math.unsorted_segment_max, (bottom, right)),
        )
    )
    return objects._replace(
        boxes_yxyx=tf.concat([first, last + 1], 1),
        counts=tf.reshape(tf.stack([lengths - in_mask, in_mask], 1), [-1]),  # background, then mask: one of them is 0
        num_counts=2 * tf.math.unsorted_segment_sum(tf.ones_like(number), number, count),
    )
