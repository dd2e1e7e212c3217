"""Breaks things on purpose, and says what did not hold.

python -m tests.torture                               (all campaigns, each in a process of its own)
python -m tests.torture --share=0.1 --seed=3          (a tenth of what is tried, other things than by default)
python -m tests.torture damage:jpeg hostile           (some campaigns)
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from multiprocessing.pool import ThreadPool
from pathlib import Path

from ifcn_tf.common.pool import usable_cores
from tests.torture import damage, full_disk, hostile, kills, server, surroundings, threads
from tests.torture.commands import COMMANDS
from tests.torture.kinds import KINDS

#: What a campaign may take [s]; one that takes longer hangs.
_LIMIT = 1200
#: How often things are tried at a share of 1, and by what: number, seed and a new folder -> what went wrong.
_CAMPAIGNS: dict[str, tuple[int, Callable[[int, int, Path], Iterator[str]]]] = {
    "hostile": (1, lambda count, seed, folder: hostile.campaign(folder)),
    **{f"damage:{kind}": (2_000 // len(KINDS), functools.partial(damage.campaign, kind)) for kind in KINDS},
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
    parser.add_argument("--folder", type=Path, help="where a campaign works, and keeps what failed")
    given = parser.parse_args()
    if unknown := set(given.names) - set(_CAMPAIGNS):
        parser.error(f"no campaign {', '.join(sorted(unknown))}")
    if given.jobs < 1:
        parser.error(f"--jobs is the number of campaigns at once, at least 1, not {given.jobs}")
    if given.folder is None:
        folder = Path(tempfile.mkdtemp(prefix="torture_"))
        with ThreadPool(given.jobs) as pool:
            return max(pool.map(lambda name: _in_process(name, given, folder), given.names or _all(), chunksize=1))
    name = given.names[0]
    wrong = list(_CAMPAIGNS[name][1](_count(name, given.share), given.seed, given.folder))
    print("\n".join(wrong))
    return 1 if wrong else 0


def _page() -> types.ModuleType:
    from tests.torture import page

    return page


def _all() -> Iterator[str]:
    """Names of the campaigns that can be run here; says what cannot."""
    if not surroundings.is_installed(surroundings.TURKISH):
        print(f"left out  Turkish surroundings: the locale {surroundings.TURKISH} is not installed", flush=True)
    for name in _CAMPAIGNS:
        if name in _NEEDS and importlib.util.find_spec(_NEEDS[name]) is None:
            print(f"left out  {name}: {_NEEDS[name]} is not installed", flush=True)
        else:
            yield name


def _count(name: str, share: float) -> int:
    return max(1, round(share * _CAMPAIGNS[name][0]))


def _in_process(name: str, given: argparse.Namespace, folder: Path) -> int:
    """Runs a campaign in a process of its own, which it may crash or hang."""
    place, start = folder / name.replace(":", "_"), time.perf_counter()
    flags = [f"--seed={given.seed}", f"--share={given.share}", f"--folder={place}"]
    prefix = full_disk.MAY_MOUNT if name.startswith("full_disk") and full_disk.may_mount() else ()
    command = [*prefix, sys.executable, "-m", "tests.torture", name, *flags]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        print(f"FAILED  {name}: hangs, see {place}", flush=True)
        return 1
    tried = f"{name}, {_count(name, given.share)} times: {time.perf_counter() - start:.0f} s"
    print(f"{'FAILED' if done.returncode else 'held'}  {tried}", flush=True)
    if done.returncode:
        print(done.stdout, done.stderr[-2000:] if not done.stdout.strip() else "", f"see {place}", flush=True)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
