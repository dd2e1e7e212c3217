"""The command `ifcn-tf`: `ifcn-tf propose photo.jpg` is `python -m pipelines.propose photo.jpg`, from any folder."""

from __future__ import annotations

import difflib
import runpy
import sys
from importlib import metadata
from pathlib import Path

COMMANDS = sorted(path.stem.replace("_", "-") for path in Path(__file__).parent.glob("[!_]*.py"))


def main() -> None:
    """Runs the command that the first argument names; without one says which there are."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name == "--version":
        print(metadata.version("ifcn-tf"))
    elif name in COMMANDS:
        sys.argv[:2] = [f"{Path(sys.argv[0]).name} {name}"]
        runpy.run_module(f"{__package__}.{name.replace('-', '_')}", run_name="__main__", alter_sys=True)
    elif name in ("--help", "-h"):
        print(f"usage: ifcn-tf COMMAND [--flags]; ifcn-tf COMMAND --help lists its flags\n\n{chr(10).join(COMMANDS)}")
    else:
        nearest = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"the nearest is {nearest[0]}" if nearest else f"there are {', '.join(COMMANDS)}"
        sys.exit(f"error: there is no command {name!r}: {hint}")


if __name__ == "__main__":
    main()
