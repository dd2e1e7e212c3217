"""What visitors take home: the chosen masks of their photographs in one file."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ifcn_tf.common.files import UserError
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.formats.image_proposals import ImageProposals
from ifcn_tf.results.formats.registry import FORMATS, write_whole

#: The formats that can be downloaded: all but the one with whole paths, which are nothing to a visitor, and those that
#: need what not every installation has.
NAMES = tuple(name for name, form in FORMATS.items() if name != "fiftyone" and not form.library)


class Chosen(NamedTuple):
    """Masks that a visitor took of a photograph."""

    name: str  # of its file
    encoded: bytes  # the file's content
    proposals: Proposals


def download(photographs: Sequence[Chosen], name: str) -> tuple[str, bytes]:
    """The name and content of one file: what a format writes for these photographs, as an archive if it is several.

    Args:
        photographs: of distinct stems.
        name: of the format, one of NAMES.

    Raises:
        UserError: the format cannot hold one of the photographs.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        output = folder / (name + FORMATS[name].suffix)
        try:
            write_whole(name, _unpacked(photographs, folder), output, simplify=0)
        except UserError as error:
            raise UserError(str(error).replace(f"{folder}/", "")) from error
        files = [output] if output.is_file() else sorted(path for path in output.rglob("*") if path.is_file())
        if len(files) == 1:
            return files[0].name, files[0].read_bytes()
        return f"{name}.zip", _archive(folder, files)


def _unpacked(photographs: Sequence[Chosen], folder: Path) -> Iterator[ImageProposals]:
    """The photographs as files of a folder, where formats look for more than pixels."""
    for chosen in photographs:
        path = folder / chosen.name
        path.write_bytes(chosen.encoded)
        yield ImageProposals(path, chosen.proposals)


def _archive(folder: Path, files: Sequence[Path]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(folder))
    return content.getvalue()
