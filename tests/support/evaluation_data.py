"""Small truths and proposals that the tests of the evaluation share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.evaluate import Evaluation, evaluate
from ifcn_tf.evaluation.truth import Truth, read_coco
from ifcn_tf.results.reader import Results, read_results


def rectangle(size_hw: tuple[int, int], top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(size_hw, bool)
    mask[top:bottom, left:right] = True
    return mask


def rle(mask: np.ndarray) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode()}


def entry(image_id: Any, mask: np.ndarray, score: float, **more: Any) -> dict[str, Any]:
    return {"image_id": image_id, "category_id": 1, "segmentation": rle(mask), "score": score} | more


def annotation(number: int, image_id: Any, mask: np.ndarray, **more: Any) -> dict[str, Any]:
    found = {"id": number, "image_id": image_id, "category_id": 3, "segmentation": rle(mask), "area": int(mask.sum())}
    return found | {"iscrowd": 0, "bbox": coco_mask.toBbox(found["segmentation"]).tolist()} | more


def truth_content(sizes: dict[Any, tuple[int, int]], annotations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    images = [{"id": i, "height": h, "width": w, "file_name": f"{i}.png"} for i, (h, w) in sizes.items()]
    return {"images": images, "annotations": list(annotations), "categories": [{"id": 3, "name": "thing"}]}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def load(folder: Path, content: dict[str, Any], entries: Sequence[dict[str, Any]]) -> tuple[Results, Truth]:
    truth = read_coco(write(folder / "truth.json", content))
    return read_results(str(write(folder / "results.json", entries)), truth.sizes, truth.ids_of_names), truth


def random_case(
    seed: int, images: int = 4, objects: int = 6, proposals: int = 40, crowds: bool = False
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Overlapping objects of all size classes in 160 x 200 images, and proposals near them, of distinct scores."""
    random = np.random.default_rng(seed)
    size_hw, annotations, entries = (160, 200), [], []
    scores = random.permutation(images * proposals) / (images * proposals)
    for image in range(images):
        corners = random.integers([0, 0], [100, 120], (objects, 2))
        sides = random.integers(5, 130, (objects, 2))
        for corner, side in zip(corners, sides, strict=True):
            mask = rectangle(size_hw, *corner, *(corner + side)) & (random.random(size_hw) < 0.97)
            crowd = int(crowds and random.random() < 0.3)
            annotations.append(annotation(len(annotations), image, mask, iscrowd=crowd))
        for _ in range(proposals):
            chosen = random.integers(objects)
            corner = np.maximum(corners[chosen] + random.integers(-8, 9, 2), 0)
            mask = rectangle(size_hw, *corner, *(corner + np.maximum(sides[chosen] + random.integers(-8, 9, 2), 1)))
            entries.append(entry(image, mask, float(scores[len(entries)])))
    return truth_content(dict.fromkeys(range(images), size_hw), annotations), entries


def evaluated(folder: Path, count: int, config: EvaluationConfig) -> tuple[Evaluation, Truth]:
    """The first `count` of each twelve proposals of a random case."""
    content, entries = random_case(0, images=12, objects=3, proposals=12)
    results, truth = load(folder, content, [e for i, e in enumerate(entries) if i % 12 < count])
    return evaluate(results, truth, f"first {count}", config), truth
