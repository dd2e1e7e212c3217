"""Breaks things on purpose, and says what did not hold.

python -m tests.torture                               (all campaigns, each in a process of its own)
python -m tests.torture --share=0.1 --seed=3          (a tenth of the damaged files, others than by default)
python -m tests.torture damage:jpeg hostile           (some campaigns)
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.torture import damage, hostile
from tests.torture.kinds import KINDS

#: Damaged files in all, of all kinds.
_DAMAGED = 2_000
#: What a campaign may take [s]; one that takes longer hangs.
_LIMIT = 600
_NAMES = ("hostile", *(f"damage:{kind}" for kind in KINDS))


def main() -> int:
    """Runs campaigns; the exit status is 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture")
    parser.add_argument("names", nargs="*", metavar="campaign", help=f"all of {', '.join(_NAMES)} by default")
    parser.add_argument("--seed", type=int, default=0, help="other seeds damage other places")
    parser.add_argument("--share", type=float, default=1.0, help="of the damaged files; 1 is 2,000 in all")
    parser.add_argument("--folder", type=Path, help="where a campaign works, and keeps what failed")
    given = parser.parse_args()
    if unknown := set(given.names) - set(_NAMES):
        parser.error(f"no campaign {', '.join(sorted(unknown))}")
    if given.folder is None:
        folder = Path(tempfile.mkdtemp(prefix="torture_"))
        return max([_in_process(name, given, folder) for name in given.names or _NAMES])
    wrong = list(_problems(given.names[0], given.seed, _count(given.share), given.folder))
    print("\n".join(wrong))
    return 1 if wrong else 0


def _count(share: float) -> int:
    return max(1, round(share * _DAMAGED / len(KINDS)))


def _problems(name: str, seed: int, count: int, folder: Path) -> Iterator[str]:
    if name == "hostile":
        return hostile.campaign(folder)
    return damage.campaign(name.partition(":")[2], count, seed, folder)


def _in_process(name: str, given: argparse.Namespace, folder: Path) -> int:
    """Runs a campaign in a process of its own, which it may crash or hang."""
    place, start = folder / name.replace(":", "_"), time.perf_counter()
    flags = [f"--seed={given.seed}", f"--share={given.share}", f"--folder={place}"]
    command = [sys.executable, "-m", "tests.torture", name, *flags]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        print(f"FAILED  {name}: hangs, see {place}", flush=True)
        return 1
    tried = "" if name == "hostile" else f"{_count(given.share)} files, "
    print(f"{'FAILED' if done.returncode else 'held'}  {name}: {tried}{time.perf_counter() - start:.0f} s", flush=True)
    if done.returncode:
        print(done.stdout, done.stderr[-2000:] if done.returncode != 1 else "", f"see {place}", flush=True)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
