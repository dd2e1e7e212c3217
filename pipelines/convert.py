"""Converts proposals from the files of one program to those of another; needs no network.

python -m pipelines.convert --input=masks/proposals.json --images=photos/ --to=cvat --output=cvat.xml --distinct=20
python -m pipelines.convert --input=masks/proposals.json --images=photos/ --to=labelme --output=labelme --simplify=1
python -m pipelines.convert --from=mcg --input=MCG-COCO-val2014/ --to=coco --output=mcg.json
python -m pipelines.convert --from=mnc --input=res_boxes.pkl --names=val.txt --images=img/ --to=coco --output=mnc.json
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from absl import flags

from ifcn_tf.baselines.importers import IMPORTERS, import_results
from ifcn_tf.common.files import UserError
from ifcn_tf.common.ids import id_of_file
from ifcn_tf.common.progress import track
from ifcn_tf.results.convert import READERS, chosen
from ifcn_tf.results.folder import find_images
from ifcn_tf.results.formats.image_proposals import ImageProposals, Images
from ifcn_tf.results.formats.registry import FORMATS, require_writable, write_whole

from . import _cli

_LIST = " ".join(f"{name}: {form.summary}" for name, form in FORMATS.items())

FROM = flags.DEFINE_enum(
    "from", "coco_results", [*READERS, *IMPORTERS], "What the input is: COCO results, or files of another program."
)
TO = flags.DEFINE_enum(
    "to", None, list(FORMATS), f"What to write; of another program's files coco alone. {_LIST}", required=True
)
INPUT = flags.DEFINE_string(
    "input", None, "File, or quoted pattern of several; of another program also their folder.", required=True
)
OUTPUT = flags.DEFINE_string("output", None, "File to write, or new folder where a format has many.", required=True)
IMAGES = flags.DEFINE_multi_string(
    "images", [], "With --from=coco_results or mnc: the photographs; file, folder or quoted pattern; may be repeated."
)
NAMES = flags.DEFINE_string("names", None, "With --from=mnc: text file of image names, in the order of MNC's run.")
MIN_SCORE = flags.DEFINE_float(
    "min_score", float("-inf"), "With --from=coco_results: lowest score of what is written; all by default."
)
DISTINCT = flags.DEFINE_integer(
    "distinct", None, "With --from=coco_results: only the best so many of an image that hardly overlap.", 1
)
SIMPLIFY = flags.DEFINE_float(
    "simplify", 0.0, "With --from=coco_results: largest distance of polygons from the outlines of masks [px].", 0.0, 1e3
)

#: The flags that belong to some inputs alone.
_FLAGS_OF = {"coco_results": ["images", "min_score", "distinct", "simplify"], "mnc": ["images", "names"]}


def main() -> None:
    """Flags -> proposals of some program -> files."""
    _require_flags_that_belong()
    if FROM.value in IMPORTERS:
        count = import_results(FROM.value, INPUT.value, Path(OUTPUT.value), **_options())
        print(f"{count} {IMPORTERS[FROM.value].form} in {OUTPUT.value}")
    else:
        _convert()


def _require_flags_that_belong() -> None:
    for name in itertools.chain(*_FLAGS_OF.values()):
        if flags.FLAGS[name].present and name not in _FLAGS_OF.get(FROM.value, []):
            owners = " or ".join(f"--from={source}" for source, own in _FLAGS_OF.items() if name in own)
            raise UserError(f"--{name} belongs to {owners}, not to --from={FROM.value}: leave it out.")
    if FROM.value in IMPORTERS and TO.value != "coco":
        raise UserError(f"--from={FROM.value} becomes --to=coco alone: convert what that writes to {TO.value}.")


def _options() -> dict[str, Any]:
    """Further arguments of a program's reader; raises UserError where they are missing."""
    if FROM.value != "mnc":
        return {}
    if not (NAMES.value and IMAGES.value):
        raise UserError("--from=mnc needs --names and --images: MNC's files know neither names nor sizes of images.")
    return {"names": Path(NAMES.value), "images": find_images(*IMAGES.value)}


def _convert() -> None:
    """COCO results -> photographs with their proposals -> files of a format."""
    paths = {id_of_file(path): path for path in find_images(*IMAGES.value)}
    require_writable([TO.value], list(paths.values()))
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
