"""Files that are either whole or absent, and errors that name them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


class UserError(Exception):
    """Something the user can mend: the message is one sentence that names the file or flag and says what to do.

    The command line prints it without a traceback and ends with a non-zero exit status.
    """


class BadImageError(UserError):
    """An image file that cannot be used; a command that handles many images goes on to the next."""


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Opens a temporary file beside `path` that takes its name only when the block ends without an exception.

    Args:
        path: the file to write; an existing one stays as it is until then. Missing folders are made.
        mode: "w" for text (UTF-8) or "wb".

    Raises:
        UserError: the file cannot be written (no permission, full disk); nothing is left behind.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> UserError:
    """The error of a file or folder that cannot be written, and what to do about it."""
    advice = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "choose another place"
    return UserError(f"cannot write {path}: {error.strerror or error}; {advice}.")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


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
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}.") from error


def write_json(path: str | os.PathLike[str], value: Any, indent: int | None = 2) -> None:
    """Writes a JSON file whole or not at all; raises UserError when it cannot."""
    with atomic_write(path) as file:
        json.dump(value, file, indent=indent)
        file.write("\n")


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that takes the name `path` when the block ends without an exception.

    Raises:
        UserError: something is there already, or the disk refuses.
    """
    if path.exists():
        raise UserError(f"{path} exists already; remove it or choose another folder.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o755)
            temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise unwritable(path, error) from error
