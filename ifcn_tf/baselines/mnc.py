"""Files of MNC, Multi-task Network Cascades (Dai et al., CVPR 2016): pickles of Python 2, which know no image.

TesterWrapper.py writes res_boxes.pkl and res_masks.pkl: lists by class, then by image in the order of a list of names,
of boxes [n, 5] (left, top, right, bottom [px], the last included, and a score) and of masks [n, 1, 21, 21]
(probabilities within the box).
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import UserError, read_text
from ifcn_tf.common.ids import id_of_text
from ifcn_tf.images.files import upright_size
from ifcn_tf.masks.paste import paste
from ifcn_tf.masks.rle import areas
from ifcn_tf.proposals import Proposals

#: A cell, then a pixel, is in the mask from this value on (BINARIZE_THRESH of mnc_config.py).
_THRESHOLD = 0.4


def read_mnc(path: Path, names: Path, images: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Masks of all classes, image by image.

    Args:
        path: res_boxes.pkl, with res_masks.pkl beside it.
        names: text file of the images' names, a line each, in the order of the run.
        images: their photographs, which say how large the masks are.
    """
    boxes_by_class, masks_by_class = _read_lists(path), _read_lists(path.with_name("res_masks.pkl"))
    if len(boxes_by_class) != len(masks_by_class):
        counts = f"{len(boxes_by_class)} and {len(masks_by_class)}"
        raise UserError(f"{path} and res_masks.pkl beside it have results of {counts} classes: give those of one run.")
    stems = read_text(names).split()
    photographs = {photograph.stem: photograph for photograph in images}
    for lists in (*boxes_by_class, *masks_by_class):
        if len(lists) != len(stems):
            raise UserError(f"{path} has results of {len(lists)} images, {names} names {len(stems)}.")
    if missing := [stem for stem in stems if stem not in photographs]:
        raise UserError(f"{names} names {missing[0]}, of which there is no photograph among the images.")
    for i, stem in enumerate(stems):
        found = [(boxes[i], masks[i]) for boxes, masks in zip(boxes_by_class, masks_by_class, strict=True)]
        try:
            proposals = _proposals(found, upright_size(photographs[stem]))
        except (ValueError, IndexError, TypeError) as error:
            raise UserError(f"{path} and res_masks.pkl do not fit each other at {stem}: {error}.") from error
        yield from proposals.to_coco(id_of_text(stem))


def _proposals(found: list[tuple[Any, Any]], size_hw: tuple[int, int]) -> Proposals:
    """The proposals of one image from the boxes and masks of each class, pasted as MNC's own evaluation does it."""
    boxes = np.concatenate([np.asarray(boxes, np.float64).reshape(len(boxes), 5) for boxes, _ in found])
    masks = np.concatenate([_grids(masks) for _, masks in found if len(masks)] or [np.zeros((0, 1, 1))])
    if len(boxes) != len(masks):
        raise ValueError(f"{len(boxes)} boxes, {len(masks)} masks")
    order = np.argsort(-boxes[:, 4], kind="stable")
    left, top, right, bottom = np.round(boxes[order, :4]).T
    windows = np.stack([top, left, bottom + 1, right + 1], 1)
    rles = paste((masks[order] >= _THRESHOLD) - _THRESHOLD, windows, size_hw, 0.5)  # 0, the logit of .5, decides
    proposals = Proposals(size_hw, boxes[order, 4], rles)
    return proposals[areas(rles) > 0]


def _grids(masks: Any) -> np.ndarray:
    """[n, m, m] of [n, 1, m, m] or [n, m, m]."""
    grids = np.asarray(masks, np.float64)
    return grids.reshape(len(grids), *grids.shape[-2:])


class _ArraysAlone(pickle.Unpickler):
    """Reads lists, numbers and arrays of NumPy, of Python 2 as well; a pickle could run any program otherwise."""

    _ALLOWED = {  # noqa: RUF012
        "_reconstruct": np.zeros(0).__reduce__()[0],
        "scalar": np.float64(0).__reduce__()[0],
        "ndarray": np.ndarray,
        "dtype": np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        """See `pickle.Unpickler`."""
        if module.startswith("numpy") and name in self._ALLOWED:
            return self._ALLOWED[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")


def _read_lists(path: Path) -> list[list[Any]]:
    """Lists by class, without the background, which comes first and has none."""
    try:
        with path.open("rb") as file:
            content = _ArraysAlone(file, encoding="latin1").load()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}.") from error
    except Exception as error:  # whatever the parser meets in another file
        raise UserError(f"{path} is no pickle of lists and arrays, as MNC writes it: {error}.") from error
    if not (isinstance(content, list) and len(content) > 1 and all(isinstance(lists, list) for lists in content)):
        raise UserError(f"{path} is no file of MNC: it does not hold a list of images for each class.")
    return content[1:]
