"""The flags that hold the settings of a run: the same for every command that trains, or shows what training sees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from absl import flags

from ifcn_tf.config.network import METHODS, TRUNKS
from ifcn_tf.config.presets import PRESETS, RunConfig, with_settings

PRESET = flags.DEFINE_enum("preset", "paper", sorted(PRESETS), "Settings to start from.")
SET = flags.DEFINE_multi_string(
    "set", [], "KEY=VALUE, changes a setting: train.steps=100; --print_settings lists all keys. May be repeated."
)
METHOD = flags.DEFINE_string("method", None, f"Short for --set model.method=NAME: {', '.join(METHODS)}.")
TRUNK = flags.DEFINE_string("trunk", None, f"Short for --set model.trunk=NAME: {', '.join(TRUNKS)}.")
PRINT = flags.DEFINE_bool("print_settings", False, "Print all settings of the run as JSON, by their keys, and stop.")


def run_config(more: Sequence[str] = ()) -> RunConfig:
    """The settings, with `more` of the form of --set; raises UserError on a wrong one."""
    named = [f"model.{flag.name}={flag.value}" for flag in (METHOD, TRUNK) if flag.value]
    return with_settings(PRESETS[PRESET.value], [*SET.value, *named, *more])


def printed(config: RunConfig) -> bool:
    """Whether --print_settings asks for nothing but the settings, which are then printed."""
    if PRINT.value:
        print(json.dumps(config.to_dict(), indent=2))
    return PRINT.value


def required(flag: flags.FlagHolder[Any]) -> None:
    """Makes a flag one that a run needs; --print_settings does without."""
    flags.register_multi_flags_validator(
        [flag, PRINT],
        lambda values: bool(values[flag.name] or values[PRINT.name]),
        f"--{flag.name} is needed, unless --print_settings asks for the settings alone",
    )
