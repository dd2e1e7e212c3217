"""Selective Search (Uijlings et al., IJCV 2013) with its regions: OpenCV's own hands out their boxes alone.

OpenCV segments the picture and says how alike two regions are. The grouping, which is where a region is known, and the
order are here. Settings are those of OpenCV's "fast": two colour spaces, three initial segmentations, two measures.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ifcn_tf.baselines.opencv import cv2
from ifcn_tf.baselines.order import scores_of_order
from ifcn_tf.masks.rle import Rle, encode
from ifcn_tf.proposals import Proposals

_SEGMENTATION = cv2.ximgproc.segmentation
_COLOURS = (cv2.COLOR_RGB2HSV, cv2.COLOR_RGB2Lab)
#: Thresholds k of the initial segmentation (Felzenszwalb and Huttenlocher): a larger one leaves larger regions.
_THRESHOLDS = (150.0, 300.0, 450.0)
#: Smoothing before the initial segmentation, standard deviation [px].
_SIGMA = 0.8
#: Smaller initial regions join a neighbour [px].
_MIN_SIZE = 100


class Hierarchy(NamedTuple):
    """Regions of one grouping, in the order in which they arose: those of the segmentation, then the joined ones.

    Attributes:
        places: int32 [H, W], a number of each pixel's initial region; numbers of a joined region follow each other.
        spans: int64 [n, 2], the first number of each region, and the one behind its last.
    """

    places: np.ndarray
    spans: np.ndarray

    def mask(self, region: int) -> np.ndarray:
        """A region, bool [H, W]."""
        first, end = self.spans[region]
        return (self.places >= first) & (self.places < end)


def selective_search(image: np.ndarray, count: int) -> Proposals:
    """Proposes the regions of all hierarchies, each once.

    The order is the paper's (section 3.3): a region's position, counted from the last one that arose in its hierarchy,
    times a random number. The numbers are the same for every image, so that a picture always has the same proposals.

    Args:
        image: uint8 [H, W, 3], RGB.
        count: proposals that are kept.

    Returns:
        The proposals; scores say their order alone, from 1 down.
    """
    hierarchies = list(find_hierarchies(image))
    sizes = [len(hierarchy.spans) for hierarchy in hierarchies]
    positions = np.concatenate([np.arange(size, 0, -1) for size in sizes])
    owner = np.repeat(np.arange(len(sizes)), sizes)
    region = np.concatenate([np.arange(size) for size in sizes])
    masks = dict[str, Rle]()
    for i in np.argsort(np.random.default_rng(0).random(len(positions)) * positions, kind="stable").tolist():
        rle = encode(hierarchies[owner[i]].mask(region[i]))
        masks.setdefault(rle["counts"], rle)
        if len(masks) == count:
            break
    height, width = image.shape[:2]
    return Proposals((height, width), scores_of_order(len(masks)), list(masks.values()))


def find_hierarchies(image: np.ndarray) -> Iterator[Hierarchy]:
    """Groups the regions of an image, uint8 [H, W, 3], RGB, by each colour space, segmentation and measure in turn."""
    for colour in _COLOURS:
        converted = cv2.cvtColor(image, colour)
        for threshold in _THRESHOLDS:
            labels = _SEGMENTATION.createGraphSegmentation(_SIGMA, threshold, _MIN_SIZE).processImage(converted)
            for measure in _measures():
                yield _hierarchy(labels, _join(converted, labels, measure))


def _measures() -> list[Any]:
    """Colour, fill, texture and size together, and without colour; each has its own parts, since these hold state."""
    color, fill, texture, size = (
        getattr(_SEGMENTATION, f"createSelectiveSearchSegmentationStrategy{name}")
        for name in ("Color", "Fill", "Texture", "Size")
    )
    several = _SEGMENTATION.createSelectiveSearchSegmentationStrategyMultiple
    return [several(color(), fill(), texture(), size()), several(fill(), texture(), size())]


def _join(image: np.ndarray, labels: np.ndarray, measure: Any) -> list[tuple[int, int]]:
    """Joins the two neighbours that are most alike until none is left; names the pairs, a new region is numbered last.

    A measure keeps one row for each initial region: of a joined one, that of the lower row of the two. It reads `sizes`
    by reference.
    """
    sizes = np.bincount(labels.ravel()).astype(np.int32)[:, None]
    measure.setImage(image, labels, sizes, -1)
    neighbours = _neighbours(labels, len(sizes))
    row = list(range(len(sizes)))
    candidates = [(-measure.get(a, b), a, b) for a, others in enumerate(neighbours) for b in others if a < b]
    heapq.heapify(candidates)
    pairs = list[tuple[int, int]]()
    while candidates:
        _, a, b = heapq.heappop(candidates)
        if not (neighbours[a] and neighbours[b]):  # one of them was joined before
            continue
        pairs.append((a, b))
        measure.merge(row[a], row[b])
        sizes[[row[a], row[b]]] = sizes[row[a]] + sizes[row[b]]
        joined = len(row)
        row.append(min(row[a], row[b]))
        neighbours.append((neighbours[a] | neighbours[b]) - {a, b})
        neighbours[a], neighbours[b] = set(), set()
        for other in neighbours[joined]:
            neighbours[other] = (neighbours[other] - {a, b}) | {joined}
            heapq.heappush(candidates, (-measure.get(row[joined], row[other]), other, joined))
    return pairs


def _neighbours(labels: np.ndarray, count: int) -> list[set[int]]:
    """The regions that touch each region: left, above, or left above a pixel."""
    here, left, above, corner = labels[1:, 1:], labels[1:, :-1], labels[:-1, 1:], labels[:-1, :-1]
    pairs = np.unique([here.astype(np.int64) * count + other for other in (left, above, corner)])
    neighbours: list[set[int]] = [set() for _ in range(count)]
    for a, b in zip((pairs // count).tolist(), (pairs % count).tolist(), strict=True):
        if a != b:
            neighbours[a].add(b)
            neighbours[b].add(a)
    return neighbours


def _hierarchy(labels: np.ndarray, pairs: list[tuple[int, int]]) -> Hierarchy:
    """Numbers the initial regions such that those of any joined one follow each other."""
    initial = int(labels.max()) + 1
    counts = [1] * initial
    for a, b in pairs:
        counts.append(counts[a] + counts[b])
    joined = {region for pair in pairs for region in pair}
    roots = [region for region in range(len(counts)) if region not in joined]
    first = dict(zip(roots, np.cumsum([0, *(counts[root] for root in roots)]).tolist(), strict=False))
    for region, (a, b) in reversed(list(enumerate(pairs, start=initial))):
        first[a], first[b] = first[region], first[region] + counts[a]
    starts = np.array([first[region] for region in range(len(counts))])
    return Hierarchy(np.asfortranarray(starts.astype(np.int32)[labels]), np.stack([starts, starts + counts], 1))
