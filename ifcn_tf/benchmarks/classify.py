"""Naming the proposals of a photograph beside proposing them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from ifcn_tf.benchmarks.inference import SIZE_HW, resized
from ifcn_tf.benchmarks.timing import in_turn, median_ms, median_ratio
from ifcn_tf.classifying.loading import load_classifier
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.images.tensors import read_image
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.proposing.network import network_proposer


def run(
    network: WindowMethod, config: ProposerConfig, classifier: str, photograph: Path, rounds: int
) -> Iterator[dict[str, Any]]:
    """Measures one photograph at 480 x 640 px, in a graph each, from pixels to proposals and from these to instances.

    Args:
        network: that proposes.
        config: how it does.
        classifier: weights of what names (`load_classifier`).
        photograph: resized.
        rounds: how often both are timed; medians are reported.

    Yields:
        A row of JSON types: times [ms], the ratio of naming to proposing, and how many are named.
    """
    image = tf.constant(resized(read_image(photograph), SIZE_HW))
    propose = network_proposer(network, config).compile()
    names, _ = load_classifier(classifier)
    proposals = propose(image)
    name = tf.function(lambda pixels, found: names(pixels, found, config.mask_threshold))
    seconds = in_turn({"propose": lambda: propose(image), "name": lambda: name(image, proposals)}, rounds)
    yield {
        "propose_ms": median_ms(seconds["propose"]),
        "name_ms": median_ms(seconds["name"]),
        "ratio": median_ratio(seconds["name"], seconds["propose"]),
        "named": min(names.config.num_rois, len(proposals["scores"])),
        "precision": network.precision,
    }
