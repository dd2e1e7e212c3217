"""Proposes the objects of photographs: masks as COCO results, and a picture of each image.

python -m pipelines.propose --images=photo.jpg --output=masks
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from absl import flags

from ifcn_tf.batch import find_images, propose_images, summary
from ifcn_tf.config import Precision, ShownConfig
from pipelines import _cli

SHOWN = ShownConfig()

IMAGES = flags.DEFINE_string("images", None, "Image file, folder of images, or quoted pattern.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Folder for proposals.json and overlays/.", required=True)
WEIGHTS = flags.DEFINE_string("weights", None, "A *.weights.h5 file with its config.json; by default the bundled one.")
BACKBONE = flags.DEFINE_string("backbone_weights", None, "Instead of --weights: 'imagenet' or VGG-16 file; untrained.")
K = flags.DEFINE_integer("k", None, "Relative positions a side (3, 5 or 7), where no config.json says it.")
FORMAT = flags.DEFINE_multi_enum("format", [], ["binary_masks", "csv", "labelme"], "Further output; may be repeated.")
RESUME = flags.DEFINE_bool("resume", False, "Skip images that an earlier run with the same settings finished.")
COUNT = flags.DEFINE_integer("distinct", SHOWN.count, "Proposals shown: the best ones that hardly overlap.")
MIN_SCORE = flags.DEFINE_float("min_score", SHOWN.min_score, "Proposals shown: of this score or more.")
PRECISION = flags.DEFINE_enum("precision", "auto", ["auto", "float32", "bfloat16"], "Arithmetic of the convolutions.")
MAX_PIXELS = flags.DEFINE_integer("max_pixels", 100_000_000, "Larger images are refused [px].", 1)
SHORTER_SIDES = flags.DEFINE_list("shorter_sides", [], "Scales: shorter sides [px]; 119,178,267,400,600,900.")
#: Fields of ProposerConfig; what is not given comes from the config.json of the weights, else from ProposerConfig.
SETTINGS = (
    flags.DEFINE_float("mask_threshold", None, "A pixel of this probability is in the mask; what suits the weights."),
    flags.DEFINE_float("nms_iou", None, "Of two boxes with a higher IoU the better stays; 0.8."),
    flags.DEFINE_float("confidence_weight", None, "What the mean probability of a mask counts in its score; 0."),
    flags.DEFINE_float("overlap_penalty", None, "What overlap with a better box takes from it; 0 in the paper."),
    flags.DEFINE_integer("num_proposals", None, "Proposals kept an image; 1000."),
    flags.DEFINE_integer("pre_nms", None, "Best windows that enter non-maximum suppression; 12000."),
    flags.DEFINE_float("min_area", None, "Smaller masks are dropped [px^2]; 0, only empty ones."),
)


def main() -> int:
    """Flags -> predictor -> files."""
    paths, folder = find_images(IMAGES.value), Path(OUTPUT.value)
    print(f"proposing masks for {len(paths)} image(s) of {IMAGES.value} into {folder}", flush=True)
    if BACKBONE.value:
        print("NOTE: the weights are untrained, so these masks mean nothing.", flush=True)
    settings: dict[str, Any] = {flag.name: flag.value for flag in SETTINGS if flag.value is not None}
    if SHORTER_SIDES.value:
        settings["shorter_sides"] = _cli.integers(SHORTER_SIDES)
    _cli.import_tensorflow()
    from ifcn_tf.predictor import load

    predictor = load(
        WEIGHTS.value,
        backbone_weights=BACKBONE.value,
        k=K.value,
        precision=cast(Precision, PRECISION.value),
        max_pixels=MAX_PIXELS.value,
        **settings,
    )
    shown = ShownConfig(COUNT.value, MIN_SCORE.value)
    failures = propose_images(predictor, paths, folder, FORMAT.value, shown, RESUME.value)
    print(summary(folder, len(paths), failures))
    return 1 if failures else 0


if __name__ == "__main__":
    _cli.run(main)
