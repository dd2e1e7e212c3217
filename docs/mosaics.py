"""Makes mosaics of training photographs: python docs/mosaics.py COCO OUTPUT, both folders laid out as COCO's.

Each picture shows parts of four photographs, a quarter each, about; there are as many as photographs, and each of these
is in four. `docs/results.md` says what they brought.
"""

from __future__ import annotations

import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

_WIDTH, _HEIGHT = 640, 480
#: Objects of which less is left are dropped [px].
_LEAST_AREA = 64
_NAMES = Path(__file__).parents[1] / "savedmodels/photographs/coco_train2017.txt"


def _mask(photo: dict[str, Any], segmentation: Any) -> Image.Image:
    rle = segmentation
    if isinstance(segmentation, list) or isinstance(segmentation["counts"], list):
        rle = coco_mask.frPyObjects(segmentation, photo["height"], photo["width"])
    return Image.fromarray(coco_mask.decode(coco_mask.merge(rle) if isinstance(rle, list) else rle) * 255)


def _quarters(rng: random.Random) -> list[tuple[int, int, int, int]]:
    """Left, top, right and bottom of four parts that meet near the middle."""
    x, y = rng.randint(_WIDTH * 2 // 5, _WIDTH * 3 // 5), rng.randint(_HEIGHT * 2 // 5, _HEIGHT * 3 // 5)
    return [(0, 0, x, y), (x, 0, _WIDTH, y), (0, y, x, _HEIGHT), (x, y, _WIDTH, _HEIGHT)]


def _cut(photo: dict[str, Any], width: int, height: int, rng: random.Random) -> Any:
    """Scales pictures of a photograph's size so that they cover a part, and cuts it out at a random place."""
    scale = max(width / photo["width"], height / photo["height"]) * rng.uniform(1, 1.3)
    size = max(width, round(photo["width"] * scale)), max(height, round(photo["height"] * scale))
    left, top = rng.randint(0, size[0] - width), rng.randint(0, size[1] - height)
    return lambda picture: picture.resize(size, Image.BILINEAR).crop((left, top, left + width, top + height))


def _parts(photo: dict[str, Any], objects: list[dict[str, Any]], cut: Any, quarter: tuple[int, ...]) -> Iterator[dict]:
    """Annotations of what is left of a photograph's objects in its quarter."""
    left, top, right, bottom = quarter
    for item in objects:
        mask = np.zeros((_HEIGHT, _WIDTH), np.uint8, order="F")
        mask[top:bottom, left:right] = np.array(cut(_mask(photo, item["segmentation"]))) > 127
        if (area := int(mask.sum())) >= _LEAST_AREA:
            rle = coco_mask.encode(mask)
            box = coco_mask.toBbox(rle).tolist()
            kept = {key: item[key] for key in ("iscrowd", "category_id")}
            yield {"segmentation": {**rle, "counts": rle["counts"].decode()}, "area": area, "bbox": box, **kept}


def main(coco: str, output: str) -> None:
    """Writes the mosaics with their annotations."""
    source, target, rng = Path(coco), Path(output), random.Random(0)
    for folder in ("train2017", "annotations"):
        (target / folder).mkdir(parents=True)
    names, truth = set(_NAMES.read_text().split()), "annotations/instances_train2017.json"
    content, objects = json.loads((source / truth).read_text()), defaultdict(list)
    for item in content["annotations"]:
        objects[item["image_id"]].append(item)
    photos = [photo for photo in content["images"] if Path(photo["file_name"]).stem in names]
    images, annotations = [], list[dict[str, Any]]()
    orders = [photos[:] for _ in range(4)]
    for order in orders:
        rng.shuffle(order)
    for number, four in enumerate(zip(*orders, strict=True), 1):
        canvas, name = Image.new("RGB", (_WIDTH, _HEIGHT)), f"{number:012d}.jpg"
        for quarter, photo in zip(_quarters(rng), four, strict=True):
            cut = _cut(photo, quarter[2] - quarter[0], quarter[3] - quarter[1], rng)
            canvas.paste(cut(Image.open(source / "train2017" / photo["file_name"]).convert("RGB")), quarter[:2])
            for part in _parts(photo, objects[photo["id"]], cut, quarter):
                annotations.append({"id": len(annotations) + 1, "image_id": number, **part})
        canvas.save(target / "train2017" / name, quality=92)
        images.append({"id": number, "file_name": name, "width": _WIDTH, "height": _HEIGHT})
    made = {"images": images, "annotations": annotations, "categories": content["categories"]}
    (target / truth).write_text(json.dumps(made))


if __name__ == "__main__":
    main(*sys.argv[1:3])
