"""Writes a network for others to run: a SavedModel for TensorFlow Serving, or its maps alone as ONNX.

python -m pipelines.export --weights=runs/first/best/model.weights.h5 --output=savedmodels/first
python -m pipelines.export --weights=runs/first/best/model.weights.h5 --output=first.onnx --format=onnx
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from pipelines import _cli, _network

flags.adopt_module_key_flags(_network)  # so that --help lists them
OUTPUT = flags.DEFINE_string(
    "output", None, "Folder of the model, to which each export adds a version; or the .onnx file.", required=True
)
FORMAT = flags.DEFINE_enum("format", "saved_model", ["saved_model", "onnx"], "What to write.")
MODEL_NAME = flags.DEFINE_string("model_name", "ifcn", "Name under which the server has the model, for its warm-up.")
MASKS = flags.DEFINE_enum("masks", "logits", ["logits", "probabilities"], "Form of the windows' masks.")
FULL_MASKS = flags.DEFINE_bool("full_masks", False, "Also answer masks at image size, one bit a pixel.")


def main() -> None:
    """Flags -> network -> SavedModel."""
    print(f"exporting {_network.WEIGHTS.value or 'the bundled weights'} into {OUTPUT.value}", flush=True)
    arguments = _network.arguments()
    _cli.import_tensorflow()
    from ifcn_tf.predictor import load_network

    if FORMAT.value == "onnx":
        _refuse_beside_onnx()
        from ifcn_tf.onnx_export import export_onnx

        path = Path(OUTPUT.value)
        export_onnx(*load_network(**{**arguments, "precision": "float32"}), path)
        print(path)
        return
    from ifcn_tf.export import export
    from ifcn_tf.serving_graph import ServingConfig

    serving = ServingConfig(MASKS.value, FULL_MASKS.value, _network.MAX_PIXELS.value)
    print(export(*load_network(**arguments), Path(OUTPUT.value), serving, MODEL_NAME.value))


def _refuse_beside_onnx() -> None:
    """Raises UserError on flags that an ONNX file has no place for."""
    from ifcn_tf.files import UserError

    fixed = (_network.PRECISION, _network.MAX_PIXELS, MODEL_NAME, MASKS, FULL_MASKS)
    if given := [f"--{flag.name}" for flag in fixed if flag.present]:
        raise UserError(f"{', '.join(given)} belong to a SavedModel: leave them out with --format=onnx.")


if __name__ == "__main__":
    _cli.run(main)
