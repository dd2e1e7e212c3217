"""Converts proposals into what annotation tools and other programs read; needs no network.

python -m pipelines.convert --input=masks/proposals.json --images=photos/ --to=cvat --output=cvat.xml --distinct=20
python -m pipelines.convert --input=masks/proposals.json --images=photos/ --to=labelme --output=labelme --simplify=1
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from absl import flags

from ifcn_tf.common.ids import id_of_file
from ifcn_tf.common.progress import track
from ifcn_tf.results.convert import READERS, chosen
from ifcn_tf.results.folder import find_images
from ifcn_tf.results.formats.image_proposals import ImageProposals, Images
from ifcn_tf.results.formats.registry import FORMATS, write_whole

from . import _cli

_LIST = " ".join(f"{name}: {form.summary}" for name, form in FORMATS.items())

FROM = flags.DEFINE_enum("from", "coco_results", list(READERS), "What the input is.")
TO = flags.DEFINE_enum("to", None, list(FORMATS), f"What to write. {_LIST}", required=True)
INPUT = flags.DEFINE_string("input", None, "File, or quoted pattern of several; may be gzipped.", required=True)
IMAGES = flags.DEFINE_multi_string("images", [], "Photographs: file, folder or quoted pattern; may be repeated.")
OUTPUT = flags.DEFINE_string("output", None, "File to write, or new folder where a format has many.", required=True)
MIN_SCORE = flags.DEFINE_float("min_score", float("-inf"), "Lowest score of what is written; all by default.")
DISTINCT = flags.DEFINE_integer("distinct", None, "Only the best so many of an image that hardly overlap.", 1)
SIMPLIFY = flags.DEFINE_float(
    "simplify", 0.0, "Largest distance of polygons from the outlines of masks [px].", 0.0, 1e3
)


def main() -> None:
    """Flags -> photographs with their proposals -> files."""
    paths = {id_of_file(path): path for path in find_images(*IMAGES.value)}
    print(f"converting {INPUT.value} into {OUTPUT.value} ({TO.value})", flush=True)
    images = chosen(READERS[FROM.value](INPUT.value, paths), MIN_SCORE.value, DISTINCT.value)
    counts: list[int] = []
    write_whole(TO.value, _counted(track(images, len(paths), "converting"), counts), Path(OUTPUT.value), SIMPLIFY.value)
    print(f"{sum(counts)} masks of {len(counts)} image(s): {OUTPUT.value}")


def _counted(images: Images, counts: list[int]) -> Iterator[ImageProposals]:
    for image in images:
        counts.append(len(image.proposals))
        yield image


if __name__ == "__main__":
    _cli.run(main)
