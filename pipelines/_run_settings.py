"""The flags that hold the settings of a run: the same for every command that trains, or shows what training sees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import METHODS, TRUNKS
from ifcn_tf.config.presets import PRESETS, RunConfig, read_run, with_settings

PRESET = flags.DEFINE_enum("preset", "paper", sorted(PRESETS), "Settings to start from.")
CONFIG = flags.DEFINE_string(
    "config", None, "Instead of --preset: a run's config.json, or a file like what --print_config prints, JSON or YAML."
)
SET = flags.DEFINE_multi_string(
    "set", [], "KEY=VALUE, changes a setting: train.steps=100; --print_config lists all keys. May be repeated."
)
METHOD = flags.DEFINE_string("method", None, f"Short for --set model.method=NAME: {', '.join(METHODS)}.")
TRUNK = flags.DEFINE_string("trunk", None, f"Short for --set model.trunk=NAME: {', '.join(TRUNKS)}.")
PRINT = flags.DEFINE_bool("print_config", False, "Print all settings as JSON, as --config takes them, and stop.")


def run_config(more: Sequence[str] = ()) -> RunConfig:
    """The settings, with `more` of the form of --set; raises UserError on a wrong one."""
    named = [f"model.{flag.name}={flag.value}" for flag in (METHOD, TRUNK) if flag.value]
    return with_settings(_start()[0], [*SET.value, *named, *more])


def places() -> dict[str, Any]:
    """What the run that --config names reads; empty without one."""
    return _start()[1]


def printed(config: RunConfig, **more: Any) -> bool:
    """Whether --print_config asks for nothing but the settings and further sections, which are then printed."""
    if PRINT.value:
        print(json.dumps({**config.to_dict(), **more}, indent=2))
    return PRINT.value


def require(*needed: flags.FlagHolder[Any]) -> None:
    """Raises UserError unless flags that a run needs have a value."""
    for flag in needed:
        if not flag.value:
            raise UserError(f"--{flag.name} is needed, unless --print_config asks for the settings alone.")


def _start() -> tuple[RunConfig, dict[str, Any]]:
    if not CONFIG.value:
        return PRESETS[PRESET.value], {}
    if PRESET.present:
        raise UserError("give --preset or --config, not both: each says where the settings start from.")
    return read_run(Path(CONFIG.value))
