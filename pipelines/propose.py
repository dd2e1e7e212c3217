"""Proposes the objects of photographs: masks as COCO results, and a picture of each image.

python -m pipelines.propose photo.jpg
python -m pipelines.propose --images=photos/ --output=masks
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from absl import flags

from ifcn_tf.common.files import UserError

from . import _cli, _images, _network

if TYPE_CHECKING:
    from ifcn_tf.predictor import Predictor

flags.adopt_module_key_flags(_images)  # so that --help lists them
flags.adopt_module_key_flags(_network)

SAVED_MODEL = flags.DEFINE_string("saved_model", None, "Instead of --model: a folder that pipelines.export wrote.")


def main() -> int:
    """Flags -> predictor -> files."""
    _cli.bound_memory()
    paths = _images.found()
    predictor = _exported(SAVED_MODEL.value) if SAVED_MODEL.value else _from_weights()
    return _images.propose(predictor, paths)


def _from_weights() -> Predictor:
    if _network.BACKBONE.value:
        print("NOTE: the weights are untrained, so these masks mean nothing.", flush=True)
    arguments = _network.arguments()
    _cli.import_tensorflow()
    from ifcn_tf.predictor import load

    return load(**arguments, max_pixels=_network.MAX_PIXELS.value)


def _exported(folder: str) -> Predictor:
    fixed = _network.given()
    if fixed:
        raise UserError(f"--saved_model has its own {fixed[0]}, fixed when it was exported: leave --{fixed[0]} out.")
    _cli.import_tensorflow()
    from ifcn_tf.predictor import load_saved_model

    return load_saved_model(folder)


if __name__ == "__main__":
    _cli.run(main, _images.IMAGES)
