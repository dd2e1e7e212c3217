"""Proposes the objects of photographs by a method without a network; the files are those of propose.

python -m pipelines.baseline --method=selective_search --images=photos/ --output=masks
python -m pipelines.baseline --method=edge_boxes --edge_model=model.yml.gz --images=photos/ --output=boxes
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from ifcn_tf.baselines import EDGE_MODEL_SOURCE
from ifcn_tf.common.files import UserError
from ifcn_tf.images.files import MAX_PIXELS

from . import _cli, _images

if TYPE_CHECKING:
    from ifcn_tf.baselines.predictor import Baseline

flags.adopt_module_key_flags(_images)  # so that --help lists them
flags.set_default(_images.MIN_SCORE, 0.0)  # scores of these methods say an order, not a quality

METHOD = flags.DEFINE_enum(
    "method", None, ["selective_search", "edge_boxes"], "Regions, or boxes as masks.", required=True
)
EDGE_MODEL = flags.DEFINE_string(
    "edge_model", None, f"With --method=edge_boxes: the forest that finds edges, {EDGE_MODEL_SOURCE}."
)
COUNT = flags.DEFINE_integer("num_proposals", 1000, "Proposals kept an image.", 1)
MAX_PIXEL_COUNT = flags.DEFINE_integer("max_pixels", MAX_PIXELS, "Larger images are refused [px].", 1)


def main() -> int:
    """Flags -> method -> files."""
    paths = _images.found()
    predictor = _edge_boxes() if METHOD.value == "edge_boxes" else _selective_search()
    return _images.propose(_images.prompted(predictor), paths)


def _selective_search() -> Baseline:
    if EDGE_MODEL.value:
        raise UserError("--edge_model belongs to --method=edge_boxes: leave it out.")
    from ifcn_tf.baselines.predictor import selective_search_predictor

    return selective_search_predictor(COUNT.value, MAX_PIXEL_COUNT.value)


def _edge_boxes() -> Baseline:
    if not EDGE_MODEL.value:
        raise UserError(f"--method=edge_boxes needs --edge_model, {EDGE_MODEL_SOURCE}.")
    from ifcn_tf.baselines.predictor import edge_boxes_predictor

    print("NOTE: Edge Boxes proposes boxes, so each mask is a whole box.", flush=True)
    return edge_boxes_predictor(Path(EDGE_MODEL.value), COUNT.value, MAX_PIXEL_COUNT.value)


if __name__ == "__main__":
    _cli.run(main, _images.IMAGES)
