"""What the trainer will see: figures over all prepared examples, and the parts of single ones for pictures."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import tensorflow as tf

from ifcn_tf.common.files import write_bytes
from ifcn_tf.config.network import WindowConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.pipeline import training_examples
from ifcn_tf.data.records import Records, naming_damage, parse
from ifcn_tf.data.targets import classify_windows, mask_targets
from ifcn_tf.data.views import Objects, boxes_in_view, image_of, objects_of, view_of
from ifcn_tf.geometry import WindowGrid
from ifcn_tf.images.files import encode
from ifcn_tf.pictures.targets import draw_targets

Arrays = dict[str, Any]
#: Positive windows beside a training example, of those sampled in random order.
_SHOWN = 6


@dataclasses.dataclass
class Survey:
    """Figures over some prepared folders.

    Attributes:
        images: number of images.
        objects: number of objects, crowds included.
        positives: positive windows at each scale, over all images.
        images_with_positives: at each scale.
        images_without_positives: at all scales.
        never_positive: objects without a positive window at any scale, by the reason.
    """

    images: int
    objects: int
    positives: np.ndarray
    images_with_positives: np.ndarray
    images_without_positives: int
    never_positive: Counter[str]

    def lines(self, config: DataConfig) -> Iterator[str]:
        """The figures as text."""
        yield f"{self.images} images, {self.objects} objects"
        for side, positives, images in zip(
            config.shorter_sides, self.positives, self.images_with_positives, strict=True
        ):
            share = 1 - images / self.images
            mean = positives / self.images
            yield f"  scale {side:4d} px: {mean:6.1f} positives an image, {share:.0%} of images without"
        yield f"  images without positives at any scale: {self.images_without_positives / self.images:.1%}"
        never, objects = sum(self.never_positive.values()), max(self.objects, 1)
        yield f"  objects never positive: {never} ({never / objects:.1%})"
        for reason, count in self.never_positive.most_common():
            yield f"    {reason}: {count} ({count / objects:.1%})"


class _Figures(NamedTuple):
    """Of one image at the S scales: positives int64 [S], sides float64 [S, n] px, owned bool [n], is_crowd bool [n]."""

    positives: tf.Tensor
    sides: tf.Tensor
    owned: tf.Tensor
    is_crowd: tf.Tensor


@naming_damage()
def survey(data: Sequence[Path], config: DataConfig, grid: WindowGrid) -> Survey:
    """Counts positives of every example at every scale; decodes no image. Raises UserError at a damaged record."""
    records = Records.open(data)

    def figures(number: tf.Tensor) -> _Figures:
        return _figures(objects_of(parse(records.read(number))), config, grid)

    found = tf.data.Dataset.range(len(records)).map(figures, num_parallel_calls=tf.data.AUTOTUNE)
    scales = len(config.shorter_sides)
    result = Survey(len(records), 0, np.zeros(scales, int), np.zeros(scales, int), 0, Counter())
    for positives, sides, owned, is_crowd in found.as_numpy_iterator():
        result.objects += len(owned)
        result.positives += positives
        result.images_with_positives += positives > 0
        result.images_without_positives += not positives.any()
        for n in np.flatnonzero(~owned):
            result.never_positive["crowd" if is_crowd[n] else _reason(sides[:, n], config)] += 1
    return result


def _figures(objects: Objects, config: DataConfig, grid: WindowGrid) -> _Figures:
    positives, sides, owned = [], [], tf.zeros_like(objects.is_crowd, tf.int64)
    for side in config.shorter_sides:
        view = view_of(objects.size_hw, tf.constant(side), tf.constant(False), config)
        classes = classify_windows(objects, view, config, grid)
        boxes = boxes_in_view(objects, view)
        owners = tf.boolean_mask(classes.owner, classes.positive)
        owned += tf.math.unsorted_segment_sum(tf.ones_like(owners), owners, tf.size(owned))
        positives.append(tf.size(owners, tf.int64))
        sides.append(tf.reduce_max(boxes[:, 2:] - boxes[:, :2], 1))
    return _Figures(tf.stack(positives), tf.stack(sides), owned > 0, objects.is_crowd)


def _reason(sides: np.ndarray, config: DataConfig) -> str:
    """Why an object of these longer sides [px] is positive at no scale."""
    factors = sides / config.object_side
    if np.all(factors < 1 / config.side_tolerance):
        return "too small at every scale"
    if np.all(factors > config.side_tolerance):
        return "too large at every scale"
    if np.all(np.maximum(factors, 1 / factors) > config.side_tolerance):
        return "between two scales"
    return "its windows belong to nearer objects or lie in a crowd"


class Parts(NamedTuple):
    """One example at one scale, as NumPy arrays.

    Attributes:
        image_id: the record's `source_id`.
        image: uint8 [H, W, 3], RGB, resized.
        positive, negative: bool [h, w], classes of the windows.
        windows: int64 [p, 2], a window (y, x) of each object that has any.
        masks: bool [p, m, m], their targets.
    """

    image_id: str
    image: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    windows: np.ndarray
    masks: np.ndarray


@naming_damage()
def parts(records: Records, number: int, shorter_side: int, config: DataConfig, grid: WindowGrid) -> Parts:
    """Everything that the trainer makes of a record at a scale. Raises UserError at a damaged record."""
    numbers = tf.data.Dataset.from_tensors(tf.constant(number, tf.int64))
    record = numbers.map(records.parsed).get_single_element()
    objects = objects_of(record)
    view = view_of(objects.size_hw, tf.constant(shorter_side), tf.constant(False), config)
    classes = classify_windows(objects, view, config, grid)
    windows = _one_of_each(classes.positive.numpy(), classes.owner.numpy())
    owners = tf.gather_nd(classes.owner, windows)
    return Parts(
        record["image/source_id"].numpy().decode(),
        image_of(record, view).numpy().round().astype(np.uint8),
        classes.positive.numpy(),
        classes.negative.numpy(),
        windows,
        mask_targets(objects, view, tf.constant(windows), owners, config, grid).numpy(),
    )


def _one_of_each(positive: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """The middle one of the windows of each object, int64 [p, 2]."""
    numbers = np.unique(owner[positive])
    cells = [np.argwhere(positive & (owner == number)) for number in numbers]
    return np.array([c[len(c) // 2] for c in cells], np.int64).reshape(-1, 2)


def save_pictures(data: Sequence[Path], count: int, config: DataConfig, grid: WindowGrid, output: Path) -> None:
    """Draws `count` examples, evenly over the data, at every scale, as `output`/IMAGE_SCALE.png."""
    records = Records.open(data)
    for number in np.unique(np.linspace(0, len(records) - 1, count).astype(int)) if count else ():
        for side in config.shorter_sides:
            p = parts(records, int(number), side, config, grid)
            picture = draw_targets(*p[1:], grid, f"scale: shorter side {min(p.image.shape[:2])} px")
            write_bytes(output / f"{_in_name(p)}_{side}.png", encode(picture, "PNG"))


@naming_damage()
def save_examples(
    data: Sequence[Path], count: int, config: DataConfig, network: WindowConfig, seed: int, output: Path
) -> None:
    """Draws the first `count` examples that a run with this seed trains on, as `output`/example_NUMBER_IMAGE.png.

    They are shown as the network sees them, scaled, cut and pasted on, with the windows that were sampled.

    Raises:
        UserError: a folder cannot be used, or a record is damaged.
    """
    examples = training_examples(data, config, network, seed).take(count)
    for number, (inputs, targets) in enumerate(examples.as_numpy_iterator()):
        p = example_parts(inputs, targets, network.grid)
        picture = draw_targets(*p[1:], network.grid, f"example {number}: image {p.image_id}", "not sampled")
        write_bytes(output / f"example_{number:05d}_{_in_name(p)}.png", encode(picture, "PNG"))


def _in_name(shown: Parts) -> str:
    """An image's id as a part of a file's name: some data sets have paths for ids."""
    return quote(shown.image_id, safe="")


def example_parts(inputs: Arrays, targets: Arrays, grid: WindowGrid) -> Parts:
    """What a training example shows; its windows are those sampled, of which a few positive ones are shown beside."""
    image, windows = inputs["image"].round().astype(np.uint8), inputs["windows"]
    is_positive = targets["labels"] > 0
    positive, negative = np.zeros((2, *grid.map_hw(*image.shape[:2])), bool)
    positive[tuple(windows[is_positive].T)] = True
    negative[tuple(windows[~is_positive & (targets["weights"] > 0)].T)] = True
    few = np.flatnonzero(is_positive)[:_SHOWN]
    return Parts(targets["image_id"].decode(), image, positive, negative, windows[few], targets["masks"][few] > 0)
