"""Masks at image size inside a graph, one bit a pixel: what `masks.paste` does, for clients that cannot paste."""

from __future__ import annotations

import math

import tensorflow as tf

from ifcn_tf.saved_model.conditions import provided

#: A response, and what painting takes, stay below this [bytes]; protocol buffers end at 2 GiB.
MAX_BYTES = 2**30
#: Memory while a mask is painted [bytes a pixel].
_PAINTING = 16


def refusal(size_hw: tf.Tensor, count: int) -> tf.Tensor:
    """Why the masks of an image cannot be painted, without a subject; an empty string where they can.

    Args:
        size_hw: of the image, int32 [2].
        count: places for masks.
    """
    large = f"is too large for {count} masks at image size, which would take over {MAX_BYTES} bytes."
    return tf.where(_is_too_large(count, size_hw), large, "")


def pack_batch(answers: dict[str, tf.Tensor], threshold: float) -> tf.Tensor:
    """Full-size masks of a batch of images.

    Args:
        answers: num_proposals [B], mask_logits [B, N, m, m], windows_yxyx [B, N, 4] and image_hw [B, 2], as served.
        threshold: probability from which on a pixel belongs to the mask.

    Returns:
        uint8 [B, N, H, ceil(W / 8)], H and W the largest of the batch. A row of a mask is packed from its left, the
        first pixel in the highest bit: `numpy.unpackbits(packed[b, n], axis=-1)[:h, :w]` is mask n of image b, whose
        size image_hw[b] is (h, w). All other bits are 0.
    """
    names = ("mask_logits", "windows_yxyx", "num_proposals", "image_hw")
    canvas_hw = tf.reduce_max(answers["image_hw"], 0)
    sentence = f"full_masks_packed would take over {MAX_BYTES} bytes: send fewer or smaller images at once"
    canvas_hw = provided(~_is_too_large(tf.size(answers["scores"]), canvas_hw), sentence, canvas_hw)
    return tf.map_fn(
        lambda image: _pack_image(image, canvas_hw, threshold),
        {name: answers[name] for name in names},
        fn_output_signature=tf.TensorSpec([answers["scores"].shape[1], None, None], tf.uint8),
        parallel_iterations=1,
    )


def _is_too_large(num_masks: tf.Tensor | int, canvas_hw: tf.Tensor) -> tf.Tensor:
    """Whether so many masks of a size, or painting one of them, take more than MAX_BYTES."""
    height, width = tf.unstack(tf.cast(canvas_hw, tf.float64))
    packed = tf.cast(num_masks, tf.float64) * height * tf.math.ceil(width / 8)
    return tf.maximum(packed, _PAINTING * height * width) > MAX_BYTES


def _pack_image(image: dict[str, tf.Tensor], canvas_hw: tf.Tensor, threshold: float) -> tf.Tensor:
    """The first `num_proposals` masks of an image, and zeros after them: uint8 [N, H, ceil(W / 8)]."""
    empty = tf.zeros([canvas_hw[0], -(-canvas_hw[1] // 8)], tf.uint8)
    logit = math.log(threshold / (1 - threshold))

    def pack(index: tf.Tensor) -> tf.Tensor:
        values, window = image["mask_logits"][index] - logit, image["windows_yxyx"][index]
        return tf.cond(
            index < image["num_proposals"],
            lambda: _packed(_painted(values, window, image["image_hw"], canvas_hw)),
            lambda: empty,
        )

    every = tf.range(tf.shape(image["mask_logits"])[0])
    spec = tf.TensorSpec([None, None], tf.uint8)
    return tf.map_fn(pack, every, fn_output_signature=spec, parallel_iterations=1)


def _painted(values: tf.Tensor, window: tf.Tensor, size_hw: tf.Tensor, canvas_hw: tf.Tensor) -> tf.Tensor:
    """One mask as bool [H, W]: where `values` [m, m], interpolated bilinearly at pixel centres, are not negative."""
    resolution, inside = values.shape[0], []
    for axis in (0, 1):  # the same along rows and, transposed, along columns
        lower, share, within = _cells(window[axis], window[axis + 2], size_hw[axis], canvas_hw[axis], resolution)
        values = tf.transpose(tf.gather(values, lower) * (1 - share) + tf.gather(values, lower + 1) * share)
        inside.append(within)
    return (values >= 0) & inside[0][:, None] & inside[1][None]


def _cells(
    begin: tf.Tensor, end: tf.Tensor, size: tf.Tensor, canvas: tf.Tensor, resolution: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Where the pixels of one axis fall in a window: the cell before each, the share of the next one, whether inside.

    Beyond the outermost cell centres of the window or of the image, the nearest cell holds (`masks.paste`).
    """
    begin, end, limit = (tf.cast(value, tf.float64) for value in (begin, end, size))
    cell = (end - begin) / resolution
    tolerance = 1e-3  # cells; windows are rounded to float32
    lowest = tf.clip_by_value(tf.floor(-begin / cell + tolerance), 0, resolution - 1)
    highest = tf.clip_by_value(tf.math.ceil((limit - begin) / cell - tolerance) - 1, 0, resolution - 1)
    centres = tf.cast(tf.range(canvas), tf.float64) + 0.5
    position = tf.clip_by_value((centres - begin) / cell - 0.5, lowest, highest)
    lower = tf.minimum(tf.floor(position), resolution - 2)
    within = (centres >= begin) & (centres < end) & (centres < limit)
    return tf.cast(lower, tf.int32), tf.cast(position - lower, tf.float32)[:, None], within


def _packed(mask: tf.Tensor) -> tf.Tensor:
    """bool [H, W] -> uint8 [H, ceil(W / 8)], the first pixel in the highest bit."""
    height, width = tf.unstack(tf.shape(mask))
    padded = tf.pad(tf.cast(mask, tf.uint8), [[0, 0], [0, -width % 8]])
    octets = tf.reshape(padded, [height, -(-width // 8), 8])
    return tf.reduce_sum(octets * tf.constant([128, 64, 32, 16, 8, 4, 2, 1], tf.uint8), -1)
