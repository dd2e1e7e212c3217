"""Files and folders that are either whole or absent, and errors that name them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

#: Beginning of the name of what is not whole yet. No number begins so: servers do not take it for a version.
_UNFINISHED = ".unfinished-"
#: Nothing takes longer to write [s].
_ABANDONED = 24 * 3600


class UserError(Exception):
    """Something the user can mend: the message is one sentence that names the file or flag and says what to do.

    The command line prints it without a traceback and ends with a non-zero exit status.
    """


class BadImageError(UserError):
    """An image file that cannot be used; a command that handles many images goes on to the next."""


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Where to write a file, under its own name; it becomes `path` when the block ends without an exception.

    Args:
        path: the file to write; an existing one stays as it is until then. Missing folders are made.

    Raises:
        UserError: the file cannot be written (no permission, full disk), or `path` is a folder or a device; nothing is
            left behind.
    """
    path = Path(path)
    with naming(path):
        if path.exists() and not path.is_file():
            raise UserError(f"cannot write {path}, which is no file but a folder or a device; choose another name.")
    with naming(path), _unfinished(path.parent) as folder:
        yield folder / path.name
        with (folder / path.name).open("rb") as file:
            os.fsync(file.fileno())
        (folder / path.name).replace(path)


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """`whole_file`, opened: mode "w" for text (UTF-8), or "wb"."""
    with whole_file(path) as unfinished, unfinished.open(mode, encoding=None if "b" in mode else "utf-8") as file:
        yield file


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A new folder, which becomes `path` when the block ends without an exception.

    Raises:
        UserError: something is there already, or the disk refuses; nothing is left behind.
    """
    with naming(path):
        if path.exists():
            raise UserError(f"{path} exists already; remove it or choose another folder.")
    with naming(path), unfinished_folder(path.parent) as folder:
        yield folder
        folder.rename(path)


@contextlib.contextmanager
def unfinished_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, for whoever renames it when it is whole; else it is removed when the block ends.

    Other users may read it, as a server may be one. Those that a killed process left in `parent` long ago are removed.

    Raises:
        OSError: the folder cannot be made; `naming` makes that one sentence.
    """
    for earlier in parent.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(FileNotFoundError):  # another process has just renamed it
            if time.time() - earlier.stat().st_mtime > _ABANDONED:
                shutil.rmtree(earlier, ignore_errors=True)
    with _unfinished(parent) as folder:
        folder.chmod(0o755)
        yield folder


@contextlib.contextmanager
def _unfinished(parent: Path) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Around what writes a file or folder: makes an OSError a UserError that names it and says what to do."""
    try:
        yield
    except OSError as error:
        advice = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "choose another place"
        raise UserError(f"cannot write {path}: {error.strerror or error}; {advice}.") from error


def require_text(path: Path) -> None:
    """Raises UserError where a name is not UTF-8, as on old disks, which no JSON file could hold."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"the name of {str(path)!a} is not UTF-8: rename the file.") from error


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file whole or not at all; raises UserError when it cannot."""
    with atomic_write(path, "wb") as file:
        file.write(content)


def write_json(path: str | os.PathLike[str], value: Any, indent: int | None = 2) -> None:
    """Writes a JSON file whole or not at all; raises UserError when it cannot."""
    with atomic_write(path) as file:
        json.dump(value, file, indent=indent)
        file.write("\n")


def read_text(path: str | os.PathLike[str]) -> str:
    """Reads a UTF-8 text file; raises UserError, with one sentence that names the file, when it cannot."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error


def read_json(path: str | os.PathLike[str]) -> Any:
    """Parses a JSON file; raises UserError, with one sentence that names the file, when it cannot."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:  # such as thousands of brackets
        raise UserError(f"{path} is not valid JSON: {error}.") from error
