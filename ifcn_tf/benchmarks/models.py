"""The bundled models beside each other: from encoded bytes to run lengths, in turn within one run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from ifcn_tf.benchmarks.inference import SIZE_HW, resized
from ifcn_tf.benchmarks.timing import in_turn, median_ms, median_ratio
from ifcn_tf.config.bundled import MODELS
from ifcn_tf.config.network import Precision
from ifcn_tf.config.proposing import SIX_SCALES
from ifcn_tf.images.tensors import read_image
from ifcn_tf.predictor import load


def run(photograph: Path, precision: Precision, rounds: int) -> Iterator[dict[str, Any]]:
    """Measures one 480 x 640 photograph at the paper's six scales with 1,000 proposals.

    Args:
        photograph: resized to 480 x 640 and written as a JPEG.
        precision: of the convolutions.
        rounds: how often everything is timed; medians are reported.

    Yields:
        A row of JSON types for each model: time [ms], and how many times as long the others take.
    """
    predictors = {name: load(name, precision=precision, shorter_sides=SIX_SCALES) for name in MODELS}
    with tempfile.TemporaryDirectory() as folder:
        encoded = Path(folder) / "photograph.jpg"
        Image.fromarray(resized(read_image(photograph), SIZE_HW)).save(encoded, quality=92)
        actions = {name: lambda p=predictor: p.propose(encoded) for name, predictor in predictors.items()}
        seconds = in_turn(actions, rounds)
    for name, predictor in predictors.items():
        others = {f"{other}_takes": median_ratio(seconds[other], seconds[name]) for other in MODELS if other != name}
        yield {
            "model": name,
            "precision": predictor.settings["precision"],
            "whole_ms": median_ms(seconds[name]),
            **others,
        }
