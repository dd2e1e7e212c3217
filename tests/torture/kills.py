"""SIGKILL at random moments: what was written is whole or absent, and the same command goes on to the same result."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.torture.commands import COMMANDS, LIMIT, Command, ended, half_written, inputs_beside, run, started, written

#: Between two looks whether a command has begun to write [s].
_TICK = 0.002


def campaign(name: str, count: int, seed: int, folder: Path) -> Iterator[str]:
    """Kills a command `count` times, each in a folder of its own; yields what went wrong."""
    command, random = COMMANDS[name], np.random.default_rng([seed, sorted(COMMANDS).index(name)])
    inputs, undisturbed = inputs_beside(folder), folder / "undisturbed" / "output"
    seconds = _seconds(command, inputs, undisturbed)
    expected = written(command, undisturbed)
    assert expected, f"{name} writes nothing"
    for number in range(count):
        output = folder / f"killed_{number}" / "output"
        if wrong := _killed(command, inputs, output, random.uniform(0, seconds), expected):
            yield f"{name}, killed for the {number + 1}th time: {wrong}"


def _seconds(command: Command, inputs: Path, output: Path) -> float:
    """How long the command writes, from its first file to its end."""
    process = started(command, inputs, output)
    _await_first_file(process, output)
    begin = time.perf_counter()
    _, errors = ended(process)
    assert process.returncode == 0, errors
    return time.perf_counter() - begin


def _await_first_file(process: object, output: Path) -> None:
    output.parent.mkdir(parents=True)
    end = time.monotonic() + LIMIT
    while process.poll() is None and not any(output.parent.iterdir()) and time.monotonic() < end:
        time.sleep(_TICK)


def _killed(command: Command, inputs: Path, output: Path, delay: float, expected: dict[str, str]) -> str:
    process = started(command, inputs, output)
    _await_first_file(process, output)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    if wrong := half_written(command, output, expected):
        return wrong
    if written(command, output) == expected and command.whole:
        return ""  # it had just ended; once more would be refused, or make the next version
    again = run(command, inputs, output, *command.again)
    if again.returncode:
        return f"after {delay:.2f} s; the same command then says {again.stderr.strip()}"
    return "" if written(command, output) == expected else f"after {delay:.2f} s; the result in {output} is another"
