"""Reading a long JSON array object by object, so that memory does not grow with the file."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ijson

from ifcn_tf.common.files import UserError


def read_entries(path: Path) -> Iterator[dict[str, Any]]:
    """Entries of a JSON file that holds one array of objects; a gzip file is recognised by its first bytes.

    Raises:
        UserError: no such file, damaged gzip, no array of objects, or one that is cut off.
    """
    count = 0
    try:
        with _open(path) as file:
            if file.read(64).lstrip()[:1] != b"[":
                raise UserError(f"{path} holds no COCO results: a JSON array [...] is expected.")
            file.seek(0)
            for entry in ijson.items(file, "item", use_float=True):
                if not isinstance(entry, dict):
                    raise UserError(f"{path}, result {count}: an object {{...}} is expected, not {entry!r}.")
                yield entry
                count += 1
    except ijson.JSONError as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} is cut off or no valid JSON after {count} results (NaN and Infinity are not allowed): {reason}"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error


def _open(path: Path) -> gzip.GzipFile | io.BufferedReader:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")
