"""What a run does with a network besides training it, by what the network is for: how it is measured and drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ifcn_tf.config.presets import RunConfig
from ifcn_tf.models.method import Method
from ifcn_tf.training import classification_task, proposals_task, segmentation_task
from ifcn_tf.training.observers import Pause


class Task(NamedTuple):
    """What a network is for.

    Attributes:
        best: the score by which the best weights are chosen.
        curves: titles of the panels of `curves.png` beside that of the losses, each with the beginning of the names of
            the scalars in it.
        require_usable: takes the settings, the folders of data to train on and those to measure on; raises UserError
            where they cannot be used.
        measure: takes the settings and the folders to measure on; gives the scores of a network, `best` among them,
            and calls a Pause between images.
        draw: takes the settings and folders of data; gives pictures of a network's work, uint8 [H, W, 3].
    """

    best: str
    curves: Mapping[str, str]
    require_usable: Callable[[RunConfig, Sequence[Path], Sequence[Path]], None]
    measure: Callable[[RunConfig, Sequence[Path]], Callable[[Method, Pause], dict[str, float]]]
    draw: Callable[[RunConfig, Sequence[Path]], Callable[[Method], np.ndarray]]


#: By the name that `NetworkConfig.task` has.
TASKS = {
    "proposals": Task(
        "ar@100",
        {"IoU of trained masks": "mask_iou", "average recall, %": "ar@"},
        proposals_task.require_usable,
        proposals_task.measure,
        proposals_task.draw,
    ),
    "segmentation": Task(
        "mean_iu",
        {"accuracy of trained pixels": "pixel_accuracy", "mean IU, %": "mean_iu"},
        segmentation_task.require_usable,
        segmentation_task.measure,
        segmentation_task.draw,
    ),
    "classification": Task(
        "map@50",
        {"accuracy of trained regions": "foreground_accuracy", "mean average precision, %": "map"},
        classification_task.require_usable,
        classification_task.measure,
        classification_task.draw,
    ),
}
