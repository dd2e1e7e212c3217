"""A proposer whose proposals have names: proposing and classifying as one graph."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from ifcn_tf.classifying.classifier import Classifier
from ifcn_tf.proposing.proposer import IMAGE, Proposer, Tensors


class NamingProposer:
    """Proposes the objects of an image and names them; to `Predictor` and to exports it is as good as a `Proposer`.

    Args:
        proposer: of which the best proposals are classified, as many as the classifier asks for.
        classifier: what names them.

    Attributes:
        config: of the proposer, with the number of instances that are kept at most.
        model: the proposer's.
    """

    def __init__(self, proposer: Proposer, classifier: Classifier) -> None:
        asked, kept = classifier.config.num_rois, classifier.config.num_instances
        self.config = proposer.config.changed({"num_proposals": min(proposer.config.num_proposals, kept)})
        self.model, self._classifier = proposer.model, classifier
        self._proposer = dataclasses.replace(proposer, config=proposer.config.changed({"num_proposals": asked}))

    def compile(self) -> tf.types.experimental.ConcreteFunction:
        """As one graph, traced once for images of any size."""
        return tf.function(self.__call__).get_concrete_function(IMAGE)

    def __call__(self, image: tf.Tensor) -> Tensors:
        """An image, uint8 [H, W, 3], RGB -> what `Classifier.__call__` returns, n <= num_proposals."""
        named = self._classifier(image, self._proposer(image), self.config.mask_threshold)
        return {name: values[: self.config.num_proposals] for name, values in named.items()}
