"""Writes a network for others to run: a SavedModel for TensorFlow Serving, or an ONNX file for all other runtimes.

python -m pipelines.export --weights=runs/first/best/model.weights.h5 --output=savedmodels/first
python -m pipelines.export --weights=runs/first/best/model.weights.h5 --output=first.onnx --format=onnx
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from absl import flags

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import Precision

from . import _classes, _cli, _network

flags.adopt_module_key_flags(_classes)  # so that --help lists them
flags.adopt_module_key_flags(_network)
OUTPUT = flags.DEFINE_string(
    "output", None, "Folder of the model, to which each export adds a version; or the .onnx file.", required=True
)
FORMAT = flags.DEFINE_enum("format", "saved_model", ["saved_model", "onnx"], "What to write.")
MODEL_NAME = flags.DEFINE_string("model_name", "ifcn", "Name under which the server has the model, for its warm-up.")
MASKS = flags.DEFINE_enum("masks", "logits", ["logits", "probabilities"], "Form of the windows' masks.")
FULL_MASKS = flags.DEFINE_bool("full_masks", False, "Also answer masks at image size, one bit a pixel.")


def main() -> None:
    """Flags -> network -> SavedModel or ONNX file."""
    path, arguments = Path(OUTPUT.value), _network.arguments()
    _require_matching_flags(path)
    print(f"exporting {arguments['weights'] or arguments['backbone_weights']} into {path}", flush=True)
    _cli.import_tensorflow()
    from ifcn_tf.models.weights import task_of
    from ifcn_tf.proposing.network import load_network

    if arguments["weights"] and task_of(arguments["weights"]) == "segmentation":
        return _export_segmentation(Path(arguments["weights"]), path)
    if FORMAT.value == "onnx":
        from ifcn_tf.engines.onnx_export import export_onnx

        network, config = load_network(**{**arguments, "precision": "float32"})
        export_onnx(network, config, path)
        print(path)
        return
    from ifcn_tf.classifying.loading import load_classifier
    from ifcn_tf.saved_model.export import export
    from ifcn_tf.saved_model.signatures import ServingConfig

    serving = ServingConfig(MASKS.value, FULL_MASKS.value, _network.MAX_PIXELS.value)
    classifier = load_classifier(_classes.CLASSIFY.value, arguments["precision"]) if _classes.CLASSIFY.value else None
    print(export(*load_network(**arguments), path, serving, MODEL_NAME.value, classifier))


def _export_segmentation(weights: Path, path: Path) -> None:
    from ifcn_tf.saved_model.export import export_segmentation
    from ifcn_tf.segmenting.segmenter import load_segmentation

    known = (_network.WEIGHTS, _network.PRECISION, _network.MAX_PIXELS)
    others = [f"--{name}" for name in _network.given() if name not in {flag.name for flag in known}]
    others += [f"--{flag.name}" for flag in (FORMAT, MASKS, FULL_MASKS, _classes.CLASSIFY) if flag.present]
    if others:
        raise UserError(f"{', '.join(others)}: leave out with {weights}, which proposes nothing.")
    network = load_segmentation(weights, cast(Precision, _network.PRECISION.value))
    print(export_segmentation(*network, path, _network.MAX_PIXELS.value, MODEL_NAME.value))


def _require_matching_flags(path: Path) -> None:
    """Raises UserError on flags, or a name of a file, that belong to the other format."""
    fixed = (_network.PRECISION, _network.MAX_PIXELS, MODEL_NAME, MASKS, FULL_MASKS, _classes.CLASSIFY)
    given = [f"--{flag.name}" for flag in fixed if flag.present]
    if FORMAT.value == "onnx" and given:
        raise UserError(f"{', '.join(given)} belong to a SavedModel: leave them out with --format=onnx.")
    if FORMAT.value == "saved_model" and path.suffix == ".onnx":
        raise UserError(f"{path} is the name of a file: add --format=onnx, or name the folder of a SavedModel.")


if __name__ == "__main__":
    _cli.run(main)
