"""Masks that follow the edges of the picture: colours in windows, in a graph, for `masks.edges`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from ifcn_tf.images.tensors import Resize, resize
from ifcn_tf.masks.edges import enlarge, fit_to_colours
from ifcn_tf.masks.paste import PROBABILITY_MARGIN


class Fitted(NamedTuple):
    """Masks of finer cells, and of what they were made.

    Attributes:
        mask_logits: float32 [n, samples m, samples m], with borders where the colours change.
        held: float32 [n, m, m], the masks as predicted; cells outside the image are those of the nearest inside.
        colours: float32 [n, samples m, samples m, 3] in 0..1, the picture in the windows.
    """

    mask_logits: tf.Tensor
    held: tf.Tensor
    colours: tf.Tensor


def follow_edges(
    mask_logits: tf.Tensor,
    places: tf.Tensor,
    image: tf.Tensor,
    pyramid_hw: Sequence[tuple[tf.Tensor, tf.Tensor]],
    window_px: int,
    samples: int,
    resize: Resize = resize,
) -> Fitted:
    """Fits masks to the colours of a picture.

    Args:
        mask_logits: float32 [n, m, m].
        places: int32 [n, 3], the scale of each window, counted from 0, and its top left corner there [px].
        image: uint8 [H, W, 3], RGB.
        pyramid_hw: sizes of the image at its scales, int64 [px].
        window_px: side of a window [px of the resized image].
        samples: cells of the answer along each side of a cell.
        resize: see `Proposer`.
    """
    cells = mask_logits.shape[-1]
    sizes = tf.cast(tf.stack([tf.stack(size) for size in pyramid_hw]), tf.int32)
    held = _hold(
        mask_logits, places[:, 1:] * cells // window_px, tf.gather(-(-sizes * cells // window_px), places[:, 0])
    )
    grids = tf.maximum((2 * sizes * cells * samples + window_px) // (2 * window_px), 1)
    first = places[:, 1:] * cells * samples // window_px
    colours = _colours(_at_scales(image, grids, resize), grids, places[:, 0], first, cells * samples)
    fitted, trust = fit_to_colours(tf.sigmoid(held), tf.unstack(colours, axis=-1))
    fitted = tf.clip_by_value(fitted, PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
    fitted = trust * tf.math.log(fitted / (1 - fitted)) + (1 - trust) * enlarge(held, samples)
    return Fitted(fitted, held, colours)


def _hold(mask_logits: tf.Tensor, first: tf.Tensor, size_hw: tf.Tensor) -> tf.Tensor:
    """Gives cells outside the image the value of the nearest cell inside, as `paste` does.

    Args:
        mask_logits: float32 [n, m, m].
        first: int32 [n, 2], the top left cell of each mask in its resized image.
        size_hw: int32 [n, 2], that image's size [cells].
    """
    rows, columns = (_inside(first, size_hw, axis, mask_logits.shape[-1]) - first[:, axis, None] for axis in (0, 1))
    return tf.gather(tf.gather(mask_logits, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def _at_scales(image: tf.Tensor, grids_hw: tf.Tensor, resize: Resize) -> tf.Tensor:
    """The picture at each scale, one after the other, pixels row by row: float32 [-, 3] in 0..255."""
    return tf.concat([tf.reshape(resize(image, *tf.unstack(size)), [-1, 3]) for size in tf.unstack(grids_hw)], 0)


def _colours(pixels: tf.Tensor, grids_hw: tf.Tensor, scale: tf.Tensor, first: tf.Tensor, count: int) -> tf.Tensor:
    """The picture in windows; beyond its border, the border.

    Args:
        pixels: of `_at_scales`.
        grids_hw: int32 [s, 2], size of the image at each scale [samples].
        scale: int32 [n], of each window.
        first: int32 [n, 2], its top left sample there.
        count: its side [samples].

    Returns:
        float32 [n, count, count, 3] in 0..1.
    """
    starts = tf.cumsum(tf.reduce_prod(grids_hw, 1), exclusive=True)
    size_hw = tf.gather(grids_hw, scale)
    rows, columns = (_inside(first, size_hw, axis, count) for axis in (0, 1))
    row_starts = tf.gather(starts, scale)[:, None] + rows * size_hw[:, 1, None]
    return tf.gather(pixels / 255, tf.expand_dims(row_starts, 2) + tf.expand_dims(columns, 1))


def _inside(first: tf.Tensor, size_hw: tf.Tensor, axis: int, count: int) -> tf.Tensor:
    """Positions of `count` neighbours along an axis, those outside moved to the border: int32 [n, count]."""
    return tf.clip_by_value(first[:, axis, None] + tf.range(count), 0, size_hw[:, axis, None] - 1)
