"""Writes any source as a COCO json, so that one tool evaluates them all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from ifcn_tf.annotations.example import Example, Instance
from ifcn_tf.common.files import atomic_write


def write_coco(examples: Iterable[Example], categories: dict[int, str], output: Path) -> None:
    """Writes a COCO json with compressed run lengths, whole or not at all.

    Annotations are written as they come; only the short entries of the images wait for the end. An image's id is
    its example's `image_id`. Annotation ids start at 1.

    Args:
        examples: consumed one by one.
        categories: names by id; others are named by their ids.
        output: the json file.
    """
    images: list[dict[str, Any]] = []
    names = dict(categories)
    with atomic_write(output) as file:
        file.write('{"annotations": [')
        number = 0
        for example in examples:
            images.append(_image(example))
            for instance in example.objects:
                number += 1
                names.setdefault(instance.category_id, f"category {instance.category_id}")
                _write_item(file, {"id": number, **_annotation(example, instance)}, first=number == 1)
        file.write('],\n"images": [')
        for i, image in enumerate(images):
            _write_item(file, image, first=i == 0)
        file.write('],\n"categories": ')
        json.dump([{"id": number, "name": name} for number, name in names.items()], file)
        file.write("}\n")


def _write_item(file: IO[str], item: dict[str, Any], first: bool) -> None:
    file.write("\n" if first else ",\n")
    file.write(json.dumps(item))


def _image(example: Example) -> dict[str, Any]:
    height, width = example.size_hw
    return {"id": example.image_id, "file_name": example.file_name, "height": height, "width": width}


def _annotation(example: Example, instance: Instance) -> dict[str, Any]:
    return {
        "image_id": example.image_id,
        "category_id": instance.category_id,
        "segmentation": instance.rle,
        "area": instance.area,
        "bbox": list(instance.box_xywh),
        "iscrowd": int(instance.is_crowd),
    }
