"""Generated scenes: textured objects of many forms that touch, overlap and hide one another on textured ground.

They need no download, and every mask is exact. Scene number i of a seed is always the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from ifcn_tf.annotations.example import Example, Instance, Loaded, Source
from ifcn_tf.images.files import encode

#: Objects of which less is visible are part of the ground, not annotated [px].
_MIN_VISIBLE = 64
#: Longer sides of scenes and of objects [px].
_SCENE_SIDES, _OBJECT_SIDES = (320, 640), (30, 360)
#: Points of an outline.
_POINTS = 180


def shapes_source(count: int, seed: int) -> Source:
    """Generates `count` scenes of one to twelve objects; the category is the form."""
    jobs = [functools.partial(_load, seed, number) for number in range(count)]
    return Source(dict(enumerate(_FORMS, start=1)), count, jobs)


def _load(seed: int, number: int) -> Loaded:
    image, labels, categories = draw_scene(np.random.default_rng([seed, number]))
    encoded = encode(Image.fromarray(image), "JPEG", quality=92)
    objects = []
    for label, category in enumerate(categories, start=1):
        mask = labels == label
        if mask.sum() >= _MIN_VISIBLE:
            objects.append(Instance.of_mask(mask, category))
    name = f"{number:06d}"
    size_hw = (labels.shape[0], labels.shape[1])
    classes = encode(Image.fromarray(np.array([0, *categories], np.uint8)[labels]), "PNG")
    return Loaded(Example(name, f"{name}.jpg", size_hw, tuple(objects), encoded, classes))


def draw_scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Paints a scene from back to front.

    Returns:
        The image uint8 [H, W, 3]; the visible object at each pixel, int [H, W], 0 for the ground; the category of each
        object, counted from 1.
    """
    longer = int(rng.integers(*_SCENE_SIDES, endpoint=True))
    shorter = int(longer * rng.uniform(0.6, 1.0))
    size_hw = (longer, shorter) if rng.random() < 0.3 else (shorter, longer)
    image = _texture(rng, size_hw)
    labels = np.zeros(size_hw, np.int64)
    centres_yx, categories = [rng.uniform(0, size_hw)], []
    for label in range(1, int(rng.integers(1, 12, endpoint=True)) + 1):
        side = float(np.exp(rng.uniform(*np.log(_OBJECT_SIDES))))
        # Half of the objects lie beside an earlier one, so that they touch or overlap.
        near = centres_yx[rng.integers(len(centres_yx))] + side * rng.normal(0, 0.6, 2)
        centres_yx.append(np.clip(near, 0, size_hw) if rng.random() < 0.5 else rng.uniform(0, size_hw))
        category = int(rng.integers(len(_FORMS)))
        mask = _rasterize(_outline(rng, category, side) + centres_yx[-1], size_hw)
        _paint(rng, image, mask)
        labels[mask] = label
        categories.append(category + 1)
    noise = rng.normal(0, 4, image.shape)  # of a sensor
    return np.clip(image + noise, 0, 255).astype(np.uint8), labels, categories


def _outline(rng: np.random.Generator, category: int, side: float) -> np.ndarray:
    """Points (y, x) of a form around (0, 0), stretched and turned; its longer side is about `side` [px]."""
    angles = np.linspace(0, 2 * np.pi, _POINTS, endpoint=False)
    radii = list(_FORMS.values())[category](angles, rng)
    points = np.stack([np.sin(angles), np.cos(angles)], 1) * radii[:, None]
    points[:, 0] *= rng.uniform(0.35, 1.0)
    turn = rng.uniform(0, 2 * np.pi)
    points = points @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return points * (side / np.ptp(points, axis=0).max())


def _ellipse(angles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.ones_like(angles)


def _box(angles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    power = rng.uniform(4, 12)  # of a superellipse: a box with rounded corners
    return (np.abs(np.sin(angles)) ** power + np.abs(np.cos(angles)) ** power) ** (-1 / power)


def _polygon(angles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    sector = 2 * np.pi / rng.integers(3, 7, endpoint=True)
    return np.cos(sector / 2) / np.cos(angles % sector - sector / 2)


def _star(angles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    points, depth = rng.integers(4, 8, endpoint=True), rng.uniform(0.3, 0.6)
    return 1 - depth * np.abs((angles * points / (2 * np.pi)) % 1 * 2 - 1)


def _flower(angles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 1 + rng.uniform(0.15, 0.4) * np.cos(rng.integers(3, 7, endpoint=True) * angles)


def _blob(angles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    waves = np.arange(2, 7)[:, None]
    amplitudes, phases = rng.normal(0, 0.35, (5, 1)) / waves, rng.uniform(0, 2 * np.pi, (5, 1))
    return np.maximum(1 + (amplitudes * np.cos(waves * angles + phases)).sum(0), 0.2)


#: Radius of each form's outline by angle.
_FORMS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "ellipse": _ellipse,
    "box": _box,
    "polygon": _polygon,
    "star": _star,
    "flower": _flower,
    "blob": _blob,
}


def _rasterize(outline_yx: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    canvas = Image.new("1", size_hw[::-1])
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for y, x in outline_yx], fill=1)
    return np.asarray(canvas)


def _texture(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Two colours mixed by noise of several scales, sometimes with stripes, under uneven light; float [H, W, 3]."""
    mix = sum(_noise(rng, size_hw, cells) / cells**0.5 for cells in (3, 8, 24, 60))
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    along_y, along_x = rng.normal(size=2)
    if rng.random() < 0.5:
        mix = mix + rng.uniform(0.2, 0.6) * np.sin((along_y * y + along_x * x) * rng.uniform(0.1, 0.5))
    light = 1 + 0.3 * (along_x * y / size_hw[0] - along_y * x / size_hw[1])
    grey = rng.uniform(50, 205, (2, 1))
    first, second = grey + rng.uniform(-45, 45, (2, 3))  # muted, as in photographs
    share = np.clip(0.5 + mix, 0, 1)[..., None]
    return (first * share + second * (1 - share)) * np.clip(light, 0.5, 1.4)[..., None]


def _noise(rng: np.random.Generator, size_hw: tuple[int, int], cells: int) -> np.ndarray:
    """Smooth noise in -1..1 with about `cells` features a side, float [H, W]."""
    grid = Image.fromarray(rng.uniform(-1, 1, (cells, cells)).astype(np.float32))
    return np.asarray(grid.resize(size_hw[::-1], Image.Resampling.BICUBIC))


def _paint(rng: np.random.Generator, image: np.ndarray, mask: np.ndarray) -> None:
    """Paints an object's texture, darker towards its edge, and its shadow on what lies behind."""
    if not mask.any():
        return
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    part = (
        slice(max(rows[0] - 12, 0), rows[-1] + 13),
        slice(max(columns[0] - 12, 0), columns[-1] + 13),
    )
    inside, behind = mask[part], image[part]
    shadow = ndimage.uniform_filter(ndimage.shift(inside.astype(np.float32), 4, order=0), 9)
    behind *= 1 - 0.4 * shadow[..., None]
    depth = ndimage.uniform_filter(inside.astype(np.float32), 11)
    texture = _texture(rng, (inside.shape[0], inside.shape[1]))
    behind[inside] = (texture * (0.4 + 0.6 * depth[..., None]))[inside]
