"""Reading a long JSON array entry by entry, so that memory does not grow with the file."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ifcn_tf.files import UserError

#: Characters read at a time; an entry may be `_LONGEST` characters long.
_BLOCK, _LONGEST = 1 << 20, 1 << 26
_BEFORE_ENTRY = re.compile(r"[\s]*")


def read_entries(path: Path) -> Iterator[Any]:
    """Entries of a JSON file that holds one array; a gzip file is recognised by its first bytes.

    Raises:
        UserError: no such file, damaged gzip, no JSON array, or an array that is cut off.
    """
    try:
        with _open(path) as file:
            yield from _Entries(file, path)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error


def _open(path: Path) -> IO[str]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding="utf-8") if zipped else path.open(encoding="utf-8")


class _Entries:
    """Iterates over the entries of an array, keeping the text from the current entry on."""

    def __init__(self, file: IO[str], path: Path) -> None:
        self._file, self._path = file, path
        self._text, self._at = "", 0

    def __iter__(self) -> Iterator[Any]:
        if self._take() != "[":
            raise UserError(f"{self._path} holds no COCO results: a JSON array [...] is expected.")
        if self._take() == "]":
            return self._end()
        self._at -= 1
        while True:
            yield self._entry()
            separator = self._take()
            if separator == "]":
                return self._end()
            if separator != ",":
                raise self._broken()

    def _take(self) -> str:
        """Next character that is no white space; "" at the end of the file."""
        while True:
            match = _BEFORE_ENTRY.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                self._at += 1
                return self._text[self._at - 1]
            if not self._read(_BLOCK):
                return ""

    def _entry(self) -> Any:
        self._take()
        self._at -= 1
        block = _BLOCK
        while True:
            try:
                # A number that the block's end may have cut in two is no entry that anybody accepts.
                value, self._at = json.JSONDecoder().raw_decode(self._text, self._at)
                return value
            except ValueError:
                if len(self._text) - self._at > _LONGEST or not self._read(block):
                    raise self._broken() from None
                block *= 2

    def _read(self, count: int) -> bool:
        more = self._file.read(count)
        self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)

    def _end(self) -> None:
        if self._take():
            raise self._broken()

    def _broken(self) -> UserError:
        near = self._text[self._at : self._at + 40]
        return UserError(
            f"{self._path} is not valid JSON near {near!r}: it may be cut off, so write or download it again."
            if near
            else f"{self._path} ends before its array does: write or download it again."
        )
