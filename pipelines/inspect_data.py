"""Shows what the trainer sees: pictures of windows and targets, and the figures that matter.

python -m pipelines.inspect_data --data=prepared/coco --output=pictures --preset=quick

Whole images, not jittered, are shown at each scale; the preset `quick` trains on cuts of them, which --examples shows.
Dots are window centres: green positive, red negative, yellow ignored, as the legend says. Beside the photograph stand
positive windows, of each object one or of an example some, each above its target.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from ifcn_tf.config.network import require_windows

from . import _cli, _run_settings

flags.adopt_module_key_flags(_run_settings)  # so that --help lists them
DATA = flags.DEFINE_list("data", [], "Folders that prepare_data wrote.")
OUTPUT = flags.DEFINE_string("output", "", "Folder for the pictures, IMAGE_SCALE.png.")
PICTURES = flags.DEFINE_integer("pictures", 8, "Images to draw, each at every scale.", 0)
EXAMPLES = flags.DEFINE_integer(
    "examples", 0, "Training examples to draw, the first ones of a run: cut, with the windows that are sampled.", 0
)


def main() -> None:
    """Flags -> figures and pictures."""
    config = _run_settings.run_config()
    if _run_settings.printed(config):
        return
    _run_settings.require(DATA, OUTPUT)
    print(f"inspecting {', '.join(DATA.value)}; pictures into {OUTPUT.value}", flush=True)
    _cli.import_tensorflow()
    from ifcn_tf.data.inspection import save_examples, save_pictures, survey

    model = require_windows(config.model)
    folders, output = [Path(folder) for folder in DATA.value], Path(OUTPUT.value)
    print("\n".join(survey(folders, config.data, model.grid).lines(config.data)))
    save_pictures(folders, PICTURES.value, config.data, model.grid, output)
    save_examples(folders, EXAMPLES.value, config.data, model, config.train.seed, output)


if __name__ == "__main__":
    _cli.run(main)
