"""Predictions for Label Studio (https://labelstud.io/guide/predictions), as docs/formats.md sets it up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from ifcn_tf.common.files import atomic_write
from ifcn_tf.masks.outlines import outlines
from ifcn_tf.masks.rle import Rle, decode, runs_by_rows
from ifcn_tf.results.formats.image_proposals import ImageProposals, Images
from ifcn_tf.results.formats.json_stream import write_array

#: Where Label Studio serves files of its local storage.
_ADDRESS = "/data/local-files/?d="
#: Bits that may hold the length of a run.
_LENGTH_BITS = (3, 4, 8, 16)


def label_studio(images: Images, output: Path, simplify: float) -> None:
    """One JSON of tasks with predictions for Label Studio: polygons, or brush masks of holes and several parts."""
    with atomic_write(output) as file:
        write_array(file, (_task(image, simplify) for image in images))
        file.write("\n")


def _task(image: ImageProposals, simplify: float) -> dict[str, Any]:
    best = round(float(image.proposals.scores.max(initial=0)), 6)
    prediction = {"model_version": "proposals", "score": best, "result": list(_regions(image, simplify))}
    return {"data": {"image": _ADDRESS + quote(image.path.name)}, "predictions": [prediction]}


def _regions(image: ImageProposals, simplify: float) -> Iterator[dict[str, Any]]:
    height, width = image.proposals.size_hw
    columns = (image.proposals.rles, image.proposals.scores.tolist(), image.proposals.labels)
    for number, (rle, score, label) in enumerate(zip(*columns, strict=True)):
        rings = [ring for part in outlines(rle, simplify) for ring in part]
        if len(rings) == 1:
            points = (rings[0] * 100 / np.array([width, height])).round(4).tolist()
            kind, name, value = "polygonlabels", "polygons", {"points": points, "closed": True}
        else:
            kind, name, value = "brushlabels", "masks", {"format": "rle", "rle": _brush_runs(rle)}
        sizes = {"original_width": width, "original_height": height, "image_rotation": 0}
        named = {"id": f"{image.path.stem}-{number}", "type": kind, "from_name": name, "to_name": "image"}
        yield named | sizes | {"score": round(score, 6), "value": value | {kind: [label]}}


def _brush_runs(rle: Rle) -> list[int]:
    """A mask as the brush keeps it: the runs of an RGBA picture of 0 and 255, row by row, as bits packed in bytes.

    The head is the number of values (32 bits), the bits of a value less one (5), each of `_LENGTH_BITS` less one (4).
    A run is a 1, the place of its length's bits in `_LENGTH_BITS` (2), its length less one, and its value (8).
    """
    size_hw = (rle["size"][0], rle["size"][1])
    bits = [f"{4 * size_hw[0] * size_hw[1]:032b}", f"{8 - 1:05b}", *(f"{count - 1:04b}" for count in _LENGTH_BITS)]
    for number, run in enumerate(runs_by_rows(decode([rle], size_hw)[0])):
        for length in _pieces(4 * run):
            place = next(place for place, count in enumerate(_LENGTH_BITS) if length <= 2**count)
            bits.append(f"1{place:02b}{length - 1:0{_LENGTH_BITS[place]}b}{255 * (number % 2):08b}")
    return np.packbits(np.frombuffer("".join(bits).encode(), np.uint8) - ord("0")).tolist()


def _pieces(run: int) -> list[int]:
    """A run as runs of lengths that can be written."""
    most = 2 ** _LENGTH_BITS[-1]
    return [most] * (run // most) + [run % most] * (run % most > 0)
