"""A run of a network that proposes masks: average recall, and pictures of maps, windows and proposals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from ifcn_tf.config.network import require_windows
from ifcn_tf.config.presets import RunConfig
from ifcn_tf.data.photographs import find_subject, photographs, require_objects, require_positives
from ifcn_tf.models.method import Method, WindowMethod
from ifcn_tf.predictor import Predictor
from ifcn_tf.proposals import Proposals
from ifcn_tf.training import panel
from ifcn_tf.training.observers import Pause
from ifcn_tf.training.validation import LIMITS, average_recalls


def require_usable(config: RunConfig, data: Sequence[Path], validation_data: Sequence[Path]) -> None:
    """See `Task`: there are objects to train on, and to recall."""
    require_positives(data, config.data)
    if validation_data:
        require_objects(validation_data, config.train.validation_images)


def measure(config: RunConfig, data: Sequence[Path]) -> Callable[[Method, Pause], dict[str, float]]:
    """See `Task`: average recall of the first photographs."""
    proposing = dataclasses.replace(config.proposer, num_proposals=LIMITS[-1])

    def measured(network: Method, pause: Pause) -> dict[str, float]:
        predictor = Predictor.of_network(cast(WindowMethod, network), proposing)

        def propose(image: np.ndarray) -> Proposals:
            pause()
            return predictor.propose(image)

        return average_recalls(propose, photographs(data, config.train.validation_images))

    return measured


def draw(config: RunConfig, data: Sequence[Path]) -> Callable[[Method], np.ndarray]:
    """See `Task`: always the same photograph, with many positive windows."""
    photograph, example = find_subject(data, config.data, require_windows(config.model))
    return lambda network: panel.draw(cast(WindowMethod, network), config.proposer, photograph, example)
