"""The files that come with the library: trained models and ImageNet weights of trunks."""

from __future__ import annotations

from pathlib import Path

from ifcn_tf.config.settings import require, require_known

_PACKAGE = Path(__file__).parents[1]
#: Inside the package where it was installed from a wheel, beside it in a clone.
_INSTALLED, _CLONED = _PACKAGE / "savedmodels", _PACKAGE.parent / "savedmodels"
_SAVEDMODELS = _INSTALLED if _INSTALLED.exists() else _CLONED
#: Folder of ImageNet weights, a file `TRUNK_imagenet.npz` for each trunk that has some.
BACKBONES = _SAVEDMODELS / "backbones"
#: A photograph to try things on.
SAMPLE = _SAVEDMODELS / "sample" / "coffee.jpg"
#: The default model for OpenVINO, in integers of 8 bits.
QUANTIZED = _SAVEDMODELS / "default" / "int8.onnx"
#: Names of the trained models, each a folder with a model card.
MODELS = ("default", "vgg16")

#: Names of the trained mask classifiers, and their folders.
_CLASSIFIERS = {"voc": "classifier"}


def model_weights(name: str) -> Path:
    """The weights file of a trained model; raises UserError on an unknown name, and where it was not installed."""
    require_known("model", name, MODELS)
    path = _path(name)
    require(path.exists(), f"the model {name} is not installed here ({path}): a clone of the repository has it.")
    return path


def quantized_model() -> Path:
    """The file of the default model for OpenVINO, in integers of 8 bits; raises UserError where it is not installed."""
    require(
        QUANTIZED.exists(),
        f"the default model in 8 bits is not installed here ({QUANTIZED}): give a file of your own.",
    )
    return QUANTIZED


def classifier_weights(weights: str | Path | bool) -> Path:
    """The file of what names proposals: a word, or True, is a trained classifier, all else a path.

    Raises:
        UserError: a word that is no classifier's name, or one that is not installed.
    """
    name = next(iter(_CLASSIFIERS)) if weights is True else str(weights)
    if not _is_name(name):
        return Path(name)
    require_known("classifier", name, _CLASSIFIERS)
    path = _path(_CLASSIFIERS[name])
    require(path.exists(), f"the classifier {name} is not installed here ({path}): give the file of one of your own.")
    return path


def installed_models() -> dict[str, Path]:
    """The weights files of the trained models that are installed here, by name."""
    return {name: _path(name) for name in MODELS if _path(name).exists()}


def _path(name: str) -> Path:
    return _SAVEDMODELS / name / "model.weights.h5"


def weights_file(weights: str | Path | None) -> Path:
    """The file that a user means: a word is the name of a trained model, all else a path, None the default model.

    Raises:
        UserError: a word that is no model's name.
    """
    is_name = isinstance(weights, str) and _is_name(weights)
    return model_weights(str(weights or MODELS[0])) if is_name or weights is None else Path(weights)


def _is_name(text: str) -> bool:
    return Path(text).name == text and not Path(text).suffix
