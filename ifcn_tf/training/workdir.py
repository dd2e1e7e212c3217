"""What a run starts from: its folder, its first weights, and what is known before the first step."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ifcn_tf.common.files import UserError, read_json, write_json
from ifcn_tf.config.presets import RunConfig
from ifcn_tf.config.proposing import ModelConfig
from ifcn_tf.models.instance_fcn.network import build_instance_fcn
from ifcn_tf.models.precision import dtype_policy
from ifcn_tf.models.weights import load_backbone, load_weights, read_model_config

#: Settings that may change when a run goes on: how long it is and how often it is looked at.
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
    and precision, and writes `config.json`.

    Raises:
        UserError: the folder holds a run that differs in some; names them.
    """
    path = workdir / "config.json"
    if path.exists() and (workdir / "checkpoints").exists():
        before = _settings(read_json(path))
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
    return {
        f"{section}.{field}": list(value) if isinstance(value, tuple) else value
        for section, fields in record.items()
        if isinstance(fields, dict) and section != "versions"
        for field, value in fields.items()
        if field not in _FREE and f"{section}.{field}" not in _FREE_PLACES
    }


def first_weights(weights: str | None, backbone: str, model: keras.Model) -> None:
    """Gives a new network its first weights: those of a trained network that fit, or ImageNet's for the trunk.

    Args:
        weights: a `*.weights.h5` file of ours, or None.
        backbone: without `weights`: "imagenet" or a file of VGG-16 weights.
        model: `build_instance_fcn`'s model.

    Raises:
        UserError: a file that cannot be read or does not fit.
    """
    if weights is None:
        load_backbone(model, backbone)
        return
    left = take_fitting_weights(model, Path(weights))
    if left:
        print(f"{weights} does not fit these layers, which start anew: {', '.join(left)}", flush=True)


def take_fitting_weights(model: keras.Model, path: Path) -> list[str]:
    """Takes from a weights file of ours, also one of another k, every layer that fits.

    Args:
        model: `build_instance_fcn`'s model.
        path: a `*.weights.h5` file, with its `config.json` beside it unless it is of the default architecture.

    Returns:
        Names of the layers that did not fit and keep the weights they had.

    Raises:
        UserError: no such file, or no weights of ours.
    """
    source = build_instance_fcn(read_model_config(path) or ModelConfig(), "float32")
    load_weights(source, path)
    left = []
    for layer in (layer for layer in model.layers if layer.weights):
        taken = source.get_layer(layer.name).get_weights()
        if [w.shape for w in taken] == [tuple(w.shape) for w in layer.weights]:
            layer.set_weights(taken)
        else:
            left.append(layer.name)
    return left


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
