"""What the commands share: flags that fail with one sentence, errors without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from absl import app, flags

# TensorFlow's start-up messages say nothing to users of a command; set before it is imported. (1 is oneDNN's default;
# said explicitly, it is not announced.)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def run(main: Callable[[], int | None]) -> None:
    """Runs a command: parses its flags, calls `main` and exits with its status (None is 0).

    A wrong flag or a UserError ends with one sentence on stderr and status 1, an interruption with status 130.
    """
    from ifcn_tf.files import UserError

    def guarded(_: Sequence[str]) -> None:
        try:
            sys.exit(main())
        except UserError as error:
            _fail(str(error))
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(130)

    app.run(guarded, flags_parser=_parse)


def integers(flag: flags.FlagHolder[list[str]]) -> tuple[int, ...]:
    """Whole numbers of a comma-separated flag; raises UserError when one is not."""
    from ifcn_tf.files import UserError

    try:
        return tuple(int(value) for value in flag.value)
    except ValueError as error:
        raise UserError(
            f"--{flag.name} takes whole numbers separated by commas, not {','.join(flag.value)}."
        ) from error


def _parse(argv: Sequence[str]) -> list[str]:
    try:
        rest = flags.FLAGS(argv)
    except flags.Error as error:
        _fail(f"{' '.join(str(error).split())} (see --help)")
    if len(rest) > 1:
        _fail(f"unexpected argument {rest[1]!r}: every argument is a flag, --name=value (see --help)")
    return rest


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)
