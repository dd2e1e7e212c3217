"""The engines beside each other: from encoded bytes to run lengths, in turn within one run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from ifcn_tf.benchmarks.inference import SIZE_HW, resized
from ifcn_tf.benchmarks.timing import in_turn, median_ms, median_ratio
from ifcn_tf.engines.loading import installed_engines, load
from ifcn_tf.images.tensors import read_image


def run(photograph: Path, files: Sequence[Path], weights: Path, rounds: int) -> Iterator[dict[str, Any]]:
    """Measures one 480 x 640 photograph.

    Args:
        photograph: resized to 480 x 640 and written as a JPEG.
        files: what `onnx_export` and `litert_export` wrote, with the same settings, those of the first of all engines.
        weights: those of which they were written, for TensorFlow.
        rounds: how often everything is timed; medians are reported.

    Yields:
        A row of JSON types for each engine: time [ms], as part of that of the first, TensorFlow's in bfloat16.
    """
    others = [load(file, engine=engine) for file in files for engine in installed_engines(file.suffix)]
    settings = others[0].config.to_dict()
    predictors = [*(load(weights, precision=p, **settings) for p in ("bfloat16", "float32")), *others]
    with tempfile.TemporaryDirectory() as folder:
        encoded = Path(folder) / "photograph.jpg"
        Image.fromarray(resized(read_image(photograph), SIZE_HW)).save(encoded, quality=92)
        seconds = in_turn({p.engine: partial(p.propose, encoded) for p in predictors}, rounds)
    first = next(iter(seconds.values()))
    for name, values in seconds.items():
        yield {"engine": name, "whole_ms": median_ms(values), "ratio": median_ratio(values, first)}
