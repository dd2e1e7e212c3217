"""The flags that hold the settings of a run: the same for every command that trains, or shows what training sees."""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from ifcn_tf.config.presets import PRESETS, RunConfig, with_settings

PRESET = flags.DEFINE_enum("preset", "paper", sorted(PRESETS), "Settings to start from.")
SET = flags.DEFINE_multi_string("set", [], "KEY=VALUE, changes a setting: train.steps=100. May be repeated.")


def run_config(more: Sequence[str] = ()) -> RunConfig:
    """The settings, with `more` of the form of --set; raises UserError on a wrong one."""
    return with_settings(PRESETS[PRESET.value], [*SET.value, *more])
