"""Weights files: ours, and those of an ImageNet VGG-16."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import h5py
import keras

from ifcn_tf.common.files import UserError, atomic_write, read_json
from ifcn_tf.config.network import ModelConfig
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.settings import Settings

_Settings = TypeVar("_Settings", bound=Settings)


def read_model_config(weights: Path) -> ModelConfig | None:
    """The architecture that `config.json` beside a weights file states, or None when there is no such file."""
    path = weights.parent / "config.json"
    return _read_section(path, "model", ModelConfig) if path.exists() else None


def read_proposer_config(weights: Path) -> ProposerConfig:
    """How to propose with a weights file, as `config.json` beside it states; as in the paper where it does not."""
    path = weights.parent / "config.json"
    return _read_section(path, "proposer", ProposerConfig, {}) if path.exists() else ProposerConfig()


def _read_section(path: Path, name: str, kind: type[_Settings], absent: dict[str, Any] | None = None) -> _Settings:
    settings = read_json(path)
    values = settings.get(name, absent) if isinstance(settings, dict) else None
    if not isinstance(values, dict):
        raise UserError(f'{path} has no "{name}" section, or one that is no object; write it anew or remove it.')
    try:
        return kind.from_dict(values)
    except UserError as error:  # begins with the field
        raise UserError(f"{path}: {name}.{error}") from error


def store_as_float16(source: Path, target: Path) -> None:
    """Copies a weights file with all values in float16, half its size; `load_weights` reads either."""
    with h5py.File(source) as file, atomic_write(target, "wb") as out, h5py.File(out, "w") as copy:
        for name in _stored_shapes(source):
            copy[name] = file[name][()].astype("float16")


def load_weights(model: keras.Model, path: Path) -> None:
    """Loads a `*.weights.h5` file that `model.save_weights` wrote; stored in float16 or float32.

    Raises:
        UserError: no such file, no weights file, or weights of another k or another architecture.
    """
    shapes = _stored_shapes(path)
    for name, variable in _stored_names(model).items():
        if name not in shapes:
            raise UserError(f"{path} holds the weights of another architecture: it has no {variable.path}.")
        if shapes[name] != tuple(variable.shape):
            raise UserError(_mismatch(path, variable, shapes[name]))
    with _quiet():
        model.load_weights(path)


def load_backbone(model: keras.Model, source: str) -> None:
    """Gives the trunk the 13 convolutions of an ImageNet VGG-16.

    Args:
        model: `build_instance_fcn`'s model, of the default `trunk_channels`.
        source: "imagenet" (Keras downloads and caches them) or the path of a file with
            `keras.applications.VGG16(include_top=False)`'s weights.

    Raises:
        UserError: the download or the file cannot be read, or does not fit.
    """
    if source != "imagenet":
        _stored_shapes(Path(source))
    try:
        with _quiet():
            vgg16 = keras.applications.VGG16(include_top=False, weights=source)
        for layer in vgg16.layers:
            if layer.weights:
                model.get_layer(layer.name).set_weights(layer.get_weights())
    except ValueError as error:
        raise UserError(f"{source} does not hold the convolutions of a VGG-16 that fit this trunk.") from error
    except Exception as error:  # Keras' downloader raises a bare Exception.
        raise UserError(
            f"cannot get the VGG-16 weights from {source}: {str(error).splitlines()[0]}; give a local file instead."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keras warns of every container of layers that has nothing to load."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _stored_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def collect(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            shapes[name] = item.shape

    if not path.is_file():
        raise UserError(f"there is no weights file {path}: give the path of a *.weights.h5 file.")
    try:
        with h5py.File(path) as file:
            file.visititems(collect)
    except OSError as error:
        raise UserError(f"{path} is no weights file (HDF5), or it is damaged.") from error
    return shapes


def _stored_names(model: keras.Model) -> dict[str, keras.Variable]:
    """Where Keras stores each variable: it counts the layers of a class in the order of the model."""
    convolutions = [layer for layer in model.layers if layer.weights]
    folders = ["conv2d" + (f"_{i}" if i else "") for i in range(len(convolutions))]
    return {
        f"layers/{folder}/vars/{i}": variable
        for folder, layer in zip(folders, convolutions, strict=True)
        for i, variable in enumerate(layer.weights)
    }


def _mismatch(path: Path, variable: keras.Variable, stored: tuple[int, ...]) -> str:
    if variable.path.startswith("score_maps/") and stored[:-1] == tuple(variable.shape[:-1]):
        return (
            f"{path} holds weights for k = {round(stored[-1] ** 0.5)}, "
            f"the model has k = {round(variable.shape[-1] ** 0.5)}: give that k, or other weights."
        )
    return (
        f"{path} holds the weights of another architecture: "
        f"{variable.path} has shape {list(stored)} there and {list(variable.shape)} here."
    )
