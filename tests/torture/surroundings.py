"""Other clocks, languages and homes: commands write the same, to the byte."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.torture.commands import COMMANDS, make_inputs, run, written

#: What is set, and what is not ("") [environment variables].
_CASES: dict[str, dict[str, str]] = {
    "far_west": {"TZ": "Pacific/Pago_Pago"},
    "far_east": {"TZ": "Pacific/Kiritimati"},
    "turkish": {"LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "tr"},
    "ascii": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "no_home": {"HOME": "", "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""},
    "home_that_cannot_be_written": {"HOME": "/proc"},
    "home_that_is_not_there": {"HOME": "/nonexistent"},
}
#: Folders between the campaign's and what a command reads and writes.
_STRANGE_PLACE = Path("mit Leerzeichen", "ığüşöç 写真 🐟", "a%20b#c&d'e")


def campaign(name: str, count: int, seed: int, folder: Path) -> Iterator[str]:
    """Runs a command in surroundings of each kind, and in a folder of a strange name; yields what differs."""
    command, plain = COMMANDS[name], folder / "plain"
    inputs, strange_place = plain / "inputs", folder / _STRANGE_PLACE
    inputs.mkdir(parents=True)
    make_inputs(inputs)
    assert run(command, inputs, plain / "output").returncode == 0
    expected = written(command, plain / "output")
    shutil.copytree(inputs, strange_place / "inputs")
    cases = {case: (inputs, plain / case, values) for case, values in _CASES.items()}
    cases["strange_place"] = (strange_place / "inputs", strange_place / "output", {})
    cases["strange_place_ascii"] = (strange_place / "inputs", strange_place / "ascii", _CASES["ascii"])
    for case, (read, output, values) in cases.items():
        done = run(command, read, output, env=values)
        if done.returncode:
            yield f"{name}, {case}: {done.stderr.strip()[-2000:]}"
        elif written(command, output) != expected:
            yield f"{name}, {case}: writes something else into {output}"
