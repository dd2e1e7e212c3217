"""A network that was loaded, and the proposer around it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import keras

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import ModelConfig, Precision
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models.instance_fcn.inference import InferenceModel
from ifcn_tf.models.instance_fcn.network import build_instance_fcn
from ifcn_tf.models.weights import load_backbone, load_weights, read_model_config, read_proposer_config
from ifcn_tf.proposing.proposer import Proposer

#: The bundled weights (savedmodels/MODEL_CARD.md).
DEFAULT_WEIGHTS = Path(__file__).parents[2] / "savedmodels" / "default" / "model.weights.h5"


def load_network(
    weights: str | Path | None = None,
    *,
    backbone_weights: str | None = None,
    k: int | None = None,
    precision: Precision = "auto",
    **settings: Any,
) -> tuple[keras.Model, ProposerConfig]:
    """The network behind `load` and the settings of its proposer; arguments and errors are those of `load`."""
    if backbone_weights:
        return _untrained(weights, backbone_weights, k, precision), ProposerConfig.from_dict(settings)
    path = Path(weights or DEFAULT_WEIGHTS)
    config = read_proposer_config(path).changed(settings)
    model_config = read_model_config(path) or _model_config(k)
    if k not in (None, model_config.k):
        raise UserError(f"{path} holds weights for k = {model_config.k}, not {k}: leave k out, or take other weights.")
    model = build_instance_fcn(model_config, precision)
    load_weights(model, path)
    return model, config


def network_proposer(model: keras.Model, config: ProposerConfig) -> Proposer:
    """The proposer around a copy of the present weights of `build_instance_fcn`'s model."""
    copy = InferenceModel(model, config.blend_cells)
    return Proposer(copy, config, window_cells=copy.window_cells)


def settings_of(model: keras.Model, config: ProposerConfig) -> dict[str, Any]:
    """What determines the proposals of a network, as JSON types."""
    return {
        "weights": hashlib.sha256(b"".join(array.tobytes() for array in model.get_weights())).hexdigest(),
        "precision": model.get_layer("block1_conv1").compute_dtype,
        "proposer": config.to_dict(),
    }


def _untrained(weights: str | Path | None, backbone_weights: str, k: int | None, precision: Precision) -> keras.Model:
    if weights:
        raise UserError("give weights or backbone_weights, not both: weights hold the trunk too.")
    model = build_instance_fcn(_model_config(k), precision)
    load_backbone(model, backbone_weights)
    return model


def _model_config(k: int | None) -> ModelConfig:
    return ModelConfig() if k is None else ModelConfig(k=k)
