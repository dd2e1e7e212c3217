"""Long JSON files entry by entry, so that memory does not grow with the file; a gzip file is known by its first bytes.

Python's own decoder reads the entries, in one pass. It takes NaN and Infinity, which Python writes, and has a limit for
brackets in brackets: `ijson` knows no NaN, and spends memory with the square of such a depth.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from ifcn_tf.common.files import UserError

#: Characters read at a time.
_BLOCK = 1 << 20
#: A value that ends so near the end of what was read may be the beginning of a longer number.
_MARGIN = 8
_BLANKS = (" ", "\t", "\n", "\r")


class Entry(NamedTuple):
    """A value, and the text it was read from."""

    value: Any
    text: str


def read_lists(path: Path) -> Iterator[tuple[str, Iterator[Entry] | None]]:
    """The members of a JSON file's object, in its order, without those that are null.

    Yields:
        The name, and the entries where it is a list, else None; they are there until the next member is asked for.

    Raises:
        UserError: the file cannot be read, is no JSON or holds no object.
    """
    with contextlib.closing(_Text(path)) as text:
        if not text.holds_object():
            raise UserError(f"{path} is no COCO json: it has to be an object with 'images' and 'annotations'.")
        yield from text.members()


def read_list(path: Path) -> Iterator[Entry]:
    """The entries of a JSON file that holds one list, in which NaN and Infinity are no numbers.

    Raises:
        UserError: the file cannot be read, is no such JSON or holds no list.
    """
    with contextlib.closing(_Text(path, json.JSONDecoder(parse_constant=_refuse))) as text:
        if not text.holds_list():
            raise UserError(f"{path} holds no COCO results: a JSON array [...] is expected.")
        yield from text.entries()
        text.end()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


class _Text:
    """A JSON text from its beginning to its end; what was passed is forgotten. All methods raise UserError."""

    def __init__(self, path: Path, decoder: json.JSONDecoder | None = None) -> None:
        self._path = path
        self._decoder = decoder or json.JSONDecoder()
        self._text, self._at, self._forgotten = "", 0, 0
        with self._readable():
            self._file = _open(path)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def holds_object(self) -> bool:
        """Whether an object begins here, and not another value."""
        return self._opening() == "{"

    def holds_list(self) -> bool:
        """Whether a list begins here, and not another value."""
        return self._opening() == "["

    def entries(self) -> Iterator[Entry]:
        """Those of the list that begins here."""
        return (self._value() for _ in self._separated("[", "]"))

    def end(self) -> None:
        """Nothing may follow."""
        if self._peek():
            raise self._error("nothing more is expected", self._at)

    def members(self) -> Iterator[tuple[str, Iterator[Entry] | None]]:
        """See `read_lists`; nothing may follow the object."""
        for _ in self._separated("{", "}"):
            if self._peek() != '"':
                raise self._error("a name is expected", self._at)
            name = self._value().value
            self._take(":")
            if self._peek() == "[":
                entries = self.entries()
                yield name, entries
                deque(entries, maxlen=0)  # what the caller left
            elif self._value().value is not None:
                yield name, None
        self.end()

    def _opening(self) -> str:
        """The next character; raises UserError where no value begins."""
        found = self._peek()
        if found not in ("{", "["):
            self._value()
        return found

    def _separated(self, opening: str, closing: str) -> Iterator[None]:
        """Stops before each item of a list or an object."""
        self._take(opening)
        if self._peek() == closing:
            self._take(closing)
            return
        yield
        while self._take("," + closing) != closing:
            yield

    def _value(self) -> Entry:
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._read_more():
                    raise self._error(error.msg, error.pos) from error
            except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
                raise self._error(str(error), self._at) from error
            else:
                if end + _MARGIN <= len(self._text) or not self._read_more():
                    entry = Entry(value, self._text[self._at : end])
                    self._at = end
                    return entry

    def _take(self, expected: str) -> str:
        found = self._peek()
        if not found or found not in expected:
            raise self._error(f"one of {expected} is expected", self._at)
        self._at += 1
        return found

    def _peek(self) -> str:
        """The next character that is no blank; none at the end."""
        while True:
            while self._text[self._at : self._at + 1] in _BLANKS:
                self._at += 1
            if self._at < len(self._text) or not self._read_more():
                return self._text[self._at : self._at + 1]

    def _read_more(self) -> bool:
        """Doubles what is left at least, so that a long entry is not decoded many times; False at the end."""
        left = self._text[self._at :]
        with self._readable():
            block = self._file.read(max(_BLOCK, len(left)))
        if block:
            self._forgotten += self._at
            self._text, self._at = left + block, 0
        return bool(block)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise UserError(f"cannot read {self._path}: {getattr(error, 'strerror', None) or error}.") from error

    def _error(self, reason: str, position: int) -> UserError:
        return UserError(
            f"{self._path} is cut off or not valid JSON: {reason} (character {self._forgotten + position})."
        )


def _open(path: Path) -> IO[str]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding="utf-8") if zipped else path.open(encoding="utf-8")
