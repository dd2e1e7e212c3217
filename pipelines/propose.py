"""Proposes the objects of photographs: masks as COCO results, and a picture of each image.

python -m pipelines.propose --images=photo.jpg --output=masks --weights=model.weights.h5
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from absl import flags

from ifcn_tf.batch import find_images, propose_images, summary
from ifcn_tf.config import Precision, ProposerConfig
from ifcn_tf.proposals import DISTINCT
from pipelines import _cli

DEFAULT = ProposerConfig()

IMAGES = flags.DEFINE_string("images", None, "Image file, folder of images, or quoted pattern.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Folder for proposals.json and overlays/.", required=True)
WEIGHTS = flags.DEFINE_string("weights", None, "Trained *.weights.h5 file; its config.json is read from beside it.")
BACKBONE = flags.DEFINE_string("backbone_weights", None, "Without --weights: 'imagenet', or a file of VGG-16 weights.")
K = flags.DEFINE_integer("k", None, "Relative positions a side (3, 5 or 7), where no config.json says it.")
FORMAT = flags.DEFINE_multi_enum("format", [], ["binary_masks", "csv", "labelme"], "Further output; may be repeated.")
RESUME = flags.DEFINE_bool("resume", False, "Skip images that an earlier run with the same settings finished.")
SHOWN = flags.DEFINE_integer("distinct", DISTINCT, "Proposals shown: the best ones that hardly overlap.", 1)
PRECISION = flags.DEFINE_enum("precision", "auto", ["auto", "float32", "bfloat16"], "Arithmetic of the convolutions.")
MAX_PIXELS = flags.DEFINE_integer("max_pixels", 100_000_000, "Larger images are refused [px].", 1)
SHORTER_SIDES = flags.DEFINE_list(
    "shorter_sides", [str(side) for side in DEFAULT.shorter_sides], "Scales: the image's shorter side [px]."
)
THRESHOLD = flags.DEFINE_float("mask_threshold", DEFAULT.mask_threshold, "A pixel of this probability is in the mask.")
NMS_IOU = flags.DEFINE_float("nms_iou", DEFAULT.nms_iou, "Of two boxes with a higher IoU the better stays.")
NUM_PROPOSALS = flags.DEFINE_integer("num_proposals", DEFAULT.num_proposals, "Proposals kept an image.")
PRE_NMS = flags.DEFINE_integer("pre_nms", DEFAULT.pre_nms, "Best windows that enter non-maximum suppression.")
MIN_AREA = flags.DEFINE_float("min_area", DEFAULT.min_area, "Smaller masks are dropped [px^2].")


def main() -> int:
    """Flags -> predictor -> files."""
    paths, folder = find_images(IMAGES.value), Path(OUTPUT.value)
    print(f"proposing masks for {len(paths)} image(s) of {IMAGES.value} into {folder}", flush=True)
    if not WEIGHTS.value:
        print(
            "NOTE: the weights are untrained, so these masks mean nothing. Give trained ones with --weights.",
            flush=True,
        )
    _cli.import_tensorflow()
    from ifcn_tf.predictor import load

    predictor = load(
        WEIGHTS.value,
        backbone_weights=BACKBONE.value,
        k=K.value,
        precision=cast(Precision, PRECISION.value),
        max_pixels=MAX_PIXELS.value,
        shorter_sides=_cli.integers(SHORTER_SIDES),
        num_proposals=NUM_PROPOSALS.value,
        mask_threshold=THRESHOLD.value,
        nms_iou=NMS_IOU.value,
        pre_nms=PRE_NMS.value,
        min_area=MIN_AREA.value,
    )
    failures = propose_images(predictor, paths, folder, FORMAT.value, SHOWN.value, RESUME.value)
    print(summary(folder, len(paths), failures))
    return 1 if failures else 0


if __name__ == "__main__":
    _cli.run(main)
