"""Breaks things on purpose, and says what did not hold.

python -m tests.torture                               (all campaigns, each in a process of its own)
python -m tests.torture --share=0.1 --seed=3          (a tenth of what is tried, other things than by default)
python -m tests.torture damage:jpeg hostile           (some campaigns)
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import math
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np

from ifcn_tf.common.pool import usable_cores
from tests.torture import damage, full_disk, hostile, kills, server, surroundings, threads
from tests.torture.commands import COMMANDS
from tests.torture.kinds import KINDS

#: What all campaigns may take together [s].
_LIMIT = 2400
#: Flag of the process that runs one campaign.
_ALONE = "--alone"
#: How often things are tried at a share of 1, and by what: number, seed and a new folder -> what went wrong.
_CAMPAIGNS: dict[str, tuple[int, Callable[[int, int, Path], Iterator[str]]]] = {
    "hostile": (1, lambda count, seed, folder: hostile.campaign(folder)),
    **{f"damage:{kind}": (math.ceil(2_000 / len(KINDS)), functools.partial(damage.campaign, kind)) for kind in KINDS},
    **{f"kills:{name}": (20 if name == "train" else 5, functools.partial(kills.campaign, name)) for name in COMMANDS},
    **{f"full_disk:{name}": (5, functools.partial(full_disk.campaign, name)) for name in COMMANDS},
    **{f"surroundings:{name}": (9, functools.partial(surroundings.campaign, name)) for name in COMMANDS},
    **{f"threads:{engine}": (200, functools.partial(threads.campaign, engine)) for engine in threads.ENGINES},
    "server": (1_000, server.campaign),
    "page": (50, lambda count, seed, folder: _page().campaign(count, seed, folder)),
}
#: What a campaign needs that not everybody has installed.
_NEEDS = {"page": "gradio"}


def main() -> int:
    """Runs campaigns; the exit status is 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture")
    parser.add_argument("names", nargs="*", metavar="campaign", help=f"all of {', '.join(_CAMPAIGNS)} by default")
    parser.add_argument("--seed", type=int, default=0, help="other seeds damage other places")
    parser.add_argument("--share", type=float, default=1.0, help="of what is tried; 1 is 2,000 damaged files in all")
    parser.add_argument("--jobs", type=int, default=usable_cores(), help="campaigns at once")
    parser.add_argument("--folder", type=Path, help="new folder, in which they work and what failed is kept")
    parser.add_argument(_ALONE, action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if wrong := _wrong(given):
        parser.error(wrong)
    if given.alone:
        return _alone(given.names[0], given)
    folder, end = given.folder or Path(tempfile.mkdtemp(prefix="torture_")), time.monotonic() + _LIMIT
    names = dict.fromkeys(given.names) or _all(given)
    with ThreadPool(given.jobs) as pool:
        return max(pool.map(lambda name: _in_process(name, given, folder, end), names, chunksize=1))


def _wrong(given: argparse.Namespace) -> str:
    """What is wrong with the arguments, in words; empty if nothing."""
    if unknown := set(given.names) - set(_CAMPAIGNS):
        return f"no campaign {', '.join(sorted(unknown))}"
    if given.jobs < 1:
        return f"--jobs is the number of campaigns at once, at least 1, not {given.jobs}"
    if not 0 < given.share <= 100:
        return f"--share is a part of what is tried, such as 0.1, not {given.share}"
    if given.seed < 0:
        return f"--seed is 0 or more, not {given.seed}"
    if given.folder and given.folder.exists() and not given.alone:
        return f"--folder is a new folder; {given.folder} exists already"
    return ""


def _alone(name: str, given: argparse.Namespace) -> int:
    """Runs a campaign in this process, which it may crash or hang."""
    wrong = list(_CAMPAIGNS[name][1](max(1, _count(name, given)), given.seed, given.folder))
    print("\n".join(wrong))
    return 1 if wrong else 0


def _page() -> types.ModuleType:
    from tests.torture import page

    return page


def _all(given: argparse.Namespace) -> list[str]:
    """Names of the campaigns that can be run here and have something to try; says what is left out."""
    reasons = {
        name: f"{package} is not installed"
        for name, package in _NEEDS.items()
        if importlib.util.find_spec(package) is None
    }
    reasons |= {
        name: "nothing of it is in this share, with this seed" for name in _CAMPAIGNS if not _count(name, given)
    }
    if not surroundings.is_installed(surroundings.TURKISH):
        reasons["Turkish surroundings"] = f"the locale {surroundings.TURKISH} is not installed"
    for name, reason in reasons.items():
        print(f"left out  {name}: {reason}", flush=True)
    return [name for name in _CAMPAIGNS if name not in reasons]


def _count(name: str, given: argparse.Namespace) -> int:
    """How often a campaign tries: its share, of which a broken rest is rounded at random, by the seed."""
    if _CAMPAIGNS[name][0] == 1:
        return 1
    random = np.random.default_rng([given.seed, sorted(_CAMPAIGNS).index(name)])
    return int(given.share * _CAMPAIGNS[name][0] + random.random())


def _in_process(name: str, given: argparse.Namespace, folder: Path, end: float) -> int:
    """Runs a campaign in a process of its own, until a time at most."""
    place, start = folder / name.replace(":", "_"), time.monotonic()
    flags = [_ALONE, f"--seed={given.seed}", f"--share={given.share}", f"--folder={place}"]
    prefix = full_disk.MAY_MOUNT if name.startswith("full_disk") and full_disk.may_mount() else ()
    command = [*prefix, sys.executable, "-m", "tests.torture", name, *flags]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=max(1, end - start))
    except subprocess.TimeoutExpired:
        print(
            f"FAILED  {name}: not at its end when the time of all was, {_LIMIT / 60:.0f} min; see {place}", flush=True
        )
        return 1
    tried = f"{name}, {max(1, _count(name, given))} times: {time.monotonic() - start:.0f} s"
    print(f"{'FAILED' if done.returncode else 'held'}  {tried}", flush=True)
    if done.returncode:
        print(done.stdout, done.stderr[-2000:] if not done.stdout.strip() else "", f"see {place}", flush=True)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
