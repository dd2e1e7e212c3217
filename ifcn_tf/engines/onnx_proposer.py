"""The proposer in NumPy: `proposer.Proposer` step by step, around the maps that any runtime computes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.onnx_edges import follow_edges
from ifcn_tf.engines.onnx_images import resize
from ifcn_tf.geometry import OUTSIDE_LOGIT, WindowGrid, blended_bins
from ifcn_tf.masks.paste import PROBABILITY_MARGIN, logit

Arrays = dict[str, np.ndarray]
#: The network alone: image float32 [1, H, W, 3], RGB in 0..255 -> logits, float32: score maps [1, h, w, k * k] and
#: objectness [1, h, w].
Network = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class _Scale(NamedTuple):
    """One image of the pyramid."""

    score_maps: np.ndarray  # float32 [h, w, k * k]
    objectness: np.ndarray  # float32 [h, w]
    pixel_hw: np.ndarray  # float32 [2], pixels of the original image per pixel of this one


@dataclasses.dataclass(frozen=True)
class NumpyProposer:
    """Proposes the objects of an image with InstanceFCN's maps (section 3.3, "Inference").

    Attributes:
        network: from an image to its maps.
        config: scales, thresholds and counts.
        k: relative positions a side.
        grid: the windows.
    """

    network: Network
    config: ProposerConfig
    k: int
    grid: WindowGrid

    def __call__(self, image: np.ndarray) -> Arrays:
        """Image uint8 [H, W, 3], RGB -> what `Proposer.__call__` returns, as arrays."""
        proposals = self._select(self.best_windows(image), image.shape[:2])
        places, samples = proposals.pop("places"), self.config.edge_samples
        if samples:
            pyramid_hw, masks = self.config.pyramid_hw(*image.shape[:2]), proposals["mask_logits"]
            masks = follow_edges(masks, places, image, pyramid_hw, self.grid.window_px, samples)
            proposals["mask_logits"] = masks
        return proposals

    def best_windows(self, image: np.ndarray) -> Arrays:
        """The windows of highest objectness over all scales, as `Proposer.best_windows` returns them."""
        scales = [self._maps(image, *size) for size in self.config.pyramid_hw(*image.shape[:2])]
        logits = np.concatenate([scale.objectness.ravel() for scale in scales])
        best = np.argsort(-logits, kind="stable")[: self.config.pre_nms]
        offset, candidates = 0, []
        for number, scale in enumerate(scales):
            chosen = best[(best >= offset) & (best < offset + scale.objectness.size)] - offset
            candidates.append(self._windows(scale, number, chosen))
            offset += scale.objectness.size
        return {name: np.concatenate([scale[name] for scale in candidates]) for name in candidates[0]}

    def _maps(self, image: np.ndarray, height: int, width: int) -> _Scale:
        score_maps, objectness = self.network(resize(image, height, width)[None])
        return _Scale(score_maps[0], objectness[0], (np.array(image.shape[:2]) / (height, width)).astype(np.float32))

    def _windows(self, scale: _Scale, number: int, chosen: np.ndarray) -> Arrays:
        """Logits, masks and places of those windows of a scale, itself numbered, that are `chosen`, row by row."""
        windows = np.stack(np.unravel_index(chosen, scale.objectness.shape), 1)
        corners = self.grid.extent(windows)
        return {
            "logits": scale.objectness.ravel()[chosen],
            "mask_logits": assemble(scale.score_maps, windows, self.k, self.grid.mask_cells, self.config.blend_cells),
            "windows_yxyx": np.concatenate([c.astype(np.float32) * scale.pixel_hw for c in corners], 1),
            "places": np.insert(corners[0], 0, number, axis=1),
        }

    def _select(self, candidates: Arrays, size_hw: tuple[int, ...]) -> Arrays:
        """Drops empty and small masks, then suppresses duplicates."""
        inside = candidates["mask_logits"] >= np.float32(logit(self.config.mask_threshold))
        windows = candidates["windows_yxyx"]
        boxes = np.clip(tight_boxes(inside, windows), 0, np.tile(np.array(size_hw, np.float32), 2))
        cells = inside.sum((1, 2), dtype=np.float32)
        area = cells * (windows[:, 2:] - windows[:, :2]).prod(1) / np.float32(self.grid.mask_cells**2)
        usable = np.flatnonzero((cells > 0) & (area >= self.config.min_area))
        suppressing = non_max_suppression(
            boxes[usable], candidates["logits"][usable], self.config.post_nms, self.config.nms_iou
        )
        proposals = {**candidates, "boxes_yxyx": boxes}
        return self._ranked({name: values[usable[suppressing]] for name, values in proposals.items()})

    def _ranked(self, kept: Arrays) -> Arrays:
        """The proposals with their scores, best first."""
        merits = merit(kept.pop("logits"), kept["mask_logits"], self.config)
        order, left = ranked(merits, kept["boxes_yxyx"], self.config.overlap_penalty)
        first = {name: values[order[: self.config.num_proposals]] for name, values in kept.items()}
        return first | {"scores": special.expit(left[: self.config.num_proposals])}


def merit(logits: np.ndarray, mask_logits: np.ndarray, config: ProposerConfig) -> np.ndarray:
    """`ranking.merit`: float32 [n], [n, m, m] -> float32 [n]."""
    if not config.confidence_weight:
        return logits
    inside = mask_logits >= np.float32(logit(config.mask_threshold))
    mean = (special.expit(mask_logits) * inside).sum((1, 2)) / np.maximum(inside.sum((1, 2)), 1)
    mean = np.clip(mean, PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
    return (logits + config.confidence_weight * special.logit(mean)).astype(np.float32)


def ranked(merits: np.ndarray, boxes_yxyx: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """`ranking.ranked`: float32 [n], [n, 4] -> int [n], float32 [n]."""
    order = np.argsort(-merits, kind="stable")
    left, boxes = merits[order], boxes_yxyx[order]
    if penalty:
        overlaps = [_ious(box, boxes[:i]).max(initial=0) for i, box in enumerate(boxes)]
        left = left - np.float32(penalty) * np.square(overlaps, dtype=np.float32)
    again = np.argsort(-left, kind="stable")
    return order[again], left[again]


def assemble(score_maps: np.ndarray, windows: np.ndarray, k: int, cells: int, blend_cells: int = 0) -> np.ndarray:
    """`assemble_blended` in NumPy, for one image.

    Args:
        score_maps: float32 [h, w, k * k], logits.
        windows: int [N, 2], centre cells (y, x) on the map.
        k, cells, blend_cells: as there.

    Returns:
        float32 [N, cells, cells]; cells outside the map hold OUTSIDE_LOGIT.
    """
    margin = cells // 2
    padded = np.pad(score_maps, ((margin, margin), (margin, margin), (0, 0)), constant_values=OUTSIDE_LOGIT)
    rows, columns = (windows[:, axis, None] + np.arange(cells) for axis in (0, 1))
    sides = blended_bins(k, cells, blend_cells)
    parts = [
        padded[rows[:, :, None], columns[:, None, :], row_bins[:, None] * k + column_bins]
        * (row_shares[:, None] * column_shares)
        for row_bins, row_shares in sides
        for column_bins, column_shares in sides
    ]
    return np.sum(parts, 0)


def tight_boxes(inside: np.ndarray, windows_yxyx: np.ndarray) -> np.ndarray:
    """`proposer.tight_boxes`: bool [N, m, m] and float32 [N, 4] -> float32 [N, 4]."""
    resolution = inside.shape[1]
    first, end = [], []
    for other_axis in (2, 1):
        occupied = np.any(inside, other_axis)
        first.append(np.argmax(occupied, 1))
        end.append(resolution - np.argmax(np.flip(occupied, 1), 1))
    fractions = (np.stack(first + end, 1) / resolution).astype(np.float32)
    top_left, bottom_right = windows_yxyx[:, :2], windows_yxyx[:, 2:]
    return np.tile(top_left, 2) + np.tile(bottom_right - top_left, 2) * fractions


def non_max_suppression(boxes_yxyx: np.ndarray, scores: np.ndarray, count: int, iou: float) -> np.ndarray:
    """What `tf.image.non_max_suppression` gives: of boxes that overlap by more than `iou` the better one stays.

    Args:
        boxes_yxyx: float32 [n, 4].
        scores: float32 [n]; of equal ones the first is better.
        count: at most so many boxes are kept.
        iou: intersection over union [0..1].

    Returns:
        int [at most count], indices of the kept boxes, best first.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, kept = boxes_yxyx[order], list[int]()
    while len(order) and len(kept) < count:
        kept.append(order[0])
        stays = _ious(boxes[0], boxes[1:]) <= np.float32(iou)
        order, boxes = order[1:][stays], boxes[1:][stays]
    return np.array(kept, np.int64)


def _ious(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box [4] with others [n, 4]; 0 where one has no area."""
    sides = np.maximum(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0)
    intersection = sides[:, 0] * sides[:, 1]
    area, areas = (box[2:] - box[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(1)
    return np.where((area > 0) & (areas > 0), intersection / np.maximum(area + areas - intersection, 1e-30), 0)
