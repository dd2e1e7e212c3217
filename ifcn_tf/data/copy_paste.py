"""Objects of another photograph, put on a photograph (Ghiasi et al., 2021).

Some objects of the other photograph, chosen at random, are scaled, perhaps mirrored, and placed somewhere, as they lie
to one another. What is pasted is an object like others, and what it hides is no part of the masks below.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.run_lengths import areas, joined, seen_in, selected, union, without
from ifcn_tf.data.views import Objects, Tensors, View, boxes_in_view, image_of, objects_of, view_of
from ifcn_tf.images.tensors import decode

#: What is pasted is as large, relative to the shorter side, as in its own photograph, times or divided by a random
#: factor of up to this [ratio].
_SPREAD = 2.0
#: Objects of which less than this share is left to be seen are no objects any more.
_LEAST_SEEN = 0.1


def maybe_paste(
    record: Tensors, another: Callable[[tf.Tensor], Tensors], config: DataConfig, seed: tf.Tensor
) -> Tensors:
    """With probability `copy_paste`, puts objects of another photograph on that of a record.

    Args:
        record: as `Records.parsed` returns it.
        another: reads a random record by a seed; called only where something is pasted. It may show no object.
        config: the share of examples, and of photographs that are mirrored.
        seed: int64 [2].

    Returns:
        The record, with "image/decoded", uint8 [H, W, 3], in place of "image/encoded", and of its objects what
        `objects_of` reads.
    """
    drawn, other_seed, choice_seed, layer_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 4))

    def unchanged() -> Tensors:
        return {"image/decoded": decode(record["image/encoded"]), **_fields(objects_of(record))}

    def pasted() -> Tensors:
        other = another(other_seed)
        above = _some(objects_of(other), choice_seed)
        layer = draw_layer(above, objects_of(record).size_hw, config, layer_seed)
        return tf.cond(tf.size(above.is_crowd) > 0, lambda: _paste(record, other, above, layer), unchanged)

    changed = tf.cond(tf.random.stateless_uniform([], drawn) < config.copy_paste, pasted, unchanged)
    return {name: record[name] for name in record if name != "image/encoded" and "/object/" not in name} | changed


def _fields(objects: Objects) -> Tensors:
    """What `objects_of` reads of a record."""
    fractions = tf.cast(objects.boxes_yxyx, tf.float32) / tf.cast(tf.tile(objects.size_hw, [2]), tf.float32)
    sides = (f"image/object/bbox/{name}" for name in ("ymin", "xmin", "ymax", "xmax"))
    return {
        **dict(zip(sides, tf.unstack(fractions, axis=1), strict=True)),
        "image/object/is_crowd": tf.cast(objects.is_crowd, tf.int64),
        "image/object/mask/counts": objects.counts,
        "image/object/mask/num_counts": objects.num_counts,
    }


def _some(objects: Objects, seed: tf.Tensor) -> Objects:
    """A random number of the objects, at least one, and no crowd; none where there is none."""
    limit, draws = tf.split(tf.random.stateless_uniform([tf.size(objects.is_crowd) + 1], seed), [1, -1])
    draws = tf.where(objects.is_crowd, 2.0, draws)
    return selected(objects, ~objects.is_crowd & (draws <= tf.maximum(limit, tf.reduce_min(draws))))


def draw_layer(above: Objects, size_hw: tf.Tensor, config: DataConfig, seed: tf.Tensor) -> View:
    """How the other photograph is seen in pixels of the one below, so that its objects lie within, if they fit.

    Args:
        above: what is pasted.
        size_hw: int64 [2], the photograph below [px].
        config: how many photographs are mirrored.
        seed: int64 [2].
    """
    scale, flip, *place = tf.unstack(tf.random.stateless_uniform([4], seed))
    side = tf.round(tf.cast(tf.reduce_min(size_hw), tf.float32) * _SPREAD ** (2 * scale - 1))
    whole = view_of(above.size_hw, tf.maximum(side, 1), flip < config.flip_probability, config)
    boxes = boxes_in_view(above, whole)
    first, last = tf.reduce_min(boxes[:, :2], 0), tf.reduce_max(boxes[:, 2:], 0)
    corner = tf.cast(tf.stack(place), tf.float64) * (tf.cast(size_hw, tf.float64) - (last - first))
    return whole._replace(origin_yx=tf.cast(tf.round(first - corner), tf.int64), shown_hw=size_hw)


def _paste(record: Tensors, other: Tensors, above: Objects, layer: View) -> Tensors:
    """The photograph and objects of a record below objects of another one."""
    below, seen = objects_of(record), seen_in(layer, above)
    enlarged = tf.reduce_prod(layer.resized_hw) / tf.reduce_prod(above.size_hw)
    seen = selected(seen, _is_enough(areas(seen), tf.cast(areas(above), tf.float64) * enlarged))
    hidden = union(seen)
    rest = without(below, hidden)
    rest = selected(rest, _is_enough(areas(rest), tf.cast(areas(below), tf.float64)))
    image = tf.where(hidden[:, :, None], _image_of_layer(other, layer), decode(record["image/encoded"]))
    return {"image/decoded": image, **_fields(joined(rest, seen))}


def _is_enough(seen: tf.Tensor, whole: tf.Tensor) -> tf.Tensor:
    """Whether so much is seen of areas [px], int64 [n] of float64 [n], that they are still objects."""
    return (seen > 0) & (tf.cast(seen, tf.float64) >= _LEAST_SEEN * whole)


def _image_of_layer(record: Tensors, layer: View) -> tf.Tensor:
    """The photograph of a record in a view that may reach beyond it, where its border goes on: uint8 [H, W, 3]."""
    whole = image_of(record, layer._replace(origin_yx=tf.zeros_like(layer.origin_yx), shown_hw=layer.resized_hw))
    rows, columns = (
        tf.clip_by_value(layer.origin_yx[axis] + tf.range(layer.shown_hw[axis]), 0, layer.resized_hw[axis] - 1)
        for axis in (0, 1)
    )
    return tf.cast(tf.round(tf.gather(tf.gather(whole, rows), columns, axis=1)), tf.uint8)
