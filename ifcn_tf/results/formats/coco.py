"""COCO's two forms: results, which have scores, and annotations, which list images and categories."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ifcn_tf.common.files import atomic_write
from ifcn_tf.masks.outlines import outlines
from ifcn_tf.masks.rle import Rle
from ifcn_tf.proposals import OBJECT
from ifcn_tf.results.formats.image_proposals import ImageProposals, Images, categories_of, category_ids_of
from ifcn_tf.results.formats.json_stream import write_array


def coco_results(images: Images, output: Path, simplify: float) -> None:
    """One JSON array of masks as run lengths, with scores, in COCO's form of results."""
    with atomic_write(output) as file:
        write_array(file, (entry for image in images for entry in image.proposals.to_coco(image.image_id)))
        file.write("\n")


def coco_annotations(images: Images, output: Path, simplify: float) -> None:
    """One COCO json of images and annotations: polygons, or run lengths where a mask has a hole."""
    _write_annotations(images, output, simplify, lambda path: path.name)


def fiftyone(images: Images, output: Path, simplify: float) -> None:
    """One COCO json for FiftyOne's import, with the photographs' whole paths."""
    _write_annotations(images, output, simplify, lambda path: str(path.resolve()))


def _write_annotations(images: Images, output: Path, simplify: float, file_name: Callable[[Path], str]) -> None:
    """Images are numbered from 1, since many readers know no other ids; their entries wait for the end of the file."""
    entries: list[dict[str, Any]] = []
    categories: dict[int, str] = {}

    def annotations() -> Iterator[dict[str, Any]]:
        count = 0
        for image in images:
            height, width = image.proposals.size_hw
            categories.update(categories_of(image.proposals))
            number = len(entries) + 1
            entries.append({"id": number, "file_name": file_name(image.path), "height": height, "width": width})
            for annotation in _annotations(image, simplify):
                count += 1
                yield {"id": count, "image_id": number, **annotation}

    with atomic_write(output) as file:
        file.write('{"annotations": ')
        write_array(file, annotations())
        file.write(',\n"images": ')
        write_array(file, entries)
        listed = [{"id": number, "name": name} for number, name in (categories or {1: OBJECT}).items()]
        file.write(f',\n"categories": {json.dumps(listed)}}}\n')


def _annotations(image: ImageProposals, simplify: float) -> Iterator[dict[str, Any]]:
    proposals = image.proposals
    boxes, areas = proposals.boxes_xywh().tolist(), proposals.areas().tolist()
    columns = (proposals.rles, proposals.scores.tolist(), boxes, areas, category_ids_of(proposals))
    for rle, score, box, area, number in zip(*columns, strict=True):
        segmentation = _segmentation(rle, simplify)
        stated = {"category_id": number, "segmentation": segmentation, "area": area, "bbox": box, "iscrowd": 0}
        yield stated | {"score": round(score, 6)}


def _segmentation(rle: Rle, simplify: float) -> Rle | list[list[float]]:
    parts = outlines(rle, simplify)
    has_hole = any(len(rings) > 1 for rings in parts)
    return rle if has_hole else [outer.ravel().tolist() for (outer,) in parts]
