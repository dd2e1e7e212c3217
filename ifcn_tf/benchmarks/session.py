"""An exported model as a server has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

Arrays = dict[str, np.ndarray]


class Session:
    """A SavedModel through the TF1 loader, the way in which the C++ server takes it.

    Args:
        version: folder of one version.

    Attributes:
        meta_graph: what the loader read: graph and signatures.
    """

    def __init__(self, version: Path) -> None:
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            self.meta_graph = tf.compat.v1.saved_model.load(self._session, ["serve"], str(version))

    def __call__(self, signature_name: str = "serving_default", **inputs: Any) -> Arrays:
        """The outputs of a signature for inputs, each by its name."""
        signature = self.meta_graph.signature_def[signature_name]
        feeds = {signature.inputs[name].name: value for name, value in inputs.items()}
        return self._session.run({name: info.name for name, info in signature.outputs.items()}, feeds)

    def predict(self, request: PredictRequest) -> Arrays:
        """The outputs for the message of a client; all that a server does besides is look names up."""
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        return self(request.model_spec.signature_name, **inputs)
