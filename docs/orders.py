"""Orders or votes otherwise than `default` does: python docs/orders.py HOW IMAGES OUTPUT, a folder each.

HOW is `boxes`, as `default` ranks: by the squared IoU with the best box of more merit; `masks`: by that of masks;
`sum`: by all boxes of more merit, added up; or `voted`: as `boxes`, and each of the first 150 masks is a mean of those
whose boxes overlap it. OUTPUT gets the files of `propose`. `docs/results.md` says what they brought.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from pycocotools import mask as coco_mask
from scipy import ndimage, special

from ifcn_tf.common.files import UserError
from ifcn_tf.config.settings import require
from ifcn_tf.masks.paste import logits, paste
from ifcn_tf.predictor import Predictor
from ifcn_tf.proposing.network import load_network, network_proposer, settings_of
from ifcn_tf.proposing.proposer import Proposer
from ifcn_tf.results.folder import find_images, propose_images
from ifcn_tf.results.output import Output

Arrays = dict[str, np.ndarray]
_VOTED, _VOTING_IOU, _OWN_VOTES, _POWER = 150, 0.7, 3, 4


@dataclasses.dataclass(frozen=True, eq=False)
class _ByMerit(Proposer):
    """Refines what `default` does, and answers by merit alone, with "merits" float32 [n]."""

    told: list[tf.Tensor] = dataclasses.field(default_factory=list)

    def _rank(self, kept: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        order, merits = super()._rank(kept)
        self.told.append(merits)
        return order, merits

    def ranked(self, image: tf.Tensor, kept: dict[str, tf.Tensor], refined: tf.Tensor | None) -> dict[str, tf.Tensor]:
        alone = dataclasses.replace(self, config=dataclasses.replace(self.config, overlap_penalty=0.0))
        found = super(_ByMerit, alone).ranked(image, kept, refined)
        return {**found, "merits": self.told[-1][: tf.size(found["scores"])]}


class _Ordered(Predictor):
    """`default`, whose proposals are ordered or vote as `how` says."""

    def __init__(self, how: str) -> None:
        network, config = load_network()
        proposer = network_proposer(network, config)
        by_merit = _ByMerit(**{field.name: getattr(proposer, field.name) for field in dataclasses.fields(proposer)})
        super().__init__(by_merit, {**settings_of(network, config), "ordered": how})
        self._how = how

    def _run(self, image: np.ndarray) -> Arrays:
        found = super()._run(image)
        if not len(found["merits"]):
            return found
        ious = _of_masks(found, image, self.config.mask_threshold) if self._how == "masks" else _of_boxes(found)
        squared = np.square(np.tril(ious, -1))  # those of more merit are before
        taken = squared.sum(1) if self._how == "sum" else squared.max(1)
        order = np.argsort(self.config.overlap_penalty * taken - found["merits"], kind="stable")
        found = {name: values[order] for name, values in found.items()}
        return _voted(found) if self._how == "voted" else found


def _of_boxes(found: Arrays) -> np.ndarray:
    tops = found["boxes_yxyx"][:, 1::-1]
    boxes = np.concatenate([tops, found["boxes_yxyx"][:, :1:-1] - tops], 1).astype(float)
    return coco_mask.iou(boxes, boxes, [0] * len(boxes))


def _of_masks(found: Arrays, image: np.ndarray, threshold: float) -> np.ndarray:
    rles = paste(found["mask_logits"], found["windows_yxyx"], image.shape[:2], threshold)
    return coco_mask.iou(rles, rles, [0] * len(rles))


def _voted(found: Arrays) -> Arrays:
    """The first masks as means of those that their boxes overlap, by powers of the scores, itself the most."""
    probabilities, ious = special.expit(found["mask_logits"]), _of_boxes(found)
    masks, votes = found["mask_logits"].copy(), found["scores"].astype(float) ** _POWER
    for i in range(min(_VOTED, len(masks))):
        others = np.flatnonzero(ious[i] >= _VOTING_IOU)
        weights = votes[others] * np.where(others == i, _OWN_VOTES, 1)
        seen = [_seen(probabilities[j], found["windows_yxyx"][j], found["windows_yxyx"][i]) for j in others]
        masks[i] = logits(np.average(seen, 0, weights))
    return {**found, "mask_logits": masks}


def _seen(probabilities: np.ndarray, window: np.ndarray, by: np.ndarray) -> np.ndarray:
    """The mask [m, m] of a window at the samples of another one."""
    samples = len(probabilities)
    at = [
        (by[side] + (np.arange(samples) + 0.5) / samples * (by[side + 2] - by[side]) - window[side])
        / (window[side + 2] - window[side])
        * samples
        - 0.5
        for side in (0, 1)
    ]
    return ndimage.map_coordinates(probabilities, np.meshgrid(*at, indexing="ij"), order=1, mode="constant")


def main(how: str, images: str, output: str) -> None:
    """Proposes for all images of a folder; raises UserError where one cannot be read."""
    failures = propose_images(_Ordered(how), find_images(images), Output(Path(output), ()))
    require(not failures, "; ".join(failure.reason for failure in failures))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("boxes", "masks", "sum", "voted"):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
