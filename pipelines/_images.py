"""The flags that say which images, and what to write of them: the same for every command that proposes masks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from absl import flags

from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import PromptConfig, ShownConfig
from ifcn_tf.images.bucket import is_address
from ifcn_tf.results.folder import AnyPredictor, Finish, Output, find_images, left_out, propose_images, summary
from ifcn_tf.results.formats.pictures import STYLES
from ifcn_tf.results.formats.registry import FORMATS
from ifcn_tf.results.prompts import Prompted

from . import _cli

_SHOWN = ShownConfig()

IMAGES = flags.DEFINE_multi_string(
    "images",
    [],
    "Image file, folder of images, quoted pattern, or s3://BUCKET/FOLDER; may be repeated, and --images= left out.",
)
OUTPUT = flags.DEFINE_string("output", "masks", "Folder for proposals.json and overlays/.")
OVERLAY = flags.DEFINE_enum("overlay", "masks", ["none", *STYLES.values()], "How proposals are drawn over each image.")
FORMAT = flags.DEFINE_multi_enum(
    "format", [], sorted(FORMATS.keys() - STYLES), "Further output, see convert --help; may be repeated."
)
SIMPLIFY = flags.DEFINE_float(
    "simplify", 0.0, "Largest distance of polygons from the outlines of masks [px].", 0.0, 1e3
)
RESUME = flags.DEFINE_bool("resume", False, "Skip images that an earlier run with the same settings finished.")
COUNT = flags.DEFINE_integer("distinct", _SHOWN.count, "Proposals shown: the best ones that hardly overlap.")
MIN_SCORE = flags.DEFINE_float("min_score", _SHOWN.min_score, "Proposals shown: of this score or more.")
POINT = flags.DEFINE_list("point", [], "Y,X [px]: keep only proposals whose mask covers this point.")
BOX = flags.DEFINE_list("box", [], "TOP,LEFT,BOTTOM,RIGHT [px]: keep only proposals whose mask lies in this box.")


def found() -> list[Path]:
    """The image files; says what is done with them. Raises UserError where there are none, or on a wrong prompt."""
    _prompt()
    paths = find_images(*IMAGES.value)
    print(f"masks for {len(paths)} image(s) of {', '.join(IMAGES.value)} go into {OUTPUT.value}", flush=True)
    for others in filter(None, map(left_out, IMAGES.value)):
        print(others, flush=True)
    return paths


def propose(
    predictor: AnyPredictor,
    paths: list[Path],
    finish: Finish | None = None,
    places: dict[str, Any] | None = None,
    start: ShownConfig = _SHOWN,
) -> int:
    """Writes the proposals for the images and says what failed; returns the command's exit status.

    `finish` is `propose_images`'; flags change single fields of `start`, and run.json says the places.
    """
    written = output(start)
    failures = propose_images(predictor, paths, written, finish, RESUME.value, places)
    print(summary(written, len(paths), failures))
    return 1 if failures else 0


def output(start: ShownConfig) -> Output:
    """What is written of the images, and where."""
    if is_address(OUTPUT.value):
        raise UserError(f"--output={OUTPUT.value}: the output is a folder of a disk, not of a bucket.")
    names = [name for name, style in STYLES.items() if style == OVERLAY.value] + FORMAT.value
    shown = dataclasses.replace(start, count=COUNT.value, min_score=MIN_SCORE.value)
    return Output(Path(OUTPUT.value), names, shown, SIMPLIFY.value)


def prompted(predictor: AnyPredictor) -> AnyPredictor:
    """The predictor, or one of what is pointed at."""
    return Prompted(predictor, _prompt()) if POINT.value or BOX.value else predictor


def _prompt() -> PromptConfig:
    return PromptConfig(_cli.numbers(POINT), _cli.numbers(BOX))
