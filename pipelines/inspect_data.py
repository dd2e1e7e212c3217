"""Shows what the trainer sees: pictures of windows and targets, and the figures that matter.

python -m pipelines.inspect_data --data=prepared/coco --output=pictures

Dots are window centres: green positive, red negative, yellow ignored. Beside the photograph stands one positive window
of each object, above its target.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from ifcn_tf.train_config import DataConfig
from pipelines import _cli

DATA = flags.DEFINE_list("data", None, "Folders that prepare_data wrote.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Folder for the pictures, IMAGE_SCALE.png.", required=True)
PICTURES = flags.DEFINE_integer("pictures", 8, "Images to draw, each at every scale.", 0)
SHORTER_SIDES = flags.DEFINE_list(
    "shorter_sides", [str(side) for side in DataConfig().shorter_sides], "Scales: the image's shorter side [px]."
)
SIDE_TOLERANCE = flags.DEFINE_float(
    "side_tolerance", DataConfig().side_tolerance, "An object fits when its longer side is 128 px within this factor."
)


def main() -> None:
    """Flags -> figures and pictures."""
    print(f"inspecting {', '.join(DATA.value)}; pictures into {OUTPUT.value}", flush=True)
    config = DataConfig(shorter_sides=_cli.integers(SHORTER_SIDES), side_tolerance=SIDE_TOLERANCE.value)
    _cli.import_tensorflow()
    from ifcn_tf.data.inspection import save_pictures, survey

    folders = [Path(folder) for folder in DATA.value]
    print("\n".join(survey(folders, config).lines(config)))
    save_pictures(folders, PICTURES.value, config, Path(OUTPUT.value))


if __name__ == "__main__":
    _cli.run(main)
