"""The folder of a run: what it records of itself, and that it goes on with the same settings only."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ifcn_tf.common.files import UserError, read_json, write_json
from ifcn_tf.config.presets import RunConfig
from ifcn_tf.models.parts.precision import dtype_policy

#: Settings that may change when a run goes on: how long it is, unless its learning rates depend on that, and how often
#: it is looked at.
_FREE = {
    "steps",
    "log_every",
    "checkpoint_every",
    "keep_checkpoints",
    "validate_every",
    "validation_images",
    "pictures_every",
}
#: What else may change: where the same data lie, what is measured beside, and the devices, which do not matter.
_FREE_PLACES = {"places.data", "places.validation_data", "devices.strategy", "devices.replicas"}


def run_record(config: RunConfig, strategy: tf.distribute.Strategy, places: dict[str, Any]) -> dict[str, Any]:
    """What is written beside the weights: settings, places, devices, the versions of the software and the commit.

    Args:
        config: the settings.
        strategy: the devices.
        places: what the run reads, as plain JSON types.
    """
    devices = {
        "strategy": type(strategy).__name__,
        "replicas": strategy.num_replicas_in_sync,
        "precision": dtype_policy(config.train.precision).removeprefix("mixed_"),
    }
    versions = {"python": platform.python_version(), "tensorflow": tf.__version__, "keras": keras.__version__}
    return {**config.to_dict(), "places": places, "devices": devices, "versions": versions, "commit": _commit()}


def open_workdir(workdir: Path, record: dict[str, Any]) -> None:
    """Makes the folder of a run, or checks that the run in it has the same settings, data, weights
    and precision, and writes `config.json`. A setting that the run in it has not recorded, is the default.

    Raises:
        UserError: the folder holds a run that differs in some; names them.
    """
    path = workdir / "config.json"
    if path.exists() and (workdir / "checkpoints").exists():
        unrecorded = {**RunConfig().to_dict(), "places": {"data_shares": [], "data_partial": []}}
        before = {**_settings(unrecorded), **_settings(read_json(path))}
        now = _settings(record)
        changed = sorted(key for key in now if before.get(key, now[key]) != now[key])
        if changed:
            raise UserError(
                f"{workdir} holds a run with other settings ({', '.join(f'{k}={before[k]}' for k in changed)}): "
                "give the same ones to go on with it, or another --workdir."
            )
    write_json(path, record)


def _settings(record: dict[str, Any]) -> dict[str, Any]:
    """Flat "section.field" settings that determine the weights of a run and which are the best, as JSON types."""
    free = _FREE - ({"steps"} if record.get("train", {}).get("schedule") == "cosine" else set())
    return {
        f"{section}.{field}": list(value) if isinstance(value, tuple) else value
        for section, fields in record.items()
        if isinstance(fields, dict) and section != "versions"
        for field, value in fields.items()
        if field not in free and f"{section}.{field}" not in _FREE_PLACES
    }


def _commit() -> str:
    """The commit of this code, with "+" if it was changed since; "unknown" outside a checkout of its own."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():  # a checkout around it, as around an environment, is of another project
        return "unknown"
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
