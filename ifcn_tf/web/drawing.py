"""A photograph with all of its proposals as one drawing (SVG), in which browsers find the mask under the pointer."""

from __future__ import annotations

import base64
import html
import math

import contourpy
import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from ifcn_tf.images.files import encode
from ifcn_tf.masks.rle import tight_box_xywh
from ifcn_tf.pictures.paint import palette
from ifcn_tf.proposals import Proposals

#: Photographs are shown with a longer side of at most so much, and outlines are as fine as that [px].
_LONGER_SIDE = 1280


def drawing(image: np.ndarray, proposals: Proposals) -> str:
    """The photograph, uint8 [H, W, 3], and over it one `path` a proposal, `data-mask` its index.

    Larger masks lie below smaller ones, so that the browser itself finds the smallest one under the pointer.
    Coordinates are pixels of the photograph.
    """
    height, width = image.shape[:2]
    areas, colours = proposals.areas(), palette(len(proposals)).astype(int).tolist()
    step = math.ceil(max(height, width) / _LONGER_SIDE)
    paths = [
        f'<path data-mask="{i}" style="--colour: rgb{tuple(colours[i])}" d="{outline(proposals, i, step)}">'
        f"<title>{html.escape(_tip(proposals, i))}, {areas[i] / (height * width):.1%} of the photograph</title></path>"
        for i in np.argsort(-areas, kind="stable").tolist()
    ]
    picture = base64.b64encode(_jpeg(image)).decode()
    return (
        f'<svg viewBox="0 0 {width} {height}" style="--ratio: {width / height:.4f}">'
        f'<image href="data:image/jpeg;base64,{picture}" width="{width}" height="{height}" preserveAspectRatio="none"/>'
        f'{"".join(paths)}<rect class="box"/></svg>'
    )


def _tip(proposals: Proposals, index: int) -> str:
    """What a mask is, where that is known, and its score."""
    name = "" if proposals.category_ids is None else f"{proposals.labels[index]}, "
    return f"{name}score {proposals.scores[index]:.2f}"


def outline(proposals: Proposals, index: int, step: int = 1) -> str:
    """The outline of a mask as the `d` of an SVG path to be filled by "evenodd": a closed ring a part, and one a hole.

    Every `step`-th pixel of every `step`-th row is looked at. Rings pass half-way between pixels inside and outside.
    """
    left, top, width, height = tight_box_xywh(proposals.rles[index])
    mask = coco_mask.decode(proposals.rles[index])[top : top + height, left : left + width]
    sampled = np.pad(mask[step // 2 :: step, step // 2 :: step].astype(np.float32), 1)
    # contourpy puts a value at its index; sample i, at index i + 1, stands for pixels up to step * (i + 1).
    rings = contourpy.contour_generator(z=sampled).lines(0.5)
    return "".join(_closed((_corners(np.asarray(ring)) - 0.5) * step + (left, top)) for ring in rings)


def _corners(ring: np.ndarray) -> np.ndarray:
    """A closed ring [n, 2], its last point the first again, without that and the points on a straight line."""
    points = ring[:-1]
    before, after = points - np.roll(points, 1, 0), np.roll(points, -1, 0) - points
    return points[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]


def _closed(ring: np.ndarray) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in ring.tolist()) + "Z"


def _jpeg(image: np.ndarray) -> bytes:
    picture = Image.fromarray(image)
    picture.thumbnail((_LONGER_SIDE, _LONGER_SIDE))
    return encode(picture, "JPEG", quality=85)
