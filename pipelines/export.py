"""Writes a SavedModel that TensorFlow Serving loads: encoded images in, proposals out; NAME/1, then NAME/2 and so on.

python -m pipelines.export --weights=runs/first/best/model.weights.h5 --output=savedmodels/first
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from pipelines import _cli, _network

flags.adopt_module_key_flags(_network)  # so that --help lists them
OUTPUT = flags.DEFINE_string("output", None, "Folder of the model; each export adds a version to it.", required=True)
MODEL_NAME = flags.DEFINE_string("model_name", "ifcn", "Name under which the server has the model, for its warm-up.")
MASKS = flags.DEFINE_enum("masks", "logits", ["logits", "probabilities"], "Form of the windows' masks.")
FULL_MASKS = flags.DEFINE_bool("full_masks", False, "Also answer masks at image size, one bit a pixel.")


def main() -> None:
    """Flags -> network -> SavedModel."""
    print(f"exporting {_network.WEIGHTS.value or 'the bundled weights'} into {OUTPUT.value}", flush=True)
    arguments = _network.arguments()
    _cli.import_tensorflow()
    from ifcn_tf.export import export
    from ifcn_tf.predictor import load_network
    from ifcn_tf.serving_graph import ServingConfig

    serving = ServingConfig(MASKS.value, FULL_MASKS.value, _network.MAX_PIXELS.value)
    print(export(*load_network(**arguments), Path(OUTPUT.value), serving, MODEL_NAME.value))


if __name__ == "__main__":
    _cli.run(main)
