"""What all files that hold the whole method have in common when they are written."""

from __future__ import annotations

import json

from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.predictor import VERSION
from ifcn_tf.models.method import WindowMethod


def require_float32(network: WindowMethod, kind: str) -> None:
    """Raises UserError unless a network computes in float32; `kind` of file names what was asked for."""
    if network.precision != "float32":
        raise UserError(
            f"{kind} file holds a float32 network, not one of {network.precision}: ask for precision float32."
        )


def stored_settings(config: ProposerConfig) -> str:
    """What a file says of itself under `engines.predictor.METADATA`, JSON."""
    return json.dumps({"version": VERSION, "proposer": config.to_dict()})
