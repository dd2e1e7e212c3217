"""Other clocks, languages and homes: commands write the same, to the byte."""

from __future__ import annotations

import locale
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.torture.commands import COMMANDS, inputs_beside, run, written

#: Where capitals and small letters are other pairs, and the decimal sign is a comma.
TURKISH = "tr_TR.UTF-8"
#: What is set, and what is not ("") [environment variables].
_CASES: dict[str, dict[str, str]] = {
    "far_west": {"TZ": "Pacific/Pago_Pago"},
    "far_east": {"TZ": "Pacific/Kiritimati"},
    "turkish": {"LC_ALL": TURKISH, "LANGUAGE": "tr"},
    "ascii": {"LC_ALL": "C", "LANG": "C"},
    "no_home": {"HOME": "", "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""},
    "home_that_cannot_be_written": {"HOME": "/proc"},
    "home_that_is_not_there": {"HOME": "/dev/null/home"},
}
#: Folders between the campaign's and what a command reads and writes.
_STRANGE_PLACE = Path("mit Leerzeichen", "ığüşöç 写真 🐟", "a%20b#c&d'e")


def campaign(name: str, count: int, seed: int, folder: Path) -> Iterator[str]:
    """Runs a command in surroundings of each kind, and in a folder of a strange name; yields what differs.

    With fewer than all `count` surroundings random ones are taken.
    """
    command, plain, strange = COMMANDS[name], folder / "plain", folder / _STRANGE_PLACE
    for place in (plain, strange):
        shutil.copytree(inputs_beside(folder), place / "inputs")
    assert run(command, plain / "inputs", plain / "as_it_is" / "output").returncode == 0
    expected = written(command, plain / "as_it_is" / "output")
    cases = {case: (plain, values) for case, values in _CASES.items()}
    if not is_installed(TURKISH):
        del cases["turkish"]
    cases |= {"strange_place": (strange, {}), "strange_place_ascii": (strange, _CASES["ascii"])}
    for case in np.random.default_rng([seed, sorted(COMMANDS).index(name)]).permutation(sorted(cases))[:count]:
        place, values = cases[case]
        done = run(command, place / "inputs", place / case / "output", env=values)
        if done.returncode:
            yield f"{name}, {case}: {done.stderr.strip()[-2000:]}"
        elif written(command, place / case / "output") != expected:
            yield f"{name}, {case}: writes something else into {place / case / 'output'}"


def is_installed(name: str) -> bool:
    """Whether a locale is; another one would take its place."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_ALL, before)
    return True
