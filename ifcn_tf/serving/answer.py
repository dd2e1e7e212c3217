"""From the tensors of an answer to `Proposals`; every tensor is checked, since servers may have any model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.masks.paste import logits
from ifcn_tf.proposals import Proposals

Tensors = Mapping[str, np.ndarray]


def to_proposals(answer: Tensors, name: str, size_hw: tuple[int, ...]) -> Proposals:
    """Pastes the masks of an answer to one image.

    Args:
        answer: the outputs of signature `serving_default` for a batch of one: num_proposals [1], scores [1, N],
            windows_yxyx [1, N, 4], mask_logits or mask_probabilities [1, N, m, m], image_hw [1, 2], mask_threshold [1],
            min_area [1] and error [1]; of a model that names them also category_ids [1, N], class_scores [1, N, C + 1],
            class_names and class_ids [1, C + 1].
        name: what to call the image in errors.
        size_hw: size of the image as it was sent, upright [px].

    Raises:
        BadImageError: the server could not answer for this image, or sees it in another size.
        UserError: the answer is not such a one.
    """
    message = _text(answer)
    if message:
        # Servers count through the batch, into which they may have merged the requests of others.
        raise BadImageError(re.sub(r": image \d+ of the batch ", " ", f"{name}: {message}"))
    count, threshold = int(_numbers(answer, "num_proposals", ())), float(_numbers(answer, "mask_threshold", ()))
    mask_logits = _mask_logits(answer)
    windows, scores = _numbers(answer, "windows_yxyx", (None, 4)), _numbers(answer, "scores", (None,))
    height, width = (int(side) for side in _numbers(answer, "image_hw", (2,)))
    if not (0 <= count <= min(len(mask_logits), len(windows), len(scores)) and 0 < threshold < 1):
        raise _other_shape("num_proposals and mask_threshold that fit the other tensors")
    if (height, width) != size_hw:
        raise BadImageError(f"{name} is {size_hw[0]} x {size_hw[1]} px (upright), {height} x {width} on the server.")
    return Proposals.from_windows(
        scores[:count],
        windows[:count],
        mask_logits[:count],
        size_hw=(height, width),
        threshold=threshold,
        min_area=float(_numbers(answer, "min_area", ())),
        **_names(answer, count),
    )


def _names(answer: Tensors, count: int) -> dict[str, Any]:
    """The attributes of proposals with names; none where the model gives no names."""
    if "category_ids" not in answer:
        return {}
    numbers, ids = _numbers(answer, "category_ids", (None,)), _numbers(answer, "class_ids", (None,))
    likely, names = _numbers(answer, "class_scores", (None, len(ids))), np.asarray(answer.get("class_names"))
    if names.shape != (1, len(ids)) or min(len(numbers), len(likely)) < count:
        raise _other_shape("class_names and class_scores that fit the other tensors")
    categories = {int(number): _decoded(name) for number, name in zip(ids, names[0], strict=True) if number}
    return {
        "category_ids": numbers[:count].astype(np.int64),
        "class_scores": likely[:count].astype(np.float32),
        "categories": categories,
    }


def _mask_logits(answer: Tensors) -> np.ndarray:
    if "mask_probabilities" not in answer:
        values = _numbers(answer, "mask_logits", (None, None, None))
    else:
        values = logits(_numbers(answer, "mask_probabilities", (None, None, None)))
    if values.shape[1] != values.shape[2]:
        raise _other_shape("square masks")
    return values


def _numbers(answer: Tensors, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """A tensor of one image, float64 of the given shape, in which None stands for any size."""
    try:
        value = np.asarray(answer[name], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise _other_shape(name) from error
    fits = value.ndim == len(shape) + 1 and value.shape[0] == 1
    if not fits or any(want not in (None, have) for want, have in zip(shape, value.shape[1:], strict=True)):
        raise _other_shape(f"{name} [{', '.join(['1', *('N' if side is None else str(side) for side in shape)])}]")
    if not np.isfinite(value).all():
        raise _other_shape(f"finite {name}")
    return value[0]


def _text(answer: Tensors) -> str:
    value = np.asarray(answer.get("error", np.zeros(0)))
    if value.shape != (1,) or value.dtype.kind not in "OSU":
        raise _other_shape("error [1]")
    return _decoded(value[0])


def _decoded(text: Any) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def _other_shape(what: str) -> UserError:
    return UserError(f"the server's answer is not that of a model which `ifcn-tf export` wrote: it has no {what}.")
