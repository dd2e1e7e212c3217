"""A classifier from its weights."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ifcn_tf.classifying.classifier import Classifier
from ifcn_tf.common.files import UserError
from ifcn_tf.config.bundled import classifier_weights
from ifcn_tf.config.network import Precision, require_classifier
from ifcn_tf.models.method import build_network
from ifcn_tf.models.weights import load_weights, read_classifying_config, read_network_config

#: A classifier, and what determines its answers, as JSON types.
LoadedClassifier = tuple[Classifier, dict[str, Any]]


def load_classifier(weights: str | Path | bool, precision: Precision = "auto") -> LoadedClassifier:
    """Loads what names proposals.

    Args:
        weights: a `*.weights.h5` file of a mask classifier, beside whose `config.json` its settings are; or "voc" or
            True, the bundled one of VOC's 20 classes.
        precision: "auto", "float32" or "bfloat16".

    Returns:
        The classifier; its settings are "classifier" and "categories", names by number.

    Raises:
        UserError: a file that cannot be used, or of another method.
    """
    path = classifier_weights(weights)
    architecture = read_network_config(path)
    try:
        require_classifier(architecture)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    network, config = build_network(architecture, precision), read_classifying_config(path)
    load_weights(network, path)
    classifier = Classifier(network, config)
    digest = hashlib.sha256(b"".join(array.tobytes() for array in network.model.get_weights())).hexdigest()
    categories = {str(number): name for number, name in classifier.categories.items()}
    return classifier, {"classifier": {"weights": digest, **config.to_dict()}, "categories": categories}
