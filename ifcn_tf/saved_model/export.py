"""SavedModels in TensorFlow Serving's layout, NAME/1, NAME/2 and so on; `serving_graph` says what they answer."""

from __future__ import annotations

import errno
import shutil
import tempfile
import time
from pathlib import Path

import tensorflow as tf

from ifcn_tf.common.files import UserError, unwritable, write_json
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.settings import require
from ifcn_tf.models.method import Method
from ifcn_tf.proposing.network import settings_of
from ifcn_tf.saved_model.load import SETTINGS, versions
from ifcn_tf.saved_model.signatures import ServingConfig, ServingModule
from ifcn_tf.saved_model.warm_up import write_requests

#: Beginning and end of the name of a version's folder until it is whole.
_PREFIX, _SUFFIX = ".export-", ".tmp"
#: No export takes as long [s].
_ABANDONED = 24 * 3600


def export(
    network: Method,
    config: ProposerConfig,
    folder: Path,
    serving: ServingConfig | None = None,
    model_name: str = "ifcn",
) -> Path:
    """Writes the next version of a served model.

    Args:
        network: with its weights.
        config: scales, thresholds and the number N of proposals; fixed from then on.
        folder: of all versions of the model; made when absent.
        serving: limits and form of the answers.
        model_name: under which a server has the model; its warm-up requests ask for it.

    Returns:
        The folder of the version, one above the highest so far. It appears at once and whole.

    Raises:
        UserError: the folder cannot be written, or a setting cannot be used.
    """
    require(bool(model_name), "model_name must not be empty.")
    serving = serving or ServingConfig()
    module = ServingModule(network, config, serving)  # first, since it may refuse the settings
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        # Servers take folders with a number for a name, so one that a killed export leaves behind is never loaded.
        temporary = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX, dir=folder))
        signatures = module.signatures()
        tf.saved_model.save(module, str(temporary), signatures)
        write_requests(temporary, model_name, {name: module.max_pixels(name) for name in signatures})
        write_json(temporary / SETTINGS, {**settings_of(network, config), "serving": serving.to_dict()})
        temporary.chmod(0o755)  # a server may be another user
        return _as_next_version(temporary, folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    except tf.errors.OpError as error:  # TensorFlow writes the variables; a full disk is its ResourceExhaustedError
        raise UserError(f"cannot write {folder}: {error.message}; free some space or choose another place.") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Removes what exports that were killed long ago left behind."""
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        if time.time() - path.stat().st_mtime > _ABANDONED:
            shutil.rmtree(path, ignore_errors=True)


def _as_next_version(temporary: Path, folder: Path) -> Path:
    """Renames a finished folder to the next free version; renaming never replaces a folder that holds something."""
    version = max(versions(folder), default=0) + 1
    while True:
        try:
            return temporary.rename(folder / str(version))
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
        version += 1  # another export took the name meanwhile
