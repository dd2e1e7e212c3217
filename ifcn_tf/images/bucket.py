"""Photographs in a bucket, s3://BUCKET/FOLDER, as paths: whatever reads a photograph's file reads these too."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PosixPath
from typing import Any, Self

from ifcn_tf.common.arrow import arrow
from ifcn_tf.common.files import UserError

_SCHEME = "s3://"
#: Objects that are read ahead at once [count].
_AT_ONCE = 8


class BucketPath(PosixPath):
    """An object of a bucket. It has the name of a file, can be read, and says when it was changed; it is on no disk.

    Attributes:
        key: what its bucket calls it, after the name of the bucket: BUCKET/KEY.
        bucket: address of its bucket, with what is needed to reach it.
        changed: when it was written, by the clock of the bucket [s since 1970].
    """

    key: str
    bucket: str
    changed: float
    _content: Callable[[], bytes]

    @classmethod
    def of(cls, key: str, bucket: str, changed: float) -> Self:
        """See the attributes; further paths, such as its parent, are names alone."""
        path = cls(key)
        path.key, path.bucket, path.changed = key, bucket, changed
        path._content = path._read
        return path

    def __reduce__(self) -> Any:
        return BucketPath.of, (self.key, self.bucket, self.changed)

    def __str__(self) -> str:
        return _SCHEME + super().__str__()

    def absolute(self) -> Self:
        """Itself, from whatever folder."""
        return self

    def resolve(self, strict: bool = False) -> Self:
        """Itself: a bucket has no links."""
        return self

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """That it is a file, and when it was changed."""
        return os.stat_result((stat.S_IFREG, *[0] * 9), {"st_mtime": self.changed})

    def read_bytes(self) -> bytes:
        """What the object holds; raises OSError where it cannot be read."""
        return self._content()

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """The object, in memory, as a binary file to be read; raises OSError where it cannot be read."""
        return io.BytesIO(self.read_bytes())

    def _read(self) -> bytes:
        try:
            with _filesystem(self.bucket).open_input_file(self.key) as file:
                return file.read()
        except FileNotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error


def is_address(text: str) -> bool:
    """Whether what stands for images is an address of a bucket."""
    return text.startswith(_SCHEME)


def find_in_bucket(address: str, suffixes: tuple[str, ...]) -> list[BucketPath]:
    """The object at an address, or those directly in a folder of a bucket whose names end as files of `suffixes` do.

    Args:
        address: s3://BUCKET/FOLDER and, after a `?`, what is needed to reach the bucket, as
            `pyarrow.fs.FileSystem.from_uri` takes it: region=eu-west-1, or endpoint_override=HOST:PORT&scheme=http.
        suffixes: with their dots, in lower case.

    Raises:
        UserError: nothing found, no such address, or pyarrow is not installed.
        OSError: the bucket cannot be reached or read.
    """
    place, mark, query = address.removeprefix(_SCHEME).partition("?")
    bucket = place.partition("/")[0]
    if not bucket:
        raise UserError(f"{address} names no bucket: give s3://BUCKET/FOLDER.")
    if {"@", ":"} & set(bucket):
        raise UserError("s3:// is followed by the name of a bucket: leave keys out, set AWS_ACCESS_KEY_ID instead.")
    root, place = f"{_SCHEME}{bucket}{mark}{query}", place.rstrip("/")
    filesystem = _filesystem(root)
    found = [filesystem.get_file_info(place)]
    if not found[0].is_file:
        listed = filesystem.get_file_info(arrow(_SCHEME).fs.FileSelector(place, allow_not_found=True))
        found = [info for info in listed if info.is_file and info.path.lower().endswith(suffixes)]
    if not found:
        raise UserError(f"no images at {address}: give a folder of a bucket that holds some, or one of them.")
    return [BucketPath.of(info.path, root, info.mtime_ns / 1e9) for info in found]


@contextlib.contextmanager
def read_ahead(paths: Iterable[Path]) -> Iterator[None]:
    """Reads those of the paths that are in a bucket while the block runs, some at once; they are held in memory."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for path in paths:
            if isinstance(path, BucketPath):
                path._content = pool.submit(path._read).result
        yield


@functools.cache
def _filesystem(root: str) -> Any:
    library = arrow(_SCHEME)
    try:
        return library.fs.FileSystem.from_uri(root)[0]
    except library.ArrowInvalid as error:
        raise UserError(f"{root} is no address of a bucket: {error}.") from error
