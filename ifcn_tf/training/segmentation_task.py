"""A run of a network that names the class of each pixel: mean IU, and pictures of its answer beside the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ifcn_tf.config.network import require_segmentation
from ifcn_tf.config.presets import RunConfig
from ifcn_tf.data.class_masks import require_classes
from ifcn_tf.data.photographs import classes_of, photographs, pixels_of
from ifcn_tf.evaluation.confusion import confusion, pixel_measures
from ifcn_tf.models.method import Method
from ifcn_tf.pictures.classes import draw_classes
from ifcn_tf.segmenting.segmenter import Segmenter
from ifcn_tf.training.observers import Pause

#: Photographs among which the one that is drawn is chosen.
_TRIES = 50


def require_usable(config: RunConfig, data: Sequence[Path], validation_data: Sequence[Path]) -> None:
    """See `Task`: all photographs have class masks, of the network's classes."""
    require_classes([*data, *validation_data], require_segmentation(config.model), config.data)


def measure(config: RunConfig, data: Sequence[Path]) -> Callable[[Method, Pause], dict[str, float]]:
    """See `Task`: pixel accuracy, mean accuracy and mean IU of the first photographs [%]."""

    def measured(network: Method, pause: Pause) -> dict[str, float]:
        segmenter = Segmenter(network, config.segmenter)
        total = np.zeros((len(segmenter.names),) * 2, np.int64)
        for example in photographs(data, config.train.validation_images):
            pause()
            total += confusion(classes_of(example), segmenter.segment(pixels_of(example)), len(segmenter.names))
        return {name: float(value) for name, value in pixel_measures(total).items()}

    return measured


def draw(config: RunConfig, data: Sequence[Path]) -> Callable[[Method], np.ndarray]:
    """See `Task`: the network's classes beside the true ones, on the photograph with the most of them."""
    example = max(photographs(data, _TRIES), key=lambda example: len(np.unique(classes_of(example))))
    pixels, names = pixels_of(example), require_segmentation(config.model).classes

    def drawn(network: Method) -> np.ndarray:
        answers = (Segmenter(network, config.segmenter).segment(pixels), classes_of(example))
        return np.concatenate([np.asarray(draw_classes(pixels, classes, names)) for classes in answers], 1)

    return drawn
