"""Damaged files: each is read, or refused by one sentence that names it, in time and memory that have bounds."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.benchmarks.timing import peak_bytes
from ifcn_tf.common.files import UserError
from tests.torture.kinds import KINDS, Kind
from tests.torture.mutation import mutated

#: What reading one file may take [s], and this process in all [byte].
_SECONDS, _MEMORY = 10, 2 * 2**30


class _TooLongError(Exception):
    pass


def campaign(name: str, count: int, seed: int, folder: Path) -> Iterator[str]:
    """Reads `count` damaged sets of a kind; yields what went wrong.

    The set that is being read lies in `folder`/current, for when reading ends this process.
    """
    kind, random = KINDS[name](), np.random.default_rng([seed, sorted(KINDS).index(name)])
    whole, current = folder / "whole", folder / "current"
    whole.mkdir(parents=True)
    kind.make(whole)
    kind.read(whole)  # a set that cannot be read undamaged would prove nothing
    files = sorted(path.relative_to(whole) for path in whole.glob(kind.damaged) if path.is_file())
    for number in range(count):
        shutil.rmtree(current, ignore_errors=True)
        shutil.copytree(whole, current)
        damaged = current / files[random.integers(len(files))]
        damaged.write_bytes(mutated(damaged.read_bytes(), random))
        if wrong := _problem(kind, current, damaged):
            kept = folder / f"failed_{number}"
            shutil.copytree(current, kept)
            yield f"{name}, {damaged.relative_to(current)} kept in {kept}: {wrong}"
    if peak_bytes() > _MEMORY:
        yield f"{name}: {peak_bytes() / 2**30:.1f} GiB of memory"


def _problem(kind: Kind, folder: Path, damaged: Path) -> str | None:
    start = time.perf_counter()
    try:
        with _limit():
            kind.read(folder)
    except UserError as error:
        # What stands for a whole set, such as a run, may be named instead of the file.
        named = any(str(place) in str(error) for place in (damaged, damaged.parent, *damaged.parents[1:2]))
        return None if named else f"does not name the file: {error}"
    except _TooLongError:
        return f"took over {time.perf_counter() - start:.0f} s"
    except Exception:
        return traceback.format_exc(limit=-3)
    return None


@contextlib.contextmanager
def _limit() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
