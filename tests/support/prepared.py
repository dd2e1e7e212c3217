"""Prepared data for tests: a few generated scenes."""

from __future__ import annotations

from pathlib import Path

from ifcn_tf.annotations.shapes import shapes_source
from ifcn_tf.data.prepare import Report, records_writer


def prepare_shapes(folder: Path, count: int = 6, num_shards: int = 2, partial: bool = False) -> Path:
    """Writes `count` generated scenes into `folder`, loaded in this process."""
    source = shapes_source(count, seed=3)
    examples = [job().example for job in source.jobs]
    records_writer(source, folder, num_shards, partial)(examples, Report(images=count))
    return folder
