"""Windows that another network scores: masks of one, their order of the other, as in DeepMask20*."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.proposing.scales import Tensors
from ifcn_tf.proposing.window_model import TRUNK, WindowModel

#: Before the names of the other model's features.
_PREFIX = "scores_"


class ScoredByAnother:
    """A `WindowModel` of two, whose windows are the same.

    Args:
        model: makes the masks.
        scorer: tells objectness.
    """

    def __init__(self, model: WindowModel, scorer: WindowModel) -> None:
        self._model, self._scorer = model, scorer

    def features(self, image: tf.Tensor) -> Tensors:
        """Those of both models, of the same image, but what only descriptors need."""
        models = {"": self._model, _PREFIX: self._scorer}
        found = {prefix: model.features(image) for prefix, model in models.items()}
        return {prefix + name: found[prefix][name] for prefix in found for name in found[prefix] if name != TRUNK}

    def objectness(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """What the scorer says of windows int32 [N, 2], logits [N]."""
        own = {name.removeprefix(_PREFIX): value for name, value in features.items() if name.startswith(_PREFIX)}
        return self._scorer.objectness(own, windows)

    def masks(self, features: Tensors, windows: tf.Tensor) -> tf.Tensor:
        """Logits [N, m, m] of windows int32 [N, 2]."""
        return self._model.masks(features, windows)
