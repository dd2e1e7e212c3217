"""A network that was loaded, and the proposer around it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import NetworkConfig, Precision, network_config
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models.method import Method, build_network
from ifcn_tf.models.weights import load_weights, read_network_config, read_proposer_config
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
) -> tuple[Method, ProposerConfig]:
    """The network behind `load` and the settings of its proposer; arguments and errors are those of `load`."""
    if backbone_weights:
        return _untrained(weights, backbone_weights, k, precision), ProposerConfig.from_dict(settings)
    path = Path(weights or DEFAULT_WEIGHTS)
    network_settings = read_network_config(path)
    _require_k(k, network_settings, path)
    config = read_proposer_config(path).changed(settings)
    network = build_network(network_settings, precision)
    load_weights(network, path)
    return network, config


def network_proposer(network: Method, config: ProposerConfig) -> Proposer:
    """The proposer around a copy of the present weights of a network."""
    return Proposer(network.window_model(config), config, network.config.grid)


def settings_of(network: Method, config: ProposerConfig) -> dict[str, Any]:
    """What determines the proposals of a network, as JSON types."""
    return {
        "weights": hashlib.sha256(b"".join(array.tobytes() for array in network.model.get_weights())).hexdigest(),
        "precision": network.precision,
        "proposer": config.to_dict(),
    }


def _untrained(weights: str | Path | None, backbone_weights: str, k: int | None, precision: Precision) -> Method:
    if weights:
        raise UserError("give weights or backbone_weights, not both: weights hold the trunk too.")
    network = build_network(network_config({} if k is None else {"k": k}), precision)
    network.trunk.load_imagenet(network.model, backbone_weights)
    return network


def _require_k(k: int | None, config: NetworkConfig, path: Path) -> None:
    held = config.to_dict().get("k")
    if k not in (None, held):
        raise UserError(f"{path} holds weights for k = {held}, not {k}: leave k out, or take other weights.")
