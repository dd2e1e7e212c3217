"""A full disk in the middle of a command: one sentence names the file, what was there stays, and with space it goes on.

The disk is a tmpfs where this process may mount one (`unshare --mount`), else a limit on the size of files.
"""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.torture.commands import COMMANDS, Command, digest, half_written, inputs_beside, run, written

#: What runs a campaign where it may mount, if anything does.
MAY_MOUNT = ("unshare", "--mount", "--map-root-user")
_PLENTY = 2**28
#: What is in the files that were there.
_EARLIER = "from before"


def campaign(name: str, count: int, seed: int, folder: Path) -> Iterator[str]:
    """Fills the disk `count` times after a random share of what the command writes; yields what went wrong."""
    command, random = COMMANDS[name], np.random.default_rng([seed, sorted(COMMANDS).index(name)])
    inputs, undisturbed = inputs_beside(folder), folder / "undisturbed" / "output"
    done = run(command, inputs, undisturbed)
    assert done.returncode == 0, done.stderr
    expected = written(command, undisturbed)
    sizes = [path.stat().st_size for path in undisturbed.rglob("*") if path.is_file()]
    for number in range(count):
        with _Disk(folder / f"disk_{number}") as disk:
            if wrong := _filled(command, inputs, disk, expected, random.uniform(0.02, 0.9), sizes):
                kept = folder / f"failed_{number}"
                shutil.copytree(disk.folder, kept)
                yield f"{name}, disk {number + 1}, kept in {kept}: {wrong}"


def _filled(
    command: Command, inputs: Path, disk: _Disk, expected: dict[str, str], share: float, sizes: list[int]
) -> str:
    """Runs a command until a share of the files of these sizes [byte] is written, and then to its end."""
    output = disk.folder / "output"
    earlier = [output / name for name in expected] if command.replaces else [disk.folder / "beside.txt"]
    for path in earlier:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_EARLIER)
    done = run(command, inputs, output, **disk.limit(share, sizes))
    if done.returncode == 0:
        return "" if written(command, output) == expected else "says nothing of a full disk"
    lines = done.stderr.strip().splitlines() or [""]
    if done.returncode != 1 or not lines[-1].startswith("error: ") or "Traceback" in done.stderr:
        return f"status {done.returncode}: {done.stderr[-2000:]}"
    if str(disk.folder) not in lines[-1]:
        return f"does not name the file: {lines[-1]}"
    if wrong := _changed(earlier, output, expected) or (
        not command.replaces and half_written(command, output, expected)
    ):
        return wrong
    disk.free()
    again = run(command, inputs, output, *command.again)
    if again.returncode:
        return f"with space the same command says {again.stderr.strip()[-2000:]}"
    return "" if written(command, output) == expected else "the result is another"


def _changed(earlier: list[Path], output: Path, expected: dict[str, str]) -> str:
    """Which of the files that were there are neither as they were nor as they were to be, in words; empty if none."""
    for path in earlier:
        if not path.exists():
            return f"removes {path}"
        if path.read_bytes() != _EARLIER.encode() and digest(path) != expected.get(str(path.relative_to(output))):
            return f"changes {path}"
    return ""


class _Disk:
    """A small disk, as far as this process may have one, while the block runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mounted = False

    def __enter__(self) -> _Disk:
        self.folder.mkdir(parents=True)
        self._mounted = self._mount(f"size={_PLENTY}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=True)

    def limit(self, share: float, sizes: list[int]) -> dict[str, Any]:
        """Leaves space for a share of files of these sizes [byte]; returns options of `commands.run`."""
        if not self._mounted:
            return {"preexec_fn": _limit_of_files(int(share * max(sizes)))}
        used = shutil.disk_usage(self.folder).used
        assert self._mount(f"remount,size={used + max(4096, int(share * sum(sizes)))}")
        return {}

    def free(self) -> None:
        """Gives the disk plenty of space."""
        if self._mounted:
            self._mount(f"remount,size={_PLENTY}")

    def _mount(self, options: str) -> bool:
        line = ["mount", "-t", "tmpfs", "-o", options, "none", str(self.folder)]
        return subprocess.run(line, capture_output=True).returncode == 0


def may_mount() -> bool:
    """Whether `MAY_MOUNT` works here."""
    line = [*MAY_MOUNT, "mount", "-t", "tmpfs", "none", "/tmp"]
    with contextlib.suppress(OSError):
        return subprocess.run(line, capture_output=True).returncode == 0
    return False


def _limit_of_files(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
