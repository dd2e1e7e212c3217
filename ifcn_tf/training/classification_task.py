"""A run of a network that names proposals: average precision of its instances, and a picture of them beside the truth.

Both look at the proposals that the records hold, whose masks have 14 x 14 cells in their boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from ifcn_tf.annotations.example import Example
from ifcn_tf.classifying.classifier import Classifier
from ifcn_tf.config.network import ROI_CELLS, require_classifier
from ifcn_tf.config.presets import RunConfig
from ifcn_tf.config.proposing import ShownConfig
from ifcn_tf.data.photographs import photographs_with_regions, pixels_of
from ifcn_tf.data.regions import Regions
from ifcn_tf.data.rois import require_regions
from ifcn_tf.evaluation.instances import match_category
from ifcn_tf.masks.paste import logits
from ifcn_tf.models.method import Method
from ifcn_tf.pictures.proposals import draw_proposals, tile
from ifcn_tf.proposals import Proposals
from ifcn_tf.proposing.proposer import IMAGE
from ifcn_tf.results.reader import ImageResults
from ifcn_tf.training.observers import Pause

#: Photographs among which the one that is drawn is chosen.
_TRIES = 50
#: Of the records' masks, which are shares.
_THRESHOLD = 0.5
_SHOWN = ShownConfig(count=12, min_score=0.1)


def require_usable(config: RunConfig, data: Sequence[Path], validation_data: Sequence[Path]) -> None:
    """See `Task`: all photographs have regions, and the network's classes."""
    require_regions([*data, *validation_data], require_classifier(config.model), config.data)


def measure(config: RunConfig, data: Sequence[Path]) -> Callable[[Method, Pause], dict[str, float]]:
    """See `Task`: mAP^r at IoU .5 of the first photographs, by 11 points and as the area [%]."""

    def measured(network: Method, pause: Pause) -> dict[str, float]:
        name, found, images = namer(network, config), [], []
        for example, regions in photographs_with_regions(data, config.train.validation_images):
            pause()
            named = name(example, regions)
            found.append(ImageResults(named.rles, named.boxes_xywh(), named.scores, np.asarray(named.category_ids)))
            images.append(example)
        once = np.ones((1, len(images)), int)
        held = {item.category_id for image in images for item in image.objects if not item.is_crowd}
        precisions = [match_category(found, images, category)[0].average_precisions(once)[:, 0] for category in held]
        eleven, area = 100 * np.mean(precisions, 0) if precisions else (0.0, 0.0)
        return {"map@50": float(eleven), "map_area@50": float(area)}

    return measured


def draw(config: RunConfig, data: Sequence[Path]) -> Callable[[Method], np.ndarray]:
    """See `Task`: named proposals beside the true objects, on the photograph with the most classes."""
    example, regions = max(photographs_with_regions(data, _TRIES), key=_num_classes)
    pixels, categories = pixels_of(example), require_classifier(config.model).categories
    numbers = np.array([item.category_id for item in example.objects], np.int64)
    truth = Proposals(example.size_hw, np.ones(len(numbers)), example.rles, numbers, categories)

    def drawn(network: Method) -> np.ndarray:
        named = namer(network, config)(example, regions).distinct(_SHOWN)
        return tile([np.asarray(draw_proposals(pixels, shown)) for shown in (named, truth)], 2)

    return drawn


def _num_classes(photograph: tuple[Example, Regions]) -> int:
    return len({item.category_id for item in photograph[0].objects})


def namer(network: Method, config: RunConfig) -> Callable[[Example, Regions], Proposals]:
    """What a network makes of the proposals in a record, with its present weights."""
    classifier = Classifier(network, config.classifier)
    boxes_spec = tf.TensorSpec([None, 4])
    masks_spec = tf.TensorSpec([None, ROI_CELLS, ROI_CELLS])
    proposals_spec = {"boxes_yxyx": boxes_spec, "windows_yxyx": boxes_spec, "mask_logits": masks_spec}
    graph = tf.function(
        lambda image, proposals: classifier(image, proposals, _THRESHOLD), input_signature=[IMAGE, proposals_spec]
    )

    def named(example: Example, regions: Regions) -> Proposals:
        first = int((~example.crowd).sum())  # before it are the objects themselves
        boxes = regions.boxes_yxyx[first:]
        masks = logits(regions.masks[first:] / 255).astype(np.float32)
        proposals = {"boxes_yxyx": boxes, "windows_yxyx": boxes, "mask_logits": masks}
        found = graph(tf.constant(pixels_of(example)), {name: tf.constant(v) for name, v in proposals.items()})
        arrays = {name: values.numpy() for name, values in found.items() if name != "boxes_yxyx"}
        categories = classifier.categories
        return Proposals.from_windows(**arrays, size_hw=example.size_hw, threshold=_THRESHOLD, categories=categories)

    return named
