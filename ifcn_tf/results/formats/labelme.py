"""labelme's files (https://github.com/wkentaro/labelme)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ifcn_tf.common.files import write_json
from ifcn_tf.masks.outlines import outlines, slit
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.formats.image_proposals import Images


def labelme(images: Images, output: Path, simplify: float) -> None:
    """STEM.json of each image for labelme: polygons; the parts of one object share a group_id."""
    for image in images:
        height, width = image.proposals.size_hw
        content: dict[str, Any] = {"version": "5.5.0", "flags": {}, "shapes": list(_shapes(image.proposals, simplify))}
        content["imagePath"] = os.path.relpath(image.path.resolve(), output.resolve())
        content |= {"imageData": None, "imageHeight": height, "imageWidth": width}
        write_json(output / f"{image.path.stem}.json", content)


def _shapes(proposals: Proposals, simplify: float) -> Iterator[dict[str, Any]]:
    """A hole is cut out by a slit from the outer border: the form knows no other."""
    columns = (proposals.rles, proposals.scores, proposals.labels)
    for number, (rle, score, label) in enumerate(zip(*columns, strict=True)):
        for rings in outlines(rle, simplify):
            yield {
                "label": label,
                "points": slit(rings).tolist(),
                "group_id": number,
                "description": f"score {score:.3f}",
                "shape_type": "polygon",
                "flags": {},
            }
