"""The COCO results of a folder's images one by one, of which proposals.json is put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ifcn_tf.common.files import atomic_write, naming, read_json, read_text, write_json
from ifcn_tf.common.ids import id_of_file
from ifcn_tf.images.files import upright_size
from ifcn_tf.proposals import Proposals


def write_part(folder: Path, path: Path, proposals: Proposals) -> None:
    """Writes the COCO results of one image: the mark that the image is done."""
    write_json(part_path(folder, path), proposals.to_coco(id_of_file(path)), indent=None)


def read_part(folder: Path, path: Path, categories: Mapping[int, str]) -> Proposals:
    """The proposals that `write_part` wrote of an image; `categories` are names that are known besides theirs."""
    entries = read_json(part_path(folder, path))
    scores = np.array([entry["score"] for entry in entries], np.float32)
    height, width = entries[0]["segmentation"]["size"] if entries else upright_size(path)
    proposals = Proposals((height, width), scores, [entry["segmentation"] for entry in entries])
    names = {entry["category_id"]: entry["label"] for entry in entries if "label" in entry}
    if not (categories or names):
        return proposals
    numbers = np.array([entry["category_id"] for entry in entries], np.int64)
    return dataclasses.replace(proposals, category_ids=numbers, categories={**categories, **names})


def part_path(folder: Path, path: Path) -> Path:
    """Where `write_part` keeps the results of an image."""
    return parts_folder(folder) / f"{path.stem}.json"


def parts_folder(folder: Path) -> Path:
    """Where the results of all images are kept one by one."""
    return folder / "parts"


def is_done(folder: Path, path: Path) -> bool:
    """Whether there are results of an image, and the image was not changed since."""
    part = part_path(folder, path)
    return part.exists() and part.stat().st_mtime >= path.stat().st_mtime


def has_parts(folder: Path) -> bool:
    """Whether an earlier run left results of images."""
    return any(parts_folder(folder).glob("*.json"))


def remove_parts(folder: Path) -> None:
    """Removes the results of an earlier run."""
    for part in parts_folder(folder).glob("*.json"):
        with naming(part):
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
