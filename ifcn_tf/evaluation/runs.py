"""Whether compressed run lengths fill their image: pycocotools does not ask, and loops for ever if they do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def are_whole(counts: Sequence[bytes], areas: np.ndarray) -> np.ndarray:
    """Whether the runs of each mask are non-negative and fill its image.

    COCO writes run m as the difference from run m - 2 (from m = 3 on), in groups of five bits from the lowest: a
    character is 48 + bits + 32 if more follow, and bit 16 of the last is the sign (maskApi.c, rleToString).

    Args:
        counts: compressed run lengths of n masks.
        areas: int [n], pixels of each mask's image.

    Returns:
        bool [n].
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
    # Weights make float64 sums, exact for areas below 2^53.
    return good & (np.bincount(mask, runs, len(counts)) == areas)


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
