"""Converts proposals from the files of one program to those of another.

python -m pipelines.convert --from=mcg --input=MCG-COCO-val2014/ --output=mcg.json
python -m pipelines.convert --from=mnc --input=res_boxes.pkl --names=val.txt --images=img/ --output=mnc.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from absl import flags

from ifcn_tf.baselines.importers import IMPORTERS, import_results
from ifcn_tf.common.files import UserError

from . import _cli

FROM = flags.DEFINE_enum("from", None, list(IMPORTERS), "The program that wrote the files.", required=True)
TO = flags.DEFINE_enum("to", "coco", ["coco"], "COCO results, which pipelines.evaluate measures.")
INPUT = flags.DEFINE_string("input", None, "File, folder of files, or quoted pattern.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write.", required=True)
NAMES = flags.DEFINE_string("names", None, "With --from=mnc: text file of image names, in the order of MNC's run.")
IMAGES = flags.DEFINE_string("images", None, "With --from=mnc: the photographs, which say how large masks are.")


def main() -> None:
    """Flags -> importer -> file."""
    count = import_results(FROM.value, INPUT.value, Path(OUTPUT.value), **_options())
    print(f"{count} {IMPORTERS[FROM.value].form} in {OUTPUT.value}")


def _options() -> dict[str, Any]:
    """Further arguments of the program's reader; raises UserError where they are missing or do not belong there."""
    if FROM.value != "mnc":
        if NAMES.value or IMAGES.value:
            raise UserError(f"--names and --images belong to --from=mnc, not to --from={FROM.value}: leave them out.")
        return {}
    if not (NAMES.value and IMAGES.value):
        raise UserError("--from=mnc needs --names and --images: MNC's files know neither names nor sizes of images.")
    return {"names": Path(NAMES.value), "images": IMAGES.value}


if __name__ == "__main__":
    _cli.run(main)
