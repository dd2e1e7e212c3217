"""What visitors take home: the chosen masks of their photographs in one file."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ifcn_tf.common.ids import id_of_file
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.formats import WRITERS

#: The format of `proposals.json`; the others are those of `results.formats`.
_COCO_RESULTS = "coco_results"
FORMATS = (_COCO_RESULTS, *WRITERS)


class Chosen(NamedTuple):
    """Masks that a visitor took of a photograph."""

    name: str  # of its file
    image: np.ndarray  # uint8 [H, W, 3]
    proposals: Proposals


def download(photographs: Sequence[Chosen], file_format: str) -> tuple[str, bytes]:
    """The name and content of one file: what the format writes for these photographs, as an archive if it is several.

    Args:
        photographs: of distinct stems.
        file_format: one of FORMATS.
    """
    if file_format == _COCO_RESULTS:
        results: list[dict[str, Any]] = []
        for chosen in photographs:
            results += chosen.proposals.to_coco(id_of_file(Path(chosen.name)))
        return "proposals.json", json.dumps(results).encode()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for chosen in photographs:
            # Formats that name the photograph name it as a file beside their own folder.
            WRITERS[file_format](folder, folder / chosen.name, chosen.image, chosen.proposals)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if len(files) == 1:
            return files[0].name, files[0].read_bytes()
        return f"{file_format}.zip", _archive(folder, files)


def _archive(folder: Path, files: Sequence[Path]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(folder))
    return content.getvalue()
