"""The files that come with the library: trained models and ImageNet weights of trunks."""

from __future__ import annotations

from pathlib import Path

from ifcn_tf.config.settings import require_known

_SAVEDMODELS = Path(__file__).parents[2] / "savedmodels"
#: Folder of ImageNet weights, a file `TRUNK_imagenet.npz` for each trunk that has some.
BACKBONES = _SAVEDMODELS / "backbones"
#: Names of the trained models, each a folder with a model card.
MODELS = ("default", "vgg16")


def model_weights(name: str) -> Path:
    """The weights file of a trained model; raises UserError on an unknown name."""
    require_known("model", name, MODELS)
    return _SAVEDMODELS / name / "model.weights.h5"


def weights_file(weights: str | Path | None) -> Path:
    """The file that a user means: the name of a trained model, the path of a weights file, or None for the default."""
    return model_weights(weights or "default") if weights in (None, *MODELS) else Path(weights)
