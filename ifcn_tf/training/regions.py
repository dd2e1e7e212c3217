"""Adds proposals to prepared data, for methods that are trained on regions: made once, by a network that stays as it is
(the two steps of section 4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ifcn_tf.annotations.example import Example
from ifcn_tf.classifying.sampling import roi_masks
from ifcn_tf.common.files import read_json, whole_folder
from ifcn_tf.common.progress import track
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.settings import require
from ifcn_tf.data.photographs import photographs, pixels_of
from ifcn_tf.data.records import Records, Writer
from ifcn_tf.data.regions import Regions, regions_of
from ifcn_tf.evaluation.calibration import best_ious
from ifcn_tf.evaluation.matching import Case, pairwise_ious
from ifcn_tf.masks.paste import logit, paste
from ifcn_tf.masks.rle import areas
from ifcn_tf.models.method import WindowMethod
from ifcn_tf.proposing.network import network_proposer, settings_of
from ifcn_tf.proposing.proposer import IMAGE, Tensors

#: What the copy's dataset.json says as the original's does.
_KEPT = ("categories", "partial", "report")


def prepare_regions(network: WindowMethod, config: ProposerConfig, data: Path, output: Path) -> int:
    """Copies prepared data with the proposals of a network beside the objects of each photograph, but those in crowds.

    Args:
        network: with its weights.
        config: how it proposes, and how many proposals a photograph are kept.
        data: a folder that `prepare_data` wrote.
        output: the folder to write, all of it or nothing.

    Returns:
        The number of proposals.

    Raises:
        UserError: a folder cannot be used, a record is damaged, or writing fails.
    """
    require(data.resolve() != output.resolve(), f"--output must be another folder than {data}.")
    count, proposals = len(Records.open([data])), 0
    description: dict[str, Any] = read_json(data / "dataset.json")
    with whole_folder(output) as folder:
        writer = Writer(folder, output.name, len(description["shards"]))
        for example, regions in track(_with_regions(network, config, data, count), count, "proposing"):
            writer.write(example, regions)
            proposals += len(regions.objects) - int((~example.crowd).sum())
        kept = {name: description[name] for name in _KEPT if name in description}
        writer.close(kept | {"proposals": proposals, "proposed_by": settings_of(network, config)})
    return proposals


def _with_regions(
    network: WindowMethod, config: ProposerConfig, data: Path, count: int
) -> Iterator[tuple[Example, Regions]]:
    proposer, least = network_proposer(network, config), logit(config.mask_threshold)

    def propose(image: tf.Tensor) -> Tensors:
        found = proposer(image)
        places = found["mask_logits"], found["windows_yxyx"], found["boxes_yxyx"]
        return found | {"roi_masks": roi_masks(*places, tf.shape(image)[:2], least)}

    graph = tf.function(propose).get_concrete_function(IMAGE)
    for example in photographs([data], count):
        found = {name: values.numpy() for name, values in graph(tf.constant(pixels_of(example))).items()}
        rles = paste(found["mask_logits"], found["windows_yxyx"], example.size_hw, config.mask_threshold)
        _, apart = best_ious(pairwise_ious(Case(example, rles)), example.crowd)
        kept = np.flatnonzero(apart & (areas(rles) > 0))
        chosen = [rles[number] for number in kept]
        yield example, regions_of(example, found["boxes_yxyx"][kept], found["roi_masks"][kept], chosen)
