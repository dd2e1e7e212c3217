"""The flags that say which network proposes, and how: the same for every command that loads one."""

from __future__ import annotations

from typing import Any, cast

from absl import flags

from ifcn_tf.common.files import UserError
from ifcn_tf.config.bundled import MODELS, model_weights
from ifcn_tf.config.network import TRUNKS, Precision
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.images import files

from . import _cli

MODEL = flags.DEFINE_string("model", "default", f"A bundled model: {', '.join(MODELS)}.")
WEIGHTS = flags.DEFINE_string("weights", None, "Instead of --model: a *.weights.h5 file with its config.json.")
BACKBONE = flags.DEFINE_string("backbone_weights", None, "Instead of --model: 'imagenet' or its file; untrained.")
TRUNK = flags.DEFINE_string("trunk", None, f"With --backbone_weights: the trunk, {', '.join(TRUNKS)}.")
K = flags.DEFINE_integer("k", None, "With --backbone_weights: relative positions a side, 3, 5 or 7; 5.")
SCORES = flags.DEFINE_string("score_weights", None, "Other weights, whose network scores the windows (DeepMask20*).")
PRECISION = flags.DEFINE_enum("precision", "auto", ["auto", "float32", "bfloat16"], "Arithmetic of the convolutions.")
MAX_PIXELS = flags.DEFINE_integer("max_pixels", files.MAX_PIXELS, "Larger images are refused [px].", 1)
SHORTER_SIDES = flags.DEFINE_list(
    "shorter_sides", [], "Scales: shorter sides [px]; the weights' own, or 119,178,267,400,600,900."
)
SCALE_FACTORS = flags.DEFINE_list(
    "scale_factors",
    [],
    "Scales instead, relative to the image's own shorter side; DeepMask's: 0.25,0.3536,0.5,0.7071,1,1.4142,2.",
)
NUM_PROPOSALS = flags.DEFINE_integer("num_proposals", None, "Proposals kept an image; 1000.")
#: Fields of ProposerConfig; what is not given comes from the config.json of the weights, else from ProposerConfig.
SETTINGS = (
    flags.DEFINE_integer(
        "blend_cells", None, "Average score maps so far from borders of parts; the weights' own, or 0."
    ),
    flags.DEFINE_float("mask_threshold", None, "A pixel of this probability is in the mask; the weights' own, or 0.4."),
    flags.DEFINE_float("nms_iou", None, "Of two boxes with a higher IoU the better stays; the weights' own, or 0.8."),
    flags.DEFINE_float(
        "confidence_weight", None, "Weight of a mask's mean probability in its score; the weights' own, or 0."
    ),
    flags.DEFINE_float(
        "overlap_penalty", None, "What overlap with a better box takes from a proposal; the weights' own, or 0."
    ),
    NUM_PROPOSALS,
    flags.DEFINE_integer(
        "num_ranked", None, "Proposals that suppression leaves to be ranked; the weights' own, or 1000."
    ),
    flags.DEFINE_integer(
        "num_refined", None, "Proposals whose masks a refiner corrects, the best; the weights' own, or 1000."
    ),
    flags.DEFINE_integer("pre_nms", None, "Best windows that enter suppression; the weights' own, or 12000."),
    flags.DEFINE_integer(
        "edge_samples",
        None,
        "Fit masks to the colours, so many samples a cell's side; 0: do not; with a refiner 2 or 0.",
    ),
    flags.DEFINE_float(
        "focus_threshold",
        None,
        "Look at fine scales where this share is expected to show objects; 0: everywhere.",
    ),
    flags.DEFINE_bool("flip", None, "Average over image and mirror image, in twice the time; the weights' own, or no."),
    flags.DEFINE_float("min_area", None, "Smaller masks are dropped [px^2]; 0, only empty ones."),
)
#: Which network it is.
NAMING = (MODEL, WEIGHTS, BACKBONE, TRUNK, K, SCORES)
_ALL = (*NAMING, PRECISION, MAX_PIXELS, SHORTER_SIDES, SCALE_FACTORS, *SETTINGS)


def arguments(start: ProposerConfig | None = None) -> dict[str, Any]:
    """The flags as keyword arguments of `proposing.network.load_network`; raises UserError on a wrong one.

    They change single fields of `start`; without it what is not given is left to the weights' own settings.
    """
    if MODEL.present and (WEIGHTS.value or BACKBONE.value):
        raise UserError("give --model, --weights or --backbone_weights: each says which network proposes.")
    settings: dict[str, Any] = {flag.name: flag.value for flag in SETTINGS if flag.value is not None}
    if SHORTER_SIDES.value and SCALE_FACTORS.value:
        raise UserError("give --shorter_sides or --scale_factors, not both: each names all scales.")
    if SHORTER_SIDES.value:
        settings["shorter_sides"] = _cli.integers(SHORTER_SIDES)
    if SCALE_FACTORS.value:
        settings["scale_factors"] = _cli.numbers(SCALE_FACTORS)
    if start:
        settings = start.changed(settings).to_dict()
    bundled = None if BACKBONE.value else model_weights(MODEL.value)
    return {
        "weights": WEIGHTS.value or bundled,
        "backbone_weights": BACKBONE.value,
        "trunk": TRUNK.value,
        "k": K.value,
        "score_weights": SCORES.value,
        "precision": cast(Precision, PRECISION.value),
        **settings,
    }


def given() -> list[str]:
    """Names of those flags that stand on the command line."""
    return [flag.name for flag in _ALL if flag.present]
