"""Class-agnostic instance masks with instance-sensitive fully convolutional networks.

import ifcn_tf
predictor = ifcn_tf.load()  # or load("model.weights.h5")
proposals = predictor.propose("photo.jpg")

A Predictor turns photographs into `Proposals`; the Proposer inside turns pixels into arrays, in a graph.

Names are loaded on first use, so that parts which need no TensorFlow do not import it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ifcn_tf.engines.loading import load
    from ifcn_tf.predictor import Predictor, load_saved_model
    from ifcn_tf.proposals import Proposals

__version__ = "0.3.0.dev0"

__all__ = ["Predictor", "Proposals", "load", "load_saved_model"]

_HOMES = {
    "Predictor": "ifcn_tf.predictor",
    "Proposals": "ifcn_tf.proposals",
    "load": "ifcn_tf.engines.loading",
    "load_saved_model": "ifcn_tf.predictor",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
