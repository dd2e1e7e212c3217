"""Masks as COCO's run lengths: column by column, compressed by pycocotools."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from pycocotools import mask as coco_mask


class Rle(TypedDict):
    """A mask as COCO's compressed run lengths."""

    size: list[int]
    counts: str


def areas(rles: Sequence[Rle]) -> np.ndarray:
    """Pixels of each mask, int64 [N]."""
    # One at a time: pycocotools' own loop fails on more than 255 masks under NumPy 2.
    return np.array([coco_mask.area(rle) for rle in rles], np.int64)


def decode(rles: Sequence[Rle], size_hw: tuple[int, int]) -> np.ndarray:
    """Binary masks, bool [N, H, W]; ask for few at a time, each takes H * W bytes."""
    if not rles:
        return np.zeros((0, *size_hw), bool)
    return coco_mask.decode(list(rles)).transpose(2, 0, 1).astype(bool)


def encode(mask: np.ndarray) -> Rle:
    """A binary mask [H, W]."""
    rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return Rle(size=list(mask.shape), counts=rle["counts"].decode())


def tight_box_xywh(rle: Rle) -> tuple[int, int, int, int]:
    """Left, top, width and height [px] of the smallest box around a mask; all 0 of an empty one."""
    left, top, width, height = map(round, coco_mask.toBbox(rle).tolist())
    return left, top, width, height


def within_box(rle: Rle) -> tuple[tuple[int, int], np.ndarray]:
    """Left and top of a mask's tight box [px], and the mask within it, bool [height, width]."""
    left, top, width, height = tight_box_xywh(rle)
    mask = decode([rle], (rle["size"][0], rle["size"][1]))[0]
    return (left, top), mask[top : top + height, left : left + width]


def runs_by_rows(mask: np.ndarray) -> list[int]:
    """Runs of a binary mask [H, W] row by row, alternating between background and mask from background on."""
    return run_lengths([encode(mask.T)])[0].tolist()


def from_run_lengths(runs: Sequence[int] | np.ndarray, size_hw: tuple[int, int]) -> Rle:
    """A mask by its runs [px]: column by column, alternating between background and mask from background on."""
    rle = coco_mask.frPyObjects({"size": list(size_hw), "counts": runs}, *size_hw)
    return Rle(size=list(size_hw), counts=rle["counts"].decode())


def run_lengths(rles: Sequence[Rle]) -> list[np.ndarray]:
    """The runs of each mask, int64, as `from_run_lengths` takes them; they sum to height * width."""
    runs, mask, _ = _runs([rle["counts"].encode() for rle in rles])
    return np.split(runs, np.searchsorted(mask, np.arange(1, len(rles)))) if rles else []


class OutsideError(ValueError):
    """A polygon reaches too far outside its image."""


def from_polygons(polygons: Sequence[Sequence[float]], size_hw: tuple[int, int], overhang: float) -> Rle:
    """The union of polygons (x, y, x, y, ...) [px], as pycocotools rasterizes them.

    Args:
        polygons: at least one; pycocotools crashes the process where coordinates are huge, hence the limit.
        size_hw: of the image [px].
        overhang: how far vertices may lie outside it [px].

    Raises:
        OutsideError: a vertex is further outside.
        ValueError: a polygon has fewer than three points or half a point, or a coordinate is NaN.
    """
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f"a polygon of {len(polygon)} numbers")
        xy = np.reshape(np.asarray(polygon, np.float64), (-1, 2))
        if np.isnan(xy).any():
            raise ValueError("a polygon with a coordinate that is NaN")
        if np.any(xy < -overhang) or np.any(xy > np.array(size_hw[::-1]) + overhang):
            raise OutsideError(f"x, y in {xy.min(0).tolist()} .. {xy.max(0).tolist()}, image {size_hw[::-1]}")
    union = coco_mask.merge(coco_mask.frPyObjects(polygons, *size_hw))
    return Rle(size=list(size_hw), counts=union["counts"].decode())


def are_whole(counts: Sequence[bytes], areas: np.ndarray) -> np.ndarray:
    """Whether the runs of each mask are non-negative and fill its image.

    Ask this of masks from outside first: pycocotools does not, and loops for ever or reads foreign memory.

    Args:
        counts: compressed run lengths of n masks.
        areas: int [n], pixels of each mask's image.

    Returns:
        bool [n].
    """
    return _fill(*_runs(counts), areas)


def whole_masks(counts: Sequence[bytes], size_hw: tuple[int, int]) -> list[Rle | None]:
    """Masks of one image by their compressed run lengths, None where `are_whole` says no.

    Every run but the first is at least one pixel long: of other masks pycocotools misjudges the overlap.
    """
    runs, mask, good = _runs(counts)
    whole = _fill(runs, mask, good, np.full(len(counts), math.prod(size_hw)))
    has_empty_run = np.zeros(len(counts), bool)
    has_empty_run[mask[(runs == 0) & (np.diff(mask, prepend=-1) == 0)]] = True
    masks: list[Rle | None] = []
    for text, is_whole, encode_anew in zip(counts, whole.tolist(), has_empty_run.tolist(), strict=True):
        rle = Rle(size=list(size_hw), counts=text.decode()) if is_whole else None
        masks.append(encode(coco_mask.decode(rle)) if rle and encode_anew else rle)
    return masks


def _fill(runs: np.ndarray, mask: np.ndarray, good: np.ndarray, areas: np.ndarray) -> np.ndarray:
    # Weights make float64 sums, exact for areas below 2^53.
    return good & (np.bincount(mask, runs, len(good)) == areas)


def _runs(counts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run lengths of masks, one mask after the other.

    COCO writes run m as the difference from run m - 2 (from m = 3 on), in groups of five bits from the lowest: a
    character is 48 + bits + 32 if more follow, and bit 16 of the last is the sign (maskApi.c, rleToString).

    Returns:
        The runs, int64 [r]; the mask of each, int64 [r]; whether a mask's text is complete and without negative runs,
        bool [n]. Of a text that is not complete there is no run.
    """
    lengths = np.fromiter(map(len, counts), np.int64, len(counts))
    good = lengths > 0
    codes = np.frombuffer(b"".join(counts), np.uint8).astype(np.int64) - 48
    last = (codes & 32) == 0
    ends = np.cumsum(lengths)[good] - 1
    good[good] &= last[ends] if len(ends) else True
    owner = np.repeat(np.arange(len(counts)), lengths)
    good[owner[(codes < 0) | (codes > 63)]] = False
    usable = good[owner]
    differences, mask = _values(codes[usable], last[usable], owner[usable])
    runs = _undo_differences(differences, mask)
    good[mask[runs < 0]] = False
    return runs, mask, good


def _values(codes: np.ndarray, last: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signed numbers of a text whose numbers are all complete, and the mask of each."""
    end = np.flatnonzero(last)
    start = np.append(0, end[:-1] + 1)[: len(end)]
    digit = np.minimum(np.arange(len(codes)) - np.repeat(start, end - start + 1), 11)  # 12 digits fill 60 bits
    sums = np.append(0, np.cumsum((codes & 31) << (5 * digit)))
    negative = (codes[end] & 16) > 0
    return sums[end + 1] - sums[start] - (negative << (5 * (digit[end] + 1))), owner[end]


def _undo_differences(differences: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Run lengths from their differences: a running sum over every other run of a mask, without its run 0."""
    first = np.flatnonzero(np.diff(mask, prepend=-1))
    position = np.arange(len(mask)) - np.repeat(first, np.diff(np.append(first, len(mask))))
    runs = differences.copy()
    for parity in (0, 1):
        chosen = np.flatnonzero((position % 2 == parity) & (position > 0))
        total = np.cumsum(differences[chosen])
        begins = np.flatnonzero(np.diff(mask[chosen], prepend=-1))
        before = np.append(0, total)[begins]
        runs[chosen] = total - np.repeat(before, np.diff(np.append(begins, len(chosen))))
    return runs
