"""Masks as rows of a table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from ifcn_tf.common.files import atomic_write
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.formats.image_proposals import Images


def csv_table(images: Images, output: Path, simplify: float) -> None:
    """STEM.csv of each image: rank, score, area, box and compressed run lengths, one row a mask."""
    for image in images:
        write_table(output / f"{image.path.stem}.csv", image.proposals)


def write_table(target: Path, proposals: Proposals) -> None:
    """Writes the rows of one image."""
    with atomic_write(target) as file:
        writer = csv.writer(file)
        writer.writerow(["rank", "score", "area", "left", "top", "width", "height", "size_hw", "rle_counts"])
        rows = zip(proposals.scores, proposals.areas(), proposals.boxes_xywh().tolist(), proposals.rles, strict=True)
        for rank, (score, area, box, rle) in enumerate(rows):
            writer.writerow([rank, f"{score:.6f}", area, *box, json.dumps(rle["size"]), rle["counts"]])
