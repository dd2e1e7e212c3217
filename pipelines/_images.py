"""The flags that say which images, and what to write of them: the same for every command that proposes masks."""

from __future__ import annotations

from pathlib import Path

from absl import flags

from ifcn_tf.config.proposing import ShownConfig
from ifcn_tf.results.folder import AnyPredictor, find_images, left_out, propose_images, summary
from ifcn_tf.results.formats.registry import FORMATS
from ifcn_tf.results.overlays import OVERLAYS

_SHOWN = ShownConfig()

IMAGES = flags.DEFINE_multi_string(
    "images", [], "Image file, folder of images, or quoted pattern; may be repeated, and --images= left out."
)
OUTPUT = flags.DEFINE_string("output", "masks", "Folder for proposals.json and overlays/.")
DRAW = flags.DEFINE_bool(OVERLAYS, True, "Draw the proposals over each image.")
FORMAT = flags.DEFINE_multi_enum("format", [], list(FORMATS), "Further output, see convert --help; may be repeated.")
RESUME = flags.DEFINE_bool("resume", False, "Skip images that an earlier run with the same settings finished.")
COUNT = flags.DEFINE_integer("distinct", _SHOWN.count, "Proposals shown: the best ones that hardly overlap.")
MIN_SCORE = flags.DEFINE_float("min_score", _SHOWN.min_score, "Proposals shown: of this score or more.")
SIMPLIFY = flags.DEFINE_float(
    "simplify", 0.0, "Largest distance of polygons from the outlines of masks [px].", 0.0, 1e3
)


def found() -> list[Path]:
    """The image files; says what will be done with them. Raises UserError where there are none."""
    paths = find_images(*IMAGES.value)
    print(f"masks for {len(paths)} image(s) of {', '.join(IMAGES.value)} go into {OUTPUT.value}", flush=True)
    for others in filter(None, map(left_out, IMAGES.value)):
        print(others, flush=True)
    return paths


def propose(predictor: AnyPredictor, paths: list[Path], in_flight: int = 1) -> int:
    """Writes the proposals for the images and says what failed; returns the command's exit status."""
    folder, shown = Path(OUTPUT.value), ShownConfig(COUNT.value, MIN_SCORE.value)
    formats = [OVERLAYS] * DRAW.value + FORMAT.value
    failures = propose_images(predictor, paths, folder, formats, shown, RESUME.value, in_flight, SIMPLIFY.value)
    print(summary(folder, formats, len(paths), failures))
    return 1 if failures else 0
