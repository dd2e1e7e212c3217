"""Makes mosaics of training photographs: python docs/mosaics.py COCO OUTPUT, both folders laid out as COCO's.

Each picture shows parts of four photographs, a quarter each, about; there are as many as photographs, and each of these
is in four. `docs/results.md` says what they brought.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ifcn_tf.common.files import UserError, read_json, whole_folder, write_json
from ifcn_tf.images.tensors import read_image
from ifcn_tf.masks.coco_forms import compressed_counts
from ifcn_tf.masks.rle import Rle, decode, encode, tight_box_xywh

_WIDTH, _HEIGHT = 640, 480
#: Objects of which less is left are dropped [px].
_LEAST_AREA = 64
_NAMES = Path(__file__).parents[1] / "savedmodels/photographs/coco_train2017.txt"
_IMAGES, _TRUTH = "train2017", "annotations/instances_train2017.json"

Cut = Callable[[Image.Image], Image.Image]


def _quarters(rng: random.Random) -> list[tuple[int, int, int, int]]:
    """Left, top, right and bottom of four parts that meet near the middle."""
    x, y = rng.randint(_WIDTH * 2 // 5, _WIDTH * 3 // 5), rng.randint(_HEIGHT * 2 // 5, _HEIGHT * 3 // 5)
    return [(0, 0, x, y), (x, 0, _WIDTH, y), (0, y, x, _HEIGHT), (x, y, _WIDTH, _HEIGHT)]


def _cut(photo: dict[str, Any], width: int, height: int, rng: random.Random) -> Cut:
    """Scales pictures of a photograph's size so that they cover a part, and cuts it out at a random place."""
    scale = max(width / photo["width"], height / photo["height"]) * rng.uniform(1, 1.3)
    size = max(width, round(photo["width"] * scale)), max(height, round(photo["height"] * scale))
    left, top = rng.randint(0, size[0] - width), rng.randint(0, size[1] - height)
    return lambda picture: picture.resize(size, Image.BILINEAR).crop((left, top, left + width, top + height))


def _mask(photo: dict[str, Any], segmentation: Any) -> Image.Image:
    size_hw = photo["height"], photo["width"]
    rle = Rle(size=list(size_hw), counts=compressed_counts(segmentation, size_hw).decode())
    return Image.fromarray(decode([rle], size_hw)[0].astype(np.uint8) * 255)


def _parts(photo: dict[str, Any], objects: list[dict[str, Any]], cut: Cut, quarter: tuple[int, ...]) -> Iterator[dict]:
    """Annotations of what is left of a photograph's objects in its quarter."""
    left, top, right, bottom = quarter
    for item in objects:
        mask = np.zeros((_HEIGHT, _WIDTH), bool)
        mask[top:bottom, left:right] = np.array(cut(_mask(photo, item["segmentation"]))) > 127
        if (area := int(mask.sum())) >= _LEAST_AREA:
            rle = encode(mask)
            kept = {key: item[key] for key in ("iscrowd", "category_id")}
            yield {"segmentation": rle, "area": area, "bbox": tight_box_xywh(rle), **kept}


def _write(source: Path, target: Path) -> None:
    content, objects, rng = read_json(source / _TRUTH), defaultdict(list), random.Random(0)
    for item in content["annotations"]:
        objects[item["image_id"]].append(item)
    names = set(_NAMES.read_text().split())
    photos = [photo for photo in content["images"] if Path(photo["file_name"]).stem in names]
    orders, images, annotations = [photos[:] for _ in range(4)], [], list[dict[str, Any]]()
    for order in orders:
        rng.shuffle(order)
    for number, four in enumerate(zip(*orders, strict=True), 1):
        canvas, name = Image.new("RGB", (_WIDTH, _HEIGHT)), f"{number:012d}.jpg"
        for quarter, photo in zip(_quarters(rng), four, strict=True):
            cut = _cut(photo, quarter[2] - quarter[0], quarter[3] - quarter[1], rng)
            canvas.paste(cut(Image.fromarray(read_image(source / _IMAGES / photo["file_name"]))), quarter[:2])
            for part in _parts(photo, objects[photo["id"]], cut, quarter):
                annotations.append({"id": len(annotations) + 1, "image_id": number, **part})
        canvas.save(target / _IMAGES / name, quality=92)
        images.append({"id": number, "file_name": name, "width": _WIDTH, "height": _HEIGHT})
    write_json(
        target / _TRUTH, {"images": images, "annotations": annotations, "categories": content["categories"]}, None
    )


def main(coco: str, output: str) -> None:
    """Writes the mosaics with their annotations."""
    with whole_folder(Path(output)) as target:
        for folder in (_IMAGES, Path(_TRUTH).parent):
            (target / folder).mkdir()
        _write(Path(coco), target)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("give two folders: python docs/mosaics.py COCO OUTPUT")
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
    except (KeyError, TypeError, ValueError) as error:
        sys.exit(f"error: {Path(sys.argv[1]) / _TRUTH} is not laid out as COCO's: {error!r}.")
