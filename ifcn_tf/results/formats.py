"""Proposals as files: COCO results, pictures, and what annotation tools read."""

from __future__ import annotations

import csv
import itertools
import json
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import contourpy
import numpy as np
from PIL import Image

from ifcn_tf.common.files import atomic_write, read_text, write_bytes, write_json
from ifcn_tf.common.ids import id_of_file
from ifcn_tf.images.files import encode
from ifcn_tf.pictures.proposals import Style, draw_proposals
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.contact_sheet import CONTACT_SHEET, write_card

#: Formats for people, each a folder of pictures in a style; the others are for programs.
STYLES: dict[str, Style] = {"overlays": "masks", "outlines": "outlines", "cutouts": "cutouts"}
OVERLAYS = "overlays"


def write_part(folder: Path, path: Path, proposals: Proposals) -> None:
    """Writes the COCO results of one image: the mark that the image is done."""
    write_json(part_path(folder, path), proposals.to_coco(id_of_file(path)), indent=None)


def part_path(folder: Path, path: Path) -> Path:
    """Where `write_part` keeps the results of an image."""
    return folder / "parts" / f"{path.stem}.json"


def is_done(folder: Path, path: Path) -> bool:
    """Whether there are results of an image, and the image was not changed since."""
    part = part_path(folder, path)
    return part.exists() and part.stat().st_mtime >= path.stat().st_mtime


def has_parts(folder: Path) -> bool:
    """Whether an earlier run left results of images."""
    return any((folder / "parts").glob("*.json"))


def remove_parts(folder: Path) -> None:
    """Removes the results of an earlier run, and its cards of a contact sheet."""
    for part in (folder / "parts").glob("*.*"):
        part.unlink()


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


def write_picture(name: str, folder: Path, path: Path, image: np.ndarray, best: Proposals) -> None:
    """Writes NAME/STEM.png, a name of STYLES: the given proposals drawn over the image, uint8 [H, W, 3]."""
    _write_png(folder / name / f"{path.stem}.png", draw_proposals(image, best, STYLES[name]))


def write_binary_masks(folder: Path, path: Path, image: np.ndarray, best: Proposals) -> None:
    """Writes binary_masks/STEM/000.png, 001.png ..., black and white, best first, and their scores in index.csv."""
    target = folder / "binary_masks" / path.stem
    for earlier in target.glob("*.png"):
        earlier.unlink()
    for i in range(len(best)):
        _write_png(target / f"{i:03d}.png", Image.fromarray(best[[i]].masks()[0]))
    _write_table(target / "index.csv", best)


def write_csv(folder: Path, path: Path, image: np.ndarray, best: Proposals) -> None:
    """Writes csv/STEM.csv: rank, score, area, box and compressed run lengths of each proposal."""
    _write_table(folder / "csv" / f"{path.stem}.csv", best)


def write_labelme(folder: Path, path: Path, image: np.ndarray, best: Proposals) -> None:
    """Writes labelme/STEM.json: masks as polygons; the parts of one object share a group_id."""
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
    image_path = os.path.relpath(path.resolve(), (folder / "labelme").resolve())
    content: dict[str, Any] = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": image_path}
    write_json(
        folder / "labelme" / f"{path.stem}.json",
        content | {"imageData": None, "imageHeight": height, "imageWidth": width},
    )


#: Formats by name: each writes the best proposals for an image, uint8 [H, W, 3], of a path, into a folder.
WRITERS: dict[str, Callable[[Path, Path, np.ndarray, Proposals], None]] = {
    **{name: partial(write_picture, name) for name in STYLES},
    "binary_masks": write_binary_masks,
    CONTACT_SHEET: write_card,
    "csv": write_csv,
    "labelme": write_labelme,
}


def outlines(mask: np.ndarray) -> list[list[list[float]]]:
    """A mask as polygons, one for each connected part; a hole is cut out by a slit from the outer border.

    Args:
        mask: bool [H, W].

    Returns:
        Polygons of (x, y) points [px], half-way between the pixels inside and outside.
    """
    padded = np.pad(mask.astype(float), 1)
    generator = contourpy.contour_generator(z=padded, fill_type=contourpy.FillType.OuterOffset)
    # contourpy puts a value at its index; pixel i of the mask, index i + 1 here, has its centre at i + 0.5.
    rings = generator.filled(0.5, np.inf)
    return [
        _joined(np.asarray(p) - 0.5, np.asarray(o).tolist()).round(2).tolist()
        for p, o in zip(rings[0], rings[1], strict=True)
    ]


def _joined(points: np.ndarray, offsets: list[int]) -> np.ndarray:
    """One polygon out of an outer ring and its holes, [n, 2]; ring r is points[offsets[r] : offsets[r + 1]]."""
    polygon, *holes = (points[start:stop] for start, stop in itertools.pairwise(offsets))
    for hole in holes:
        distances = np.linalg.norm(polygon[:, None] - hole[None], axis=2)
        i, j = np.unravel_index(distances.argmin(), distances.shape)
        ring = np.concatenate([hole[j:-1], hole[: j + 1]])  # closed, from its nearest point around
        polygon = np.concatenate([polygon[: i + 1], ring, polygon[i:]])
    return polygon[:-1]


def _write_png(target: Path, picture: Image.Image) -> None:
    write_bytes(target, encode(picture, "PNG"))


def _write_table(target: Path, proposals: Proposals) -> None:
    with atomic_write(target) as file:
        writer = csv.writer(file)
        writer.writerow(["rank", "score", "area", "left", "top", "width", "height", "size_hw", "rle_counts"])
        rows = zip(proposals.scores, proposals.areas(), proposals.boxes_xywh().tolist(), proposals.rles, strict=True)
        for rank, (score, area, box, rle) in enumerate(rows):
            writer.writerow([rank, f"{score:.6f}", area, *box, json.dumps(rle["size"]), rle["counts"]])
