"""Average recall of a network in training."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from ifcn_tf.annotations.example import Example
from ifcn_tf.data.photographs import pixels_of
from ifcn_tf.evaluation.matching import Case, match_with_pycocotools
from ifcn_tf.evaluation.measures import percent
from ifcn_tf.evaluation.table import ObjectTable
from ifcn_tf.proposals import Proposals

#: Numbers of proposals, the papers' N.
LIMITS = (10, 100, 1000)
#: COCO's, over which recall is averaged.
_THRESHOLDS = 10


def average_recalls(propose: Callable[[np.ndarray], Proposals], images: Iterable[Example]) -> dict[str, float]:
    """Measures the average recall of proposals, as `evaluate` does (section 4.1).

    Args:
        propose: `Predictor.propose`, or anything else that proposes the objects of an image uint8 [H, W, 3].
        images: photographs with their objects.

    Returns:
        AR at 10, 100 and 1000 proposals an image [%]: "ar@10", "ar@100", "ar@1000".
    """
    cases = [Case(example, propose(pixels_of(example)).rles) for example in images]
    matches = match_with_pycocotools(cases)
    table = ObjectTable.concatenate(
        [
            ObjectTable.of_image(number, case.image, match, LIMITS)
            for number, (case, match) in enumerate(zip(cases, matches, strict=True))
        ]
    )
    recalled, objects = table.recalled_up_to("all", np.array(LIMITS))
    recalls = percent(recalled, _THRESHOLDS * objects)
    return {f"ar@{limit}": float(recall) for limit, recall in zip(LIMITS, recalls, strict=True)}
