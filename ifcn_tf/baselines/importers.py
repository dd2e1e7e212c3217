"""Proposals that the programs of others wrote, as COCO results: what `pipelines.evaluate` measures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ifcn_tf.baselines.json_files import read_deepmask, read_sam
from ifcn_tf.baselines.mat_files import read_gop, read_mcg, read_rigor, read_selective_search
from ifcn_tf.baselines.mnc import read_mnc
from ifcn_tf.common.files import UserError, atomic_write
from ifcn_tf.common.ids import id_of_file, repeated
from ifcn_tf.common.progress import track


class Importer(NamedTuple):
    """How the files of a program are read.

    Attributes:
        read: yields COCO results of one file; raises UserError, one sentence that names it, when it is another.
        files: which files of a folder are the program's.
        form: what the results are, "masks" or "boxes".
    """

    read: Callable[..., Iterator[dict[str, Any]]]
    files: str
    form: str = "masks"


#: Importers by the name of the program.
IMPORTERS = {
    "mcg": Importer(read_mcg, "*.mat"),
    "gop": Importer(read_gop, "*.mat"),
    "rigor": Importer(read_rigor, "*.mat"),
    "selective_search": Importer(read_selective_search, "*.mat", "boxes"),
    "deepmask": Importer(read_deepmask, "*.json"),
    "mnc": Importer(read_mnc, "res_boxes.pkl"),
    "sam": Importer(read_sam, "*.json"),
}


def import_results(program: str, inputs: str, output: Path, **options: Any) -> int:
    """Writes the proposals of a program as COCO results, holding one image at a time in memory.

    Args:
        program: of `IMPORTERS`.
        inputs: a file, a folder of files, or a pattern.
        output: the JSON file.
        **options: further arguments of the program's reader.

    Returns:
        The number of results.

    Raises:
        UserError: no file, one that is not the program's, or one that cannot be written; then nothing is.
    """
    importer = IMPORTERS[program]
    paths = _find(inputs, importer.files)
    count = 0
    with atomic_write(output) as file:
        for path in track(paths, len(paths), "converting"):
            for result in importer.read(path, **options):
                file.write((",\n" if count else "[") + json.dumps(result))
                count += 1
        file.write("]\n" if count else "[]\n")
    return count


def _find(inputs: str, files: str) -> list[Path]:
    place = Path(inputs)
    if place.is_dir():
        found = sorted(place.glob(files))
    else:
        found = [place] if place.is_file() else sorted(Path(place.anchor).glob(str(place.relative_to(place.anchor))))
    if not found:
        raise UserError(f"no files at {inputs}: give a file, a folder with {files}, or a quoted pattern.")
    if again := repeated(map(id_of_file, found)):
        raise UserError(f"{inputs} has several files called {again[0]}: rename one of them.")
    return found
