"""Writes a network for others to run: a SavedModel for TensorFlow Serving, or a file for ONNX Runtime or LiteRT.

python -m pipelines.export --weights=runs/first/best/model.weights.h5 --output=savedmodels/first
python -m pipelines.export --weights=runs/first/best/model.weights.h5 --output=first.onnx --format=onnx
python -m pipelines.export --weights=runs/first/best/model.weights.h5 --output=first.tflite --format=litert
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from absl import flags

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import Precision

from . import _classes, _cli, _network

if TYPE_CHECKING:
    from ifcn_tf.config.proposing import ProposerConfig
    from ifcn_tf.models.method import WindowMethod

flags.adopt_module_key_flags(_classes)  # so that --help lists them
flags.adopt_module_key_flags(_network)
#: Of the files, by --format.
_SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Folder of the model, to which each export adds a version; or the .onnx or .tflite file.",
    required=True,
)
FORMAT = flags.DEFINE_enum("format", "saved_model", ["saved_model", *_SUFFIXES], "What to write.")
MODEL_NAME = flags.DEFINE_string("model_name", "ifcn", "Name under which the server has the model, for its warm-up.")
MASKS = flags.DEFINE_enum("masks", "logits", ["logits", "probabilities"], "Form of the windows' masks.")
FULL_MASKS = flags.DEFINE_bool("full_masks", False, "Also answer masks at image size, one bit a pixel.")


def main() -> None:
    """Flags -> network -> SavedModel or file."""
    path, arguments = Path(OUTPUT.value), _network.arguments()
    _require_matching_flags(path)
    print(f"exporting {arguments['weights'] or arguments['backbone_weights']} into {path}", flush=True)
    _cli.import_tensorflow()
    from ifcn_tf.models.weights import task_of
    from ifcn_tf.proposing.network import load_network

    if arguments["weights"] and task_of(arguments["weights"]) == "segmentation":
        return _export_segmentation(Path(arguments["weights"]), path)
    if FORMAT.value in _SUFFIXES:
        network, config = load_network(**{**arguments, "precision": "float32"})
        _file_exporter()(network, config, path)
        print(path)
        return
    from ifcn_tf.classifying.loading import load_classifier
    from ifcn_tf.saved_model.export import export
    from ifcn_tf.saved_model.signatures import ServingConfig

    serving = ServingConfig(MASKS.value, FULL_MASKS.value, _network.MAX_PIXELS.value)
    classifier = load_classifier(_classes.CLASSIFY.value, arguments["precision"]) if _classes.CLASSIFY.value else None
    print(export(*load_network(**arguments), path, serving, MODEL_NAME.value, classifier))


def _file_exporter() -> Callable[[WindowMethod, ProposerConfig, Path], None]:
    if FORMAT.value == "litert":
        from ifcn_tf.engines.litert_export import export_litert

        return export_litert
    from ifcn_tf.engines.onnx_export import export_onnx

    return export_onnx


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
    if FORMAT.value in _SUFFIXES and given:
        raise UserError(f"{', '.join(given)} belong to a SavedModel: leave them out with --format={FORMAT.value}.")
    if FORMAT.value in _SUFFIXES and path.suffix != _SUFFIXES[FORMAT.value]:
        raise UserError(f"--format={FORMAT.value} writes files named *{_SUFFIXES[FORMAT.value]}, not {path}.")
    for name, suffix in _SUFFIXES.items():
        if FORMAT.value == "saved_model" and path.suffix == suffix:
            raise UserError(f"{path} is the name of a file: add --format={name}, or name the folder of a SavedModel.")


if __name__ == "__main__":
    _cli.run(main)
