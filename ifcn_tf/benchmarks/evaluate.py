"""How fast proposals are read and matched: synthetic ellipses, so that nobody needs data to measure."""

from __future__ import annotations

import concurrent.futures
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.annotations.example import Example, Instance
from ifcn_tf.benchmarks.timing import peak_bytes
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.evaluate import evaluate
from ifcn_tf.evaluation.matching import MATCHERS
from ifcn_tf.evaluation.truth import Truth
from ifcn_tf.masks.rle import Rle
from ifcn_tf.results.reader import read_results

_SIZE_HW = (480, 640)
_OBJECTS = 10
_POINTS = 64


def run(num_images: int = 100, proposals_an_image: int = 1000, long_file: int = 1_000_000) -> Iterator[dict[str, Any]]:
    """Measures matching with every backend, and reading a long results file.

    Args:
        num_images: of the matching.
        proposals_an_image: of both.
        long_file: proposals of the file that is read.

    Yields:
        Rows: one for each backend (the same proposals, the same process) with its speed as a ratio to pycocotools, and
        whether all numbers agree to six decimals; then one for reading, in a process of its own, with its peak memory.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proposals.json"
        truth = write_ellipses(path, num_images, num_images * proposals_an_image)
        yield from _compare_backends(path, truth)
        write_ellipses(path, long_file // proposals_an_image, long_file)
        yield _measure_reading(path, long_file, long_file // proposals_an_image)


def write_ellipses(path: Path, num_images: int, num_proposals: int, seed: int = 0) -> Truth:
    """Writes COCO results of ellipses, most of them moved objects, and returns the truth they belong to."""
    random = np.random.default_rng(seed)
    images, share = [], num_proposals // num_images
    # Images beyond the first hundred repeat their masks: drawing a million takes longer than reading them.
    drawn = [_draw_image(random, share) for _ in range(min(num_images, 100))]
    with path.open("w") as file:
        file.write("[")
        for i in range(num_images):
            objects, proposals = drawn[i % len(drawn)]
            images.append(Example(str(i), "", _SIZE_HW, tuple(Instance.of_rle(rle, 1) for rle in objects)))
            scores = random.random(len(proposals)).round(6).tolist()
            for number, (rle, score) in enumerate(zip(proposals, scores, strict=True)):
                entry = {"image_id": i, "category_id": 1, "segmentation": rle, "score": score}
                file.write(("" if i + number == 0 else ",\n") + json.dumps(entry))
        file.write("]")
    return Truth("ellipses", images, {image.image_id: image.size_hw for image in images})


def _draw_image(random: np.random.Generator, count: int) -> tuple[list[Rle], list[Rle]]:
    """Objects, and proposals of which each is an object moved and scaled a little."""
    radii = np.exp(random.uniform(np.log(8), np.log(120), (_OBJECTS, 2)))
    ellipses = np.concatenate([random.random((_OBJECTS, 2)) * _SIZE_HW, radii], 1)
    moved = ellipses[random.integers(_OBJECTS, size=count)]
    moved[:, :2] += random.normal(0, 0.3, (count, 2)) * moved[:, 2:]
    moved[:, 2:] *= np.exp(random.normal(0, 0.3, (count, 2)))
    return _encode(ellipses), _encode(moved)


def _encode(ellipses: np.ndarray) -> list[Rle]:
    """Masks of ellipses, float [n, 4] (centre y, x, radius y, x)."""
    angles = np.linspace(0, 2 * np.pi, _POINTS, endpoint=False)
    y = ellipses[:, :1] + ellipses[:, 2:3] * np.sin(angles)
    x = ellipses[:, 1:2] + ellipses[:, 3:] * np.cos(angles)
    polygons = np.stack([x, y], 2).reshape(len(ellipses), -1).tolist()
    rles = coco_mask.frPyObjects(polygons, *_SIZE_HW)
    return [Rle(size=list(_SIZE_HW), counts=rle["counts"].decode()) for rle in rles]


def _compare_backends(path: Path, truth: Truth) -> Iterator[dict[str, Any]]:
    results = read_results(str(path), truth.sizes)
    reference: tuple[float, list[float]] | None = None
    for name, matcher in MATCHERS.items():
        start = time.perf_counter()
        evaluation = evaluate(results, truth, name, EvaluationConfig(), matcher)
        seconds = time.perf_counter() - start
        measures = [m for kind in evaluation.kinds.values() for size in kind.measures.values() for m in size]
        recalls = [recall for measure in measures for recall in measure.recalls]
        reference = reference or (seconds, recalls)
        yield {
            "what": f"evaluate masks and boxes, {name}",
            "images": len(truth.images),
            "proposals": len(results),
            "seconds": round(seconds, 2),
            "times_as_fast_as_pycocotools": round(reference[0] / seconds, 1),
            "same_six_decimals": bool(np.allclose(recalls, reference[1], rtol=0, atol=5e-7, equal_nan=True)),
        }


def _measure_reading(path: Path, num_proposals: int, num_images: int) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        seconds, megabytes = pool.submit(_read, str(path), num_images).result()
    return {
        "what": "read results",
        "proposals": num_proposals,
        "file_mb": round(path.stat().st_size / 1e6),
        "seconds": round(seconds, 1),
        "memory_mb": round(megabytes),
    }


def _read(path: str, num_images: int) -> tuple[float, float]:
    """Seconds, and by how much reading raised the peak memory of this process [MB]."""
    before, start = peak_bytes(), time.perf_counter()
    results = read_results(path, dict.fromkeys(range(num_images), _SIZE_HW))
    results.of(0)
    return time.perf_counter() - start, (peak_bytes() - before) / 1e6
