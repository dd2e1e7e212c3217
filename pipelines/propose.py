"""Proposes the objects of photographs: masks as COCO results, and a picture of each image.

python -m pipelines.propose --images=photo.jpg --output=masks
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from ifcn_tf.batch import find_images, propose_images, summary
from ifcn_tf.config import ShownConfig
from ifcn_tf.files import UserError
from pipelines import _cli, _network

if TYPE_CHECKING:
    from ifcn_tf.predictor import Predictor

SHOWN = ShownConfig()
flags.adopt_module_key_flags(_network)  # so that --help lists them

IMAGES = flags.DEFINE_string("images", None, "Image file, folder of images, or quoted pattern.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Folder for proposals.json and overlays/.", required=True)
SAVED_MODEL = flags.DEFINE_string("saved_model", None, "Instead of --weights: a folder that pipelines.export wrote.")
BACKBONE = flags.DEFINE_string("backbone_weights", None, "Instead of --weights: 'imagenet' or VGG-16 file; untrained.")
FORMAT = flags.DEFINE_multi_enum("format", [], ["binary_masks", "csv", "labelme"], "Further output; may be repeated.")
RESUME = flags.DEFINE_bool("resume", False, "Skip images that an earlier run with the same settings finished.")
COUNT = flags.DEFINE_integer("distinct", SHOWN.count, "Proposals shown: the best ones that hardly overlap.")
MIN_SCORE = flags.DEFINE_float("min_score", SHOWN.min_score, "Proposals shown: of this score or more.")


def main() -> int:
    """Flags -> predictor -> files."""
    paths, folder = find_images(IMAGES.value), Path(OUTPUT.value)
    print(f"proposing masks for {len(paths)} image(s) of {IMAGES.value} into {folder}", flush=True)
    predictor = _exported(SAVED_MODEL.value) if SAVED_MODEL.value else _from_weights()
    shown = ShownConfig(COUNT.value, MIN_SCORE.value)
    failures = propose_images(predictor, paths, folder, FORMAT.value, shown, RESUME.value)
    print(summary(folder, len(paths), failures))
    return 1 if failures else 0


def _from_weights() -> Predictor:
    if BACKBONE.value:
        print("NOTE: the weights are untrained, so these masks mean nothing.", flush=True)
    arguments = _network.arguments()
    _cli.import_tensorflow()
    from ifcn_tf.predictor import load

    return load(**arguments, backbone_weights=BACKBONE.value, max_pixels=_network.MAX_PIXELS.value)


def _exported(folder: str) -> Predictor:
    fixed = _network.given() + [BACKBONE.name] * BACKBONE.present
    if fixed:
        raise UserError(f"--saved_model has its own {fixed[0]}, fixed when it was exported: leave --{fixed[0]} out.")
    _cli.import_tensorflow()
    from ifcn_tf.predictor import load_saved_model

    return load_saved_model(folder)


if __name__ == "__main__":
    _cli.run(main)
