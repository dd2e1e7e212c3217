"""Proposals as files: COCO results, pictures, and what annotation tools read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import contourpy
import numpy as np
from PIL import Image

from ifcn_tf.files import atomic_write, read_text, write_json
from ifcn_tf.ids import id_of_file
from ifcn_tf.proposals import Proposals
from ifcn_tf.visualize import draw_proposals


def write_part(folder: Path, path: Path, proposals: Proposals) -> None:
    """Writes the COCO results of one image: the mark that the image is done."""
    write_json(part_path(folder, path), proposals.to_coco(id_of_file(path)), indent=None)


def part_path(folder: Path, path: Path) -> Path:
    """Where `write_part` keeps the results of an image."""
    return folder / "parts" / f"{path.stem}.json"


def merge_parts(folder: Path, paths: Iterable[Path]) -> None:
    """Writes proposals.json, the COCO results of all images, holding one image at a time in memory."""
    with atomic_write(folder / "proposals.json") as file:
        separator = "["
        for path in paths:
            entries = read_text(part_path(folder, path)).strip()[1:-1]
            if entries:
                file.write(separator + entries)
                separator = ",\n"
        file.write("]\n" if separator != "[" else "[]\n")


def write_overlay(folder: Path, path: Path, image: np.ndarray, best: Proposals) -> None:
    """Writes overlays/STEM.png: the given proposals painted over the image."""
    _write_png(folder / "overlays" / f"{path.stem}.png", draw_proposals(image, best))


def write_binary_masks(folder: Path, path: Path, best: Proposals) -> None:
    """Writes binary_masks/STEM/000.png, 001.png ..., black and white, best first, and their scores in index.csv."""
    target = folder / "binary_masks" / path.stem
    for i in range(len(best)):
        _write_png(target / f"{i:03d}.png", Image.fromarray(best[[i]].masks()[0]))
    _write_table(target / "index.csv", best)


def write_csv(folder: Path, path: Path, best: Proposals) -> None:
    """Writes csv/STEM.csv: rank, score, area, box and compressed run lengths of each proposal."""
    _write_table(folder / "csv" / f"{path.stem}.csv", best)


def write_labelme(folder: Path, path: Path, best: Proposals) -> None:
    """Writes labelme/STEM.json: the outlines as polygons; the parts of one object share a group_id."""
    height, width = best.size_hw
    shapes = [
        {
            "label": "object",
            "points": polygon,
            "group_id": i,
            "description": f"score {best.scores[i]:.3f}",
            "shape_type": "polygon",
            "flags": {},
        }
        for i in range(len(best))
        for polygon in outlines(best[[i]].masks()[0])
    ]
    content: dict[str, Any] = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": str(path.resolve())}
    write_json(
        folder / "labelme" / f"{path.stem}.json",
        content | {"imageData": None, "imageHeight": height, "imageWidth": width},
    )


#: Further formats by name; each writes the proposals that the overlay shows.
WRITERS: dict[str, Callable[[Path, Path, Proposals], None]] = {
    "binary_masks": write_binary_masks,
    "csv": write_csv,
    "labelme": write_labelme,
}


def outlines(mask: np.ndarray) -> list[list[list[float]]]:
    """Outer and inner borders of a mask as polygons.

    Args:
        mask: bool [H, W].

    Returns:
        Polygons of (x, y) points [px], through the pixels' edges half-way between inside and outside.
    """
    padded = np.pad(mask.astype(float), 1)
    # contourpy puts a value at its index; pixel i of the mask, index i + 1 here, has its centre at i + 0.5.
    lines = contourpy.contour_generator(z=padded).lines(0.5)
    return [(np.asarray(line[:-1]) - 0.5).round(2).tolist() for line in lines]


def _write_png(target: Path, picture: Image.Image) -> None:
    encoded = io.BytesIO()
    picture.save(encoded, "PNG")
    with atomic_write(target, "wb") as file:
        file.write(encoded.getvalue())


def _write_table(target: Path, proposals: Proposals) -> None:
    with atomic_write(target) as file:
        writer = csv.writer(file)
        writer.writerow(["rank", "score", "area", "left", "top", "width", "height", "size_hw", "rle_counts"])
        rows = zip(proposals.scores, proposals.areas(), proposals.boxes_xywh().tolist(), proposals.rles, strict=True)
        for rank, (score, area, box, rle) in enumerate(rows):
            writer.writerow([rank, f"{score:.6f}", area, *box, json.dumps(rle["size"]), rle["counts"]])
