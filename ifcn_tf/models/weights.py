"""Weights files: every variable under its own name, and beside them a `config.json` that says whose they are.

`config.json` holds the settings of the network ("model": method, trunk and so on), how it proposes ("proposer"), and
the version and SHA-256 of the weights file ("weights"), so that a file that was damaged or exchanged is refused.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import h5py
import keras
import numpy as np

from ifcn_tf.common.files import UserError, read_json, write_bytes, write_json
from ifcn_tf.config.bundled import weights_file
from ifcn_tf.config.classifying import ClassifyingConfig
from ifcn_tf.config.network import NetworkConfig, network_config
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.segmenting import SegmenterConfig
from ifcn_tf.config.settings import Settings
from ifcn_tf.models.method import Method

#: Raised whenever an older reader would misread the file.
FORMAT_VERSION = 2
#: The weights' file, and its section of `config.json`.
WEIGHTS, _SECTION = "model.weights.h5", "weights"
#: What is trained after a network: sections of `config.json`, each of a file beside the weights (`beside`).
SCORE_HEAD, REFINER, FOCUS = BESIDE = "score_head", "refiner", "focus"

_Settings = TypeVar("_Settings", bound=Settings)


def save_weights(network: Method, folder: Path, record: dict[str, Any], metrics: dict[str, float]) -> None:
    """Writes `model.weights.h5` (float32), with `config.json` and `metrics.json` beside it.

    Args:
        network: whose present weights are written.
        folder: made when absent.
        record: what else `config.json` says, such as the settings of the run.
        metrics: of these weights.

    Raises:
        UserError: the folder cannot be written; weights that were there before are still whole.
    """
    arrays = {variable.path: np.array(variable) for variable in network.model.weights}
    write_arrays(folder / WEIGHTS, arrays, {**record, "model": network.config.to_dict()})
    write_json(folder / "metrics.json", metrics)


def beside(weights: Path, section: str) -> Path:
    """The file beside a weights file that a section of `config.json` describes."""
    return weights.parent / f"{section}.weights.h5"


def store_as_float16(source: Path, folder: Path) -> None:
    """Copies a weights file and its `config.json` into a folder with all values in float16, half the size."""
    arrays = {name: array.astype(np.float16) for name, array in read_weights(source).items()}
    for section in read_record(source).keys() & set(BESIDE):  # they are small, and stay as they are
        write_bytes(beside(folder / WEIGHTS, section), content_of(beside(source, section)))
    write_arrays(folder / WEIGHTS, arrays, read_record(source))


def without(record: dict[str, Any], sections: Collection[str]) -> dict[str, Any]:
    """A `config.json` less some of its sections."""
    return {name: value for name, value in record.items() if name not in sections}


def average_weights(sources: Sequence[Path], folder: Path) -> None:
    """Writes the mean of several weights of one network into a folder, with the `config.json` of the last.

    Of runs that began with the same weights the mean is often better than each (Wortsman et al., ICML 2022). What was
    trained after any of them is left behind.

    Raises:
        UserError: no such file, a damaged one, or one of another network than the first.
    """
    networks = [read_weights(source) for source in sources]
    shapes = [{name: array.shape for name, array in arrays.items()} for arrays in networks]
    for source, held in zip(sources, shapes, strict=True):
        if held != shapes[0]:
            raise UserError(f"{source} holds the weights of another architecture than {sources[0]}.")
    mean = {name: np.asarray(np.mean([arrays[name] for arrays in networks], 0)) for name in shapes[0]}
    write_arrays(folder / WEIGHTS, mean, without(read_record(sources[-1]), BESIDE))


def load_weights(network: Method, path: Path) -> None:
    """Gives a network the weights of a file that `save_weights` or `store_as_float16` wrote.

    Raises:
        UserError: no such file, or one that is damaged or of another network.
    """
    arrays = read_weights(path)
    variables = {variable.path: variable for variable in network.model.weights}
    unlike = [name for name in arrays.keys() | variables.keys() if not _fits(variables.get(name), arrays, name)]
    if unlike:
        raise UserError(
            f"{path} holds the weights of another architecture: {min(unlike)} differs; the config.json beside "
            "it must say the network's own settings, such as its classes."
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])


def take_fitting_weights(network: Method, path: Path) -> list[str]:
    """Takes from a weights file, also of another k or method, every layer that fits by name and shape.

    Returns:
        Names of the layers that keep the weights they had.

    Raises:
        UserError: no such file, a damaged one, or one without any layer that fits.
    """
    arrays, left, taken = read_weights(path), [], 0
    for layer in (layer for layer in network.model.layers if layer.weights):
        if all(_fits(variable, arrays, variable.path) for variable in layer.weights):
            layer.set_weights([arrays[variable.path] for variable in layer.weights])
            taken += 1
        else:
            left.append(layer.name)
    if not taken:
        raise UserError(f"{path} has no layer that fits this network: take weights of the same trunk.")
    return left


def _fits(variable: keras.Variable | None, arrays: Mapping[str, np.ndarray], name: str) -> bool:
    return variable is not None and name in arrays and arrays[name].shape == tuple(variable.shape)


def read_network_config(path: Path) -> NetworkConfig:
    """The architecture of the network that a weights file is of; raises UserError when nothing beside it says so."""
    _described(path, _SECTION)
    section = _section(path, "model")
    return _named(path, "model", lambda: network_config(section))


def task_of(weights: str | Path) -> str:
    """What the network of a weights file is for (`NetworkConfig.task`); `weights` and errors as of `weights_file`."""
    return read_network_config(weights_file(weights)).task


def read_proposer_config(path: Path) -> ProposerConfig:
    """How to propose with a weights file, as `config.json` beside it states; as in the paper where it does not."""
    return _read_settings(path, "proposer", ProposerConfig)


def read_segmenter_config(path: Path) -> SegmenterConfig:
    """How to segment with a weights file, as `config.json` beside it states; as published where it does not."""
    return _read_settings(path, "segmenter", SegmenterConfig)


def read_classifying_config(path: Path) -> ClassifyingConfig:
    """How to name proposals with a weights file, as `config.json` beside it states; as published where it does not."""
    return _read_settings(path, "classifier", ClassifyingConfig)


def _read_settings(path: Path, name: str, kind: type[_Settings]) -> _Settings:
    section = _section(path, name) if name in read_record(path) else {}
    return _named(path, name, lambda: kind.from_dict(section))


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a weights file by the paths of their variables, such as "score_maps/kernel".

    Raises:
        UserError: no such file, or it is not the one that `config.json` beside it describes.
    """
    return read_arrays(path, _SECTION)


def read_arrays(path: Path, section: str) -> dict[str, np.ndarray]:
    """As `read_weights`, of a file that another section of `config.json` describes."""
    described, content = _described(path, section), content_of(path)
    if _digest(content) not in (described.get("sha256"), described.get("sha256_before")):
        config_path = path.parent / "config.json"
        raise UserError(f"{path} is damaged, or not the file that {config_path} describes: copy both again.")
    arrays: dict[str, np.ndarray] = {}

    def collect(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    try:
        with h5py.File(io.BytesIO(content)) as file:
            file.visititems(collect)
    except OSError as error:  # whatever `config.json` says of it
        raise UserError(f"{path} is no HDF5 file, as weights are: copy it again.") from error
    return arrays


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], record: dict[str, Any], section: str = _SECTION) -> None:
    """Writes a file of arrays and a `config.json` of a record and of a section that describes the file.

    The two fit each other whenever the process is killed.
    """
    content, config_path = io.BytesIO(), path.parent / "config.json"
    with h5py.File(content, "w") as file:  # in memory: on a full disk HDF5 ends the process
        for name, array in arrays.items():
            file[name] = array
    described = {"version": FORMAT_VERSION, "sha256": _digest(content.getvalue())}
    before, is_new = _digest(content_of(path)) if path.exists() else None, not config_path.exists()
    write_json(config_path, {**record, section: {**described, "sha256_before": before}})
    try:
        write_bytes(path, content.getvalue())
    except UserError:
        if is_new:  # it would describe what is not there
            config_path.unlink()
        raise
    write_json(config_path, {**record, section: described})


def content_of(path: Path) -> bytes:
    """The bytes of a file; raises UserError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; give a *.weights.h5 file.") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_record(path: Path) -> dict[str, Any]:
    """The `config.json` beside a weights file; raises UserError where one of them is absent or it is no object."""
    config_path = path.parent / "config.json"
    if not path.is_file():
        raise UserError(f"there is no weights file {path}: give the path of a *.weights.h5 file.")
    if not config_path.is_file():
        raise UserError(f"there is no {config_path}, which says what network {path.name} is of: copy it along.")
    content = read_json(config_path)
    if not isinstance(content, dict):
        raise UserError(f"{config_path} is no object: copy it anew.")
    return content


def _described(path: Path, section: str) -> dict[str, Any]:
    """What `config.json` says of the weights file; raises UserError unless it is of the version that is read."""
    config_path, described = path.parent / "config.json", read_record(path).get(section)
    version = described.get("version") if isinstance(described, dict) else None
    if not isinstance(described, dict) or version != FORMAT_VERSION:
        raise UserError(
            f'{config_path} has no "{section}" section of version {FORMAT_VERSION}: {path.name} is of another release '
            "of this program, whose weights are not read; train anew, or take the bundled ones."
        )
    return described


def _section(path: Path, name: str) -> dict[str, Any]:
    values = read_record(path).get(name)
    if not isinstance(values, dict):
        raise UserError(
            f'{path.parent / "config.json"} has no "{name}" section, or one that is no object: it is not what '
            "belongs to weights of this program."
        )
    return values


def _named(path: Path, section: str, make: Callable[[], _Settings]) -> _Settings:
    """Puts the file and the section before errors, which begin with the field."""
    try:
        return make()
    except UserError as error:
        raise UserError(f"{path.parent / 'config.json'}: {section}.{error}") from error
