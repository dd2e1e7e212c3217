"""Which proposal recalls which object: the one step that pycocotools, or a faster evaluator, is asked to do.

Detections are matched greedily, best score first, each to the free object of highest IoU. So whether a proposal is
matched depends on better proposals only, and one run with the most proposals holds the answer for any smaller number:
an object is recalled at N if the proposal that is matched to it ranks among the first N.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ifcn_tf.annotations.example import MAX_AREA, Example
from ifcn_tf.common.files import UserError
from ifcn_tf.masks.rle import Rle

#: COCO's ten IoU thresholds, and 1, which only Hosang's integral uses.
THRESHOLDS = np.append(np.linspace(0.5, 0.95, 10), 1.0)
#: Size classes by area [px^2], inclusive as in pycocotools.
SIZES = {"all": (0.0, MAX_AREA), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, MAX_AREA)}
#: Id of the one category that all have where categories do not matter.
_OBJECT = 1
#: Rank of an object that no proposal recalls.
NEVER = np.iinfo(np.int32).max

#: Masks, or boxes as float64 [n, 4] (x, y, width, height).
Regions = list[Rle] | np.ndarray


@dataclasses.dataclass(frozen=True)
class Case:
    """One image and its D proposals, best first, masks or boxes."""

    image: Example
    proposals: Regions

    @property
    def objects(self) -> Regions:
        """The image's G objects, masks or boxes as the proposals are."""
        return self.image.rles if isinstance(self.proposals, list) else self.image.boxes_xywh


@dataclasses.dataclass(frozen=True)
class Match:
    """What a matcher says of one image.

    Attributes:
        ranks: int32 [sizes, G, thresholds], rank (from 0) of the proposal that recalls the object, or NEVER. An object
            outside of a size class, or a crowd, has no meaningful rank there.
        ious: float64 [D, G]; of a crowd, the part of the proposal that lies in it.
    """

    ranks: np.ndarray
    ious: np.ndarray


#: Matches images independently of each other.
Matcher = Callable[[Sequence[Case]], list[Match]]


def in_sizes(areas: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Which objects count in which size class, bool [sizes, G]."""
    return np.array([(low <= areas) & (areas <= high) & ~crowd for low, high in SIZES.values()])


def match_with_pycocotools(cases: Sequence[Case]) -> list[Match]:
    """The reference: COCOeval as it is."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = coco_dataset(cases)
        truth.createIndex()
        found = coco_detections(cases, [range(len(case.proposals)) for case in cases])
        if not found:
            return [_no_match(case) for case in cases]
        evaluation = COCOeval(truth, truth.loadRes(found), _iou_type(cases))
        evaluation.params.useCats = 0
        evaluation.params.maxDets = [max(len(case.proposals) for case in cases)]
        evaluation.params.iouThrs = THRESHOLDS
        evaluation.params.areaRng = [list(limits) for limits in SIZES.values()]
        evaluation.params.areaRngLbl = list(SIZES)
        evaluation.evaluate()
    ious = [np.reshape(evaluation.ious[i + 1, -1], (len(c.proposals), len(c.objects))) for i, c in enumerate(cases)]
    ranks = _ranks(evaluation.evalImgs, cases, [np.arange(len(case.proposals)) for case in cases])
    return [Match(*pair) for pair in zip(ranks, ious, strict=True)]


def match_with_hotcoco(cases: Sequence[Case]) -> list[Match]:
    """The same numbers faster: hotcoco matches those proposals only that reach the lowest threshold with an object.

    A proposal below it can be matched to nothing, and the ranks of the others are kept.

    Raises:
        UserError: hotcoco is not installed.
    """
    hotcoco = _import_hotcoco()
    ious = [pairwise_ious(case) for case in cases]
    chosen = [np.flatnonzero((iou >= THRESHOLDS[0]).any(1)) for iou in ious]
    found = coco_detections(cases, chosen)
    if not found:
        return [Match(_empty_ranks(case), iou) for case, iou in zip(cases, ious, strict=True)]
    truth = hotcoco.COCO(coco_dataset(cases))
    evaluation = hotcoco.COCOeval(truth, truth.load_res(found), _iou_type(cases))
    params = evaluation.params
    params.use_cats = False
    params.max_dets = [max(map(len, chosen))]
    params.iou_thrs = THRESHOLDS.tolist()
    params.area_rng = [list(limits) for limits in SIZES.values()]
    params.area_rng_lbl = list(SIZES)
    evaluation.params = params
    evaluation.evaluate()
    return [Match(*pair) for pair in zip(_ranks(evaluation.eval_imgs, cases, chosen), ious, strict=True)]


#: Matchers by the name that --backend takes.
MATCHERS: dict[str, Matcher] = {"pycocotools": match_with_pycocotools, "fast": match_with_hotcoco}


def _import_hotcoco() -> Any:
    try:
        return importlib.import_module("hotcoco")
    except ImportError as error:
        raise UserError("--backend=fast needs hotcoco: pip install 'ifcn-tf[fast]'.") from error


def _iou_type(cases: Sequence[Case]) -> str:
    return "segm" if isinstance(cases[0].proposals, list) else "bbox"


def pairwise_ious(case: Case) -> np.ndarray:
    """IoU of each proposal with each object, float64 [D, G]; of a crowd, the part of the proposal that lies in it."""
    if not (len(case.proposals) and len(case.objects)):
        return np.zeros((len(case.proposals), len(case.objects)))
    return coco_mask.iou(case.proposals, case.objects, case.image.crowd.tolist())


def _no_match(case: Case) -> Match:
    return Match(_empty_ranks(case), pairwise_ious(case))


def coco_dataset(cases: Sequence[Case], categories: Sequence[Sequence[int]] | None = None) -> dict[str, Any]:
    """COCO's form of the objects: ids from 1, since 0 means "no match".

    Args:
        cases: images with their objects.
        categories: ids of each image's objects; by default all are of one, so that no proposal is lost.
    """
    categories = categories or [[_OBJECT] * len(case.objects) for case in cases]
    annotations: list[dict[str, Any]] = []
    for i, case in enumerate(cases):
        columns = (case.objects, categories[i], case.image.areas.tolist(), case.image.crowd.tolist())
        for region, category, area, crowd in zip(*columns, strict=True):
            entry = {"id": len(annotations) + 1, "image_id": i + 1, "category_id": category, "iscrowd": int(crowd)}
            annotations.append(entry | {"area": area} | _region(region))
    sizes = [dict(zip(("height", "width"), case.image.size_hw, strict=True)) for case in cases]
    images = [{"id": i + 1, **size} for i, size in enumerate(sizes)]
    names = [{"id": category, "name": str(category)} for category in sorted({i for ids in categories for i in ids})]
    return {"images": images, "annotations": annotations, "categories": names, "info": {}}


def coco_detections(cases: Sequence[Case], chosen: Sequence[Sequence[int] | np.ndarray]) -> list[dict[str, Any]]:
    """COCO's form of chosen proposals; falling scores stand for their ranks, and ids follow their order from 1.

    Masks come without `bbox`, or pycocotools would take areas from the boxes.
    """
    return [
        {"image_id": i + 1, "category_id": _OBJECT, "score": -float(rank), **_region(case.proposals[rank])}
        for i, (case, ranks) in enumerate(zip(cases, chosen, strict=True))
        for rank in ranks
    ]


def _region(region: Any) -> dict[str, Any]:
    return {"segmentation": region} if isinstance(region, dict) else {"bbox": region.tolist()}


def _ranks(eval_imgs: Sequence[Any], cases: Sequence[Case], chosen: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Ranks from `evalImgs`: for each image and size class the detection matched to each object, 0 for none."""
    # Detection id d is proposal `rank_of[d]` of its image; annotation ids of image i begin at `first_object[i]`.
    rank_of = np.concatenate([[NEVER], *chosen]).astype(np.int64)
    first_object = np.cumsum([1] + [len(case.objects) for case in cases])
    ranks = [_empty_ranks(case) for case in cases]
    numbers = {limits: number for number, limits in enumerate(SIZES.values())}
    for entry in filter(None, eval_imgs):
        image = entry["image_id"] - 1
        objects = np.asarray(entry["gtIds"], np.int64) - first_object[image]
        matches = np.asarray(entry["gtMatches"], np.int64).reshape(len(THRESHOLDS), len(objects))
        ranks[image][numbers[tuple(entry["aRng"])], objects] = rank_of[matches].T
    return ranks


def _empty_ranks(case: Case) -> np.ndarray:
    return np.full((len(SIZES), len(case.objects), len(THRESHOLDS)), NEVER, np.int32)
