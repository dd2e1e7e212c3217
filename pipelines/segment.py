"""Names the class of each pixel of photographs: label images with VOC's colours, and pictures with a legend.

python -m pipelines.segment --weights=runs/fcn8/best/model.weights.h5 photo.jpg
python -m pipelines.segment --weights=runs/fcn8/best/model.weights.h5 --images=photos/ --output=segments
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from absl import flags

from ifcn_tf.config.network import Precision
from ifcn_tf.images.files import MAX_PIXELS
from ifcn_tf.results.classes import segment_images
from ifcn_tf.results.folder import find_images, left_out

from . import _cli

IMAGES = flags.DEFINE_multi_string(
    "images", [], "Image file, folder of images, or quoted pattern; may be repeated, and --images= left out."
)
WEIGHTS = flags.DEFINE_string("weights", None, "A *.weights.h5 file of fcn, with its config.json.", required=True)
OUTPUT = flags.DEFINE_string("output", "segments", "Folder for labels/ and overlays/.")
OVERLAYS = flags.DEFINE_bool("overlays", True, "Draw the classes over each image, with their names.")
PROBABILITIES = flags.DEFINE_bool("probabilities", False, "Also write how likely each class is at each pixel, as npz.")
SHORTER_SIDE = flags.DEFINE_integer(
    "shorter_side", None, "Shorter side at which the network sees an image [px]; the weights' own, or 0: as it is."
)
PRECISION = flags.DEFINE_enum("precision", "auto", ["auto", "float32", "bfloat16"], "Arithmetic of the convolutions.")
MAX_IMAGE = flags.DEFINE_integer("max_pixels", MAX_PIXELS, "Larger images are refused [px].", 1)


def main() -> int:
    """Flags -> segmenter -> files."""
    _cli.bound_memory()
    paths, output = find_images(*IMAGES.value), Path(OUTPUT.value)
    print(f"classes of {len(paths)} image(s) of {', '.join(IMAGES.value)} go into {output}", flush=True)
    for others in filter(None, map(left_out, IMAGES.value)):
        print(others, flush=True)
    _cli.import_tensorflow()
    from ifcn_tf.segmenting.segmenter import load_segmenter

    settings = {} if SHORTER_SIDE.value is None else {"shorter_side": SHORTER_SIDE.value}
    precision = cast(Precision, PRECISION.value)
    segmenter = load_segmenter(WEIGHTS.value, precision=precision, max_pixels=MAX_IMAGE.value, **settings)
    failures = segment_images(segmenter, paths, output, OVERLAYS.value, PROBABILITIES.value)
    print(f"{len(paths) - len(failures)} of {len(paths)} image(s) done: {output / 'labels'}")
    for failure in failures:
        print(f"failed: {failure.reason}")
    return 1 if failures else 0


if __name__ == "__main__":
    _cli.run(main, IMAGES)
