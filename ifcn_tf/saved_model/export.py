"""SavedModels in TensorFlow Serving's layout, NAME/1, NAME/2 and so on; `signatures` says what they answer."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import tensorflow as tf

from ifcn_tf.classifying.loading import LoadedClassifier
from ifcn_tf.common.files import UserError, naming, unfinished_folder, write_json
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.segmenting import SegmenterConfig
from ifcn_tf.config.settings import require
from ifcn_tf.images.files import MAX_PIXELS
from ifcn_tf.models.method import Method, WindowMethod
from ifcn_tf.proposing.network import settings_of
from ifcn_tf.saved_model.load import SETTINGS, versions
from ifcn_tf.saved_model.segmentation import SegmentationModule
from ifcn_tf.saved_model.signatures import ServingConfig, ServingModule
from ifcn_tf.saved_model.warm_up import write_requests


def export(
    network: WindowMethod,
    config: ProposerConfig,
    folder: Path,
    serving: ServingConfig | None = None,
    model_name: str = "ifcn",
    classifier: LoadedClassifier | None = None,
) -> Path:
    """Writes the next version of a served model.

    Args:
        network: with its weights.
        config: scales, thresholds and the number N of proposals; fixed from then on.
        folder: of all versions of the model; made when absent.
        serving: limits and form of the answers.
        model_name: under which a server has the model; its warm-up requests ask for it.
        classifier: what names the proposals, as `load_classifier` gives it, or None.

    Returns:
        The folder of the version, one above the highest so far. It appears at once and whole.

    Raises:
        UserError: the folder cannot be written, or a setting cannot be used.
    """
    serving = serving or ServingConfig()
    named, described = classifier or (None, {})
    module = ServingModule(network, config, serving, named)
    settings = {**settings_of(network, module.config), **described, "serving": serving.to_dict()}
    return _export(module, settings, folder, model_name)


def export_segmentation(
    network: Method, config: SegmenterConfig, folder: Path, max_pixels: int = MAX_PIXELS, model_name: str = "ifcn"
) -> Path:
    """Writes the next version of a served model that names the class of each pixel.

    Args:
        network: with its weights.
        config: the size at which the network sees an image; fixed from then on.
        folder, model_name: see `export`.
        max_pixels: larger images are refused [px].

    Returns:
        The folder of the version.

    Raises:
        UserError: the folder cannot be written, or the network names no classes.
    """
    module = SegmentationModule(network, config, max_pixels)
    settings = {"precision": network.precision, "segmenter": config.to_dict(), "serving": {"max_pixels": max_pixels}}
    return _export(module, settings, folder, model_name)


def _export(
    module: ServingModule | SegmentationModule, settings: dict[str, Any], folder: Path, model_name: str
) -> Path:
    require(bool(model_name), "model_name must not be empty.")
    try:
        # Servers take folders with a number for a name, so one that a killed export leaves behind is never loaded.
        with naming(folder), unfinished_folder(folder) as unfinished:
            signatures = module.signatures()
            tf.saved_model.save(module, str(unfinished), signatures)
            write_requests(unfinished, model_name, {name: module.max_pixels(name) for name in signatures})
            write_json(unfinished / SETTINGS, settings)
            return _as_next_version(unfinished, folder)
    except tf.errors.OpError as error:  # TensorFlow writes the variables; a full disk is its ResourceExhaustedError
        raise UserError(f"cannot write {folder}: {error.message}; free some space or choose another place.") from error


def _as_next_version(unfinished: Path, folder: Path) -> Path:
    """Renames a finished folder to the next free version; renaming never replaces a folder that holds something."""
    version = max(versions(folder), default=0) + 1
    while True:
        try:
            return unfinished.rename(folder / str(version))
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
        version += 1  # another export took the name meanwhile
