"""What the commands share: flags that fail with one sentence, errors without a traceback."""

from __future__ import annotations

import functools
import importlib
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from absl import app, flags, logging

# Errors are raised as exceptions too; what TensorFlow logs of them only repeats it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


_Number = TypeVar("_Number", int, float)


def run(main: Callable[[], int | None], positional: flags.FlagHolder[list[str]] | None = None) -> None:
    """Runs a command: parses its flags, calls `main` and exits with its status (None is 0).

    What stands on the command line without a flag is added to the values of `positional`, a flag that may be repeated.

    A wrong flag, a UserError or a file that the system refuses ends with one sentence on stderr and status 1, an
    interruption with status 130, output that nobody reads any more (`| head`) with status 141.
    """
    from ifcn_tf.common.files import UserError

    def guarded(_: Sequence[str]) -> None:
        try:
            status = main()
            sys.stdout.flush()
            sys.exit(status)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python writes to it once more
            sys.exit(128 + signal.SIGPIPE)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(130)
        except UserError as error:
            sentence = str(error)
        except OSError as error:  # of a place that nothing expected to fail, such as a folder that may not be searched
            if error.filename is None:
                raise
            sentence = f"cannot use {error.filename}: {error.strerror}; change it, or choose another place."
        _fail(sentence)  # after the block, and so after what the error kept open, such as a bar of progress, is closed

    logging.set_verbosity(logging.WARNING)
    app.run(guarded, flags_parser=functools.partial(_parse, positional))


def refuse(others: Sequence[flags.FlagHolder], reason: str) -> None:
    """Raises UserError with the names of those flags that are given, and why they are to be left out."""
    from ifcn_tf.common.files import UserError

    if given := [f"--{flag.name}" for flag in others if flag.present]:
        raise UserError(f"{', '.join(given)}: {reason}.")


def import_tensorflow() -> None:
    """Imports TensorFlow without the lines that its libraries print while they load, whatever the log level."""
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)
    try:
        importlib.import_module("tensorflow")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def bound_memory() -> None:
    """Lets two threads start TensorFlow's operations, unless the environment says how many; call it before the first.

    Each of them keeps oneDNN's kernels for a thousand shapes, so that memory would grow with the number of cores.
    """
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")


def integers(flag: flags.FlagHolder[list[str]]) -> tuple[int, ...]:
    """Whole numbers of a comma-separated flag; raises UserError when one is not."""
    return _parsed(flag, int, "whole numbers")


def numbers(flag: flags.FlagHolder[list[str]]) -> tuple[float, ...]:
    """Numbers of a comma-separated flag; raises UserError when one is not."""
    return _parsed(flag, float, "numbers")


def _parsed(flag: flags.FlagHolder[list[str]], parse: Callable[[str], _Number], expected: str) -> tuple[_Number, ...]:
    from ifcn_tf.common.files import UserError

    try:
        return tuple(parse(value) for value in flag.value)
    except ValueError as error:
        raise UserError(f"--{flag.name} takes {expected} separated by commas, not {','.join(flag.value)}.") from error


def _parse(positional: flags.FlagHolder[list[str]] | None, argv: Sequence[str]) -> list[str]:
    try:
        rest = flags.FLAGS(argv)
    except SystemExit:  # a help was shown, with which absl exits with status 1
        sys.exit(0)
    except flags.Error as error:
        message = " ".join(str(error).split())
        _fail(f"{re.sub(r'^flags .*?: ', '', message)} (see --help)")  # names and values of flags that were checked
    for name, value in ((name, flags.FLAGS[name].value) for name in flags.FLAGS if flags.FLAGS[name].present):
        if value in ("", []):
            _fail(f"--{name} is empty: give it a value, or leave it out (see --help)")
        if isinstance(value, float) and math.isnan(value):
            _fail(f"--{name} is nan: give it a number (see --help)")
    if positional is not None and len(rest) > 1:
        flags.FLAGS[positional.name].value = [*positional.value, *rest[1:]]
    elif len(rest) > 1:
        _fail(f"unexpected argument {rest[1]!r}: every argument is a flag, --name=value (see --help)")
    return rest


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.unraisablehook = lambda _: None  # that is the last word: pools of TensorFlow's strategies end in tracebacks
    sys.exit(1)
