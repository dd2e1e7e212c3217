"""The proposals of one image, as users hold them in their hands; needs no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.config.proposing import ShownConfig
from ifcn_tf.config.settings import require
from ifcn_tf.masks.paste import paste
from ifcn_tf.masks.rle import Rle, areas, decode, encode

#: What proposals without names are called.
OBJECT = "object"


@dataclasses.dataclass(frozen=True)
class Proposals:
    """Masks with scores, best first.

    Attributes:
        size_hw: size of the image [px].
        scores: float32 [n], in 0..1: objectness, or the IoU with an object that is to be expected, where the network
            has a score head; proposals that a better one overlaps then stand behind others of lower scores.
        rles: n masks of the image's size, as COCO's compressed run lengths; none is empty.
        category_ids: of proposals with names int64 [n], numbers of `categories`, and scores then are the probabilities
            that they are of these; else None.
        categories: names by number, of all categories that there are.
        class_scores: of proposals that were just named float32 [n, categories + 1], probability of each category in the
            order of `categories`, that of none first; else None.
    """

    size_hw: tuple[int, int]
    scores: np.ndarray
    rles: list[Rle]
    category_ids: np.ndarray | None = None
    categories: Mapping[int, str] = dataclasses.field(default_factory=dict)
    class_scores: np.ndarray | None = None

    @classmethod
    def from_windows(
        cls,
        scores: np.ndarray,
        windows_yxyx: np.ndarray,
        mask_logits: np.ndarray,
        size_hw: tuple[int, int],
        threshold: float,
        min_area: float = 0.0,
        **names: Any,
    ) -> Proposals:
        """Pastes what `Proposer` returns at image size; drops masks of less than `min_area` px^2, and empty ones.

        `names` are the attributes of proposals with names.
        """
        rles = paste(mask_logits, windows_yxyx, size_hw, threshold)
        pasted = cls(size_hw, np.asarray(scores), rles, **names)
        return pasted[pasted.areas() >= max(min_area, 1)]

    def __len__(self) -> int:
        return len(self.rles)

    def __getitem__(self, chosen: int | slice | Sequence[int] | np.ndarray) -> Proposals:
        """Some of the proposals: one, a slice, indices, or a mask of booleans."""
        if not isinstance(chosen, int | slice):
            chosen = np.asarray(chosen) if len(chosen) else np.zeros(0, int)
        indices = np.atleast_1d(np.arange(len(self))[chosen])
        ids, likely = (None if c is None else c[indices] for c in (self.category_ids, self.class_scores))
        rles = [self.rles[i] for i in indices]
        return Proposals(self.size_hw, self.scores[indices], rles, ids, self.categories, likely)

    @property
    def labels(self) -> list[str]:
        """What each proposal is: the name of its category, or "object" where they have none."""
        if self.category_ids is None:
            return [OBJECT] * len(self)
        return [self.categories.get(number, str(number)) for number in self.category_ids.tolist()]

    def masks(self) -> np.ndarray:
        """Binary masks, bool [n, H, W]: H * W bytes each, so take `proposals[:100].masks()` of large images."""
        return decode(self.rles, self.size_hw)

    def areas(self) -> np.ndarray:
        """Pixels of each mask, int64 [n]."""
        return areas(self.rles)

    def boxes_xywh(self) -> np.ndarray:
        """Tight boxes of the masks, float64 [n, 4]: COCO's left, top, width, height [px]."""
        return coco_mask.toBbox(self.rles) if self.rles else np.zeros((0, 4))

    def boxes_yxyx(self) -> np.ndarray:
        """Tight boxes of the masks, float64 [n, 4]: top, left, bottom, right [px], half-open."""
        x, y, width, height = self.boxes_xywh().T
        return np.stack([y, x, y + height, x + width], 1)

    def distinct(self, shown: ShownConfig | None = None) -> Proposals:
        """The best proposals that hardly overlap: what to show, or to hand to an annotator."""
        shown = shown or ShownConfig()
        return self[self.scores >= shown.min_score].apart(shown.count, shown.max_overlap)

    def apart(self, count: int, max_overlap: float = ShownConfig.max_overlap) -> Proposals:
        """The best `count` proposals of any score of which two share at most this part of the smaller one [0..1]."""
        areas, chosen = self.areas().astype(float), list[int]()
        for i in range(len(self)):
            if len(chosen) == count:
                break
            taken = [self.rles[j] for j in chosen]
            # With "crowd" truth pycocotools divides the intersection by the first mask's area alone.
            covered = coco_mask.iou([self.rles[i]], taken, [1] * len(taken))[0] * areas[i] if chosen else np.zeros(0)
            if np.all(covered <= max_overlap * np.minimum(areas[i], areas[chosen])):
                chosen.append(i)
        return self[chosen]

    def at(self, y: float, x: float) -> Proposals:
        """The proposals whose mask covers a point [px], that is the pixel which it lies in; in the order of `covering`.

        Raises:
            UserError: the point lies outside of the image.
        """
        height, width = self.size_hw
        require(
            0 <= y < height and 0 <= x < width,
            f"the point y = {y:g}, x = {x:g} lies outside of the image, which has {height} rows and {width} columns.",
        )
        pixel = np.zeros(self.size_hw, bool)
        pixel[int(y), int(x)] = True
        return self.covering(pixel)

    def within(self, box_yxyx: Sequence[float]) -> Proposals:
        """The proposals whose mask lies in a box: all of it, as its tight box does; in the order of `covering`.

        Args:
            box_yxyx: top, left, bottom, right [px], half-open; it may reach beyond the image.
        """
        inwards = (self.boxes_yxyx() - np.asarray(box_yxyx, float)) * (1, 1, -1, -1)
        return self._best_first(np.flatnonzero((inwards >= 0).all(1)))

    def covering(self, mask: np.ndarray) -> Proposals:
        """The proposals whose mask covers every pixel of a given one, such as a scribble on an object.

        They are ordered by score, highest first; of equal scores the smallest mask comes first.

        Args:
            mask: bool [H, W], of the image's size, with a pixel at least.

        Raises:
            UserError: a mask of another size, or an empty one.
        """
        mask = np.asarray(mask)
        require(
            mask.shape == self.size_hw, f"the mask is {mask.shape}, the image {self.size_hw} pixels (rows, columns)."
        )
        require(bool(mask.any()), "the mask to be covered has no pixel.")
        # With "crowd" truth pycocotools divides the intersection by the first mask's area alone.
        covered = coco_mask.iou([encode(mask)], self.rles, [1] * len(self))
        return self._best_first(np.reshape(covered, -1) == 1)

    def _best_first(self, chosen: np.ndarray) -> Proposals:
        some = self[chosen]
        return some[np.lexsort((some.areas(), -some.scores))]

    def to_coco(self, image_id: int | str) -> list[dict[str, Any]]:
        """COCO results with each one's rank, from 0: category 1 throughout, or the proposals' own and its name."""
        named = self.category_ids is not None
        numbers = self.category_ids.tolist() if self.category_ids is not None else [1] * len(self)
        columns = (self.rles, self.boxes_xywh().tolist(), self.scores, numbers, self.labels)
        return [
            {
                "image_id": image_id,
                "category_id": number,
                "segmentation": rle,
                "bbox": bbox,
                "score": round(float(score), 6),
                "rank": rank,
                **({"label": label} if named else {}),
            }
            for rank, (rle, bbox, score, number, label) in enumerate(zip(*columns, strict=True))
        ]
