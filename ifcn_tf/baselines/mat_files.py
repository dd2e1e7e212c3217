"""MATLAB files of MCG, GOP, RIGOR and Selective Search: one for each image, called like it, best proposal first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from ifcn_tf.baselines.order import scores_of_order
from ifcn_tf.common.files import UserError
from ifcn_tf.common.ids import ImageId, id_of_file, id_of_text, repeated
from ifcn_tf.masks.rle import areas, encode
from ifcn_tf.proposals import Proposals

Result = dict[str, Any]


def read_mcg(path: Path) -> Iterator[Result]:
    """MCG and SCG (Arbeláez et al., CVPR 2014), the files of im2mcg_all.m.

    `superpixels` [H, W] numbers regions from 1 on; the cell `labels`, one entry for each proposal, lists the regions
    that it consists of; `scores` has its score, where it is there.
    """
    content = _load(path, "MCG", ["superpixels", "labels"], ["scores"])
    with _refusing(path, "MCG"):
        superpixels = _whole(content["superpixels"], 1)
        labels = [_whole(entry, 1).ravel() for entry in _cell(content["labels"])]
        members = np.zeros((len(labels), superpixels.max() + 1), bool)
        for row, numbers in zip(members, labels, strict=True):
            row[numbers] = True
        masks = (row[superpixels] for row in members)
        yield from _of_masks(id_of_file(path), masks, len(labels), content.get("scores"))


def read_gop(path: Path) -> Iterator[Result]:
    """GOP (Krähenbühl and Koltun, ECCV 2014), which writes no file itself; in MATLAB, after its example.m:

    `superpixels = os.s(); save(NAME, 'props', 'superpixels')`. `props` [n, regions] says which regions each proposal
    consists of, `superpixels` [H, W] numbers them from 0 on.
    """
    content = _load(path, "GOP", ["props", "superpixels"])
    with _refusing(path, "GOP"):
        superpixels, members = _whole(content["superpixels"], 0), content["props"] > 0
        masks = (row[superpixels] for row in members)
        yield from _of_masks(id_of_file(path), masks, len(members))


def read_rigor(path: Path) -> Iterator[Result]:
    """RIGOR (Humayun et al., CVPR 2014), the files of rigor_obj_segments.m: `masks` [H, W, n]."""
    content = _load(path, "RIGOR", ["masks"])
    with _refusing(path, "RIGOR"):
        masks = np.atleast_3d(_whole(content["masks"], 0))
        yield from _of_masks(id_of_file(path), (masks[..., i] > 0 for i in range(masks.shape[2])), masks.shape[2])


def read_selective_search(path: Path) -> Iterator[Result]:
    """Selective Search (Uijlings et al., IJCV 2013): boxes without masks.

    `boxes` [n, 4] of one image; or a cell of such arrays, and their images' names in the cell `images`, as R-CNN and
    Fast R-CNN publish them. A box is top, left, bottom, right [px], all from 1 on and the last ones included.
    """
    content = _load(path, "Selective Search", ["boxes"], ["images"])
    with _refusing(path, "Selective Search"):
        if "images" not in content:
            yield from _of_boxes(id_of_file(path), content["boxes"])
            return
        names = [Path(str(name.item())).stem for name in _cell(content["images"])]
        if again := repeated(names):
            raise ValueError(f"it has {again[0]} twice")
        for name, boxes in zip(names, _cell(content["boxes"]), strict=True):
            yield from _of_boxes(id_of_text(name), boxes)


def _load(path: Path, program: str, needed: list[str], further: list[str] | None = None) -> dict[str, np.ndarray]:
    try:
        content = scipy.io.loadmat(str(path), variable_names=[*needed, *(further or [])])
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}.") from error
    except NotImplementedError as error:  # a file of version 7.3
        raise UserError(f"{path} is a MATLAB file of version 7.3: save it anew, save(..., '-v7').") from error
    except Exception as error:  # whatever the parser meets in another file
        raise UserError(f"{path} is no MATLAB file, or damaged.") from error
    if missing := [name for name in needed if name not in content]:
        raise UserError(f"{path} is no file of {program}: it has no variable {' and no '.join(missing)}.")
    return content


@contextlib.contextmanager
def _refusing(path: Path, program: str) -> Iterator[None]:
    """Around what interprets a file: makes what does not fit one sentence."""
    try:
        yield
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no file of {program}, or damaged: {error}.") from error


def _of_masks(
    image_id: ImageId, masks: Iterable[np.ndarray], count: int, scores: np.ndarray | None = None
) -> list[Result]:
    """Results for masks, bool [H, W], in their order; empty ones are left out."""
    rles = [encode(mask) for mask in masks]
    values = scores_of_order(count) if scores is None else scores.ravel()
    if len(values) != count:
        raise ValueError(f"{len(values)} scores of {count} proposals")
    height, width = rles[0]["size"] if rles else (0, 0)
    proposals = Proposals((height, width), values, rles)
    return proposals[areas(rles) > 0].to_coco(image_id)


def _of_boxes(image_id: ImageId, boxes: np.ndarray) -> list[Result]:
    """Results for boxes [n, 4] of top, left, bottom, right [px], from 1 on, the last included."""
    top, left, bottom, right = np.asarray(boxes, np.float64).reshape(len(boxes), 4).T
    xywh = np.stack([left - 1, top - 1, right - left + 1, bottom - top + 1], 1)
    if not (np.all(xywh[:, :2] >= 0) and np.all(xywh[:, 2:] > 0)):
        raise ValueError("a box is not top, left, bottom, right from 1 on")
    pairs = zip(xywh.tolist(), scores_of_order(len(xywh)).tolist(), strict=True)
    return [
        {"image_id": image_id, "category_id": 1, "bbox": box, "score": score, "rank": rank}
        for rank, (box, score) in enumerate(pairs)
    ]


def _whole(values: np.ndarray, least: int) -> np.ndarray:
    """Whole numbers, int64; raises ValueError where they are none, or smaller than `least`."""
    numbers = np.asarray(values).astype(np.int64)
    if numbers.size and (numbers.min() < least or np.any(numbers != values)):
        raise ValueError(f"whole numbers from {least} on are expected")
    return numbers


def _cell(values: np.ndarray) -> list[np.ndarray]:
    """The entries of a cell array."""
    if values.dtype != object:
        raise ValueError("a cell is expected")
    return list(values.ravel())
