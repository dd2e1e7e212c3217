"""Times and memory of this process."""

from __future__ import annotations

import re
import resource
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

Name = TypeVar("Name", bound=Hashable)


def in_turn(steps: Mapping[Name, Callable[[], Any]], rounds: int, warm_up: int = 2) -> dict[Name, list[float]]:
    """Runs all steps in every round, one after the other, so that a drift of the machine's speed meets all of them.

    Returns:
        Seconds of each step in each round, after `warm_up` rounds that do not count.
    """
    seconds: dict[Name, list[float]] = {name: [] for name in steps}
    for round_number in range(warm_up + rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if round_number >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def median_ms(seconds: Sequence[float]) -> float:
    """Median [ms], to a tenth."""
    return round(1000 * statistics.median(seconds), 1)


def median_ratio(numerator: Sequence[float], denominator: Sequence[float]) -> float:
    """Median of the ratios round by round."""
    return round(statistics.median(a / b for a, b in zip(numerator, denominator, strict=True)), 3)


def peak_bytes() -> int:
    """Largest resident memory of this process so far [byte]; on Linux.

    Where the kernel does not state it, `getrusage` does, but that counts in a child what its parent held.
    """
    stated = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * (int(stated[1]) if stated else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def peak_gib() -> float:
    """`peak_bytes` [GiB], to a thousandth."""
    return round(peak_bytes() / 2**30, 3)


def resident_gib() -> float:
    """Resident memory of this process now [GiB]; on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**30
