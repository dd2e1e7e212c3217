"""labelme's files (https://github.com/wkentaro/labelme): a JSON of shapes a photograph, which it names."""

from __future__ import annotations

import base64
import functools
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ifcn_tf.annotations.example import Example, Found, Instance, Job, Loaded, Source
from ifcn_tf.annotations.reading import ImageLeftOutError, read_image, with_learnable
from ifcn_tf.common.files import UserError, read_json
from ifcn_tf.images.files import unlimited
from ifcn_tf.masks.coco_forms import UnusableError, read_masks
from ifcn_tf.masks.rle import Rle, encode

_OVERHANG = 1.0  # px, as of COCO's polygons
_POINTS_OF_CIRCLE = 72


def labelme_source(folder: Path) -> Source:
    """Opens all JSON files of a folder, each of which leads to its photograph; labels are numbered by the alphabet.

    Raises:
        UserError: there is none, or the folder cannot be read.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise UserError(f"no JSON files of labelme in {folder}: give the folder that has them (--root).")
    names = sorted({shape["label"] for path in paths for shape in _shapes_or_none(path)})
    numbers = {name: number for number, name in enumerate(names, start=1)}
    jobs: list[Job] = [functools.partial(_load, path, numbers) for path in paths]
    return Source({number: name for name, number in numbers.items()}, len(jobs), jobs)


def _shapes_or_none(path: Path) -> list[dict[str, Any]]:
    """None of a file that is left out later."""
    try:
        return _shapes(_content(path), path)
    except ImageLeftOutError:
        return []


def _load(path: Path, numbers: dict[str, int]) -> Loaded:
    try:
        content = _content(path)
        shapes = _shapes(content, path)
        photograph = path.parent / str(content.get("imagePath")).replace("\\", "/")  # of Windows
        encoded, size_hw = read_image(photograph)
        _require_size(content, path, size_hw)
    except ImageLeftOutError as error:
        return Loaded(None, (error.problem,))
    example = Example(path.stem, photograph.name, size_hw, (), encoded)
    return with_learnable(example, str(path), _objects(shapes, size_hw, numbers))


def _content(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except UserError as error:
        raise ImageLeftOutError("malformed entry", str(error)) from error
    return content if isinstance(content, dict) else {}


def _shapes(content: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    shapes = content.get("shapes")
    if not isinstance(shapes, list) or not all(isinstance(s, dict) and isinstance(s.get("label"), str) for s in shapes):
        raise ImageLeftOutError(
            "malformed entry", f"{path} is no file of labelme: it needs 'shapes', each with a label"
        )
    return shapes


def _require_size(content: dict[str, Any], path: Path, size_hw: tuple[int, int]) -> None:
    """Sizes may be absent, but not wrong."""
    stated = (content.get("imageHeight"), content.get("imageWidth"))
    if None not in stated and stated != size_hw:
        raise ImageLeftOutError("mask of another size", f"{path}: drawn on {stated} (height, width), image {size_hw}")


def _objects(shapes: list[dict[str, Any]], size_hw: tuple[int, int], numbers: dict[str, int]) -> Iterator[Found]:
    """Shapes of one label and group are one object."""
    groups: dict[tuple[str, Any], list[dict[str, Any]]] = {}
    for number, shape in enumerate(shapes):
        group = shape.get("group_id")
        groups.setdefault((shape["label"], f"shape {number}" if group is None else f"group {group}"), []).append(shape)
    for (label, name), parts in groups.items():
        mask = _mask(parts, size_hw)
        yield Found(name, mask if isinstance(mask, UnusableError) else Instance.of_rle(mask, numbers[label]))


def _mask(parts: list[dict[str, Any]], size_hw: tuple[int, int]) -> Rle | UnusableError:
    try:
        if any(part.get("shape_type") == "mask" for part in parts):
            return _of_pictures(parts, size_hw)
        polygons = [_polygon(part.get("shape_type", "polygon"), part["points"]) for part in parts]
    except UnusableError as error:
        return error
    except (LookupError, TypeError, ValueError, ArithmeticError, OSError) as error:
        return UnusableError("malformed mask", f"its points or mask cannot be read ({error})")
    return read_masks([polygons], size_hw, _OVERHANG)[0]


def _polygon(kind: str, points: list[list[float]]) -> list[float]:
    """x, y, x, y ... [px]."""
    if kind == "polygon":
        return [float(value) for point in points for value in point]
    if kind not in ("rectangle", "circle"):
        raise UnusableError("malformed mask", f"a shape of type {kind} has no area; draw a polygon")
    (x0, y0), (x1, y1) = points[:2]
    if kind == "rectangle":
        return [x0, y0, x1, y0, x1, y1, x0, y1]
    angles = np.linspace(0, 2 * math.pi, _POINTS_OF_CIRCLE, endpoint=False)  # a circle: its centre, a point on it
    around = np.stack([np.cos(angles), np.sin(angles)], 1) * math.hypot(x1 - x0, y1 - y0)
    return (around + np.array([x0, y0])).ravel().tolist()


def _of_pictures(parts: list[dict[str, Any]], size_hw: tuple[int, int]) -> Rle:
    """The union of PNGs, each of which fills the box between its two points."""
    union = np.zeros(size_hw, bool)
    for part in parts:
        with unlimited():
            file = Image.open(io.BytesIO(base64.b64decode(part["mask"])))
        picture = np.asarray(file) > 0
        left, top = (round(value) for value in part["points"][0])
        union[top : top + picture.shape[0], left : left + picture.shape[1]] |= picture
    return encode(union)
