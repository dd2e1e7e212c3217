"""What an evaluation hands to tables, plots and files."""

from __future__ import annotations

import dataclasses

from ifcn_tf.evaluation.measures import Curve, Measure
from ifcn_tf.evaluation.table import ObjectTable


@dataclasses.dataclass(frozen=True)
class KindEvaluation:
    """The recall of masks, or of boxes.

    Attributes:
        table: every object with the rank at which it is recalled.
        measures: for each of SIZES, one at each number of proposals.
        curves: for each of SIZES.
        categories: average recall [%] at each number of proposals, by category; empty if the truth has none.
    """

    table: ObjectTable
    measures: dict[str, list[Measure]]
    curves: dict[str, Curve]
    categories: dict[str, list[float]]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What one method's proposals recall.

    Attributes:
        name: of the method.
        kinds: "mask" (absent if the results are boxes only) and "box".
        num_proposals: of all images evaluated, before any limit.
        notes: what a reader should know, in sentences.
    """

    name: str
    kinds: dict[str, KindEvaluation]
    num_proposals: int
    notes: list[str]
