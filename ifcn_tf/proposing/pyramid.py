"""The images of the pyramid: coarse scales are seen whole, finer ones, where there is a focus, in part."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.geometry import WindowGrid
from ifcn_tf.images.tensors import Resize, resize
from ifcn_tf.proposing.chips import CHIP, Focusing, blocks_of, chip_of, densest
from ifcn_tf.proposing.scales import Tensors
from ifcn_tf.proposing.window_model import TRUNK

Sizes = list[tuple[tf.Tensor, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class Pyramid:
    """The images of an image in which a model looks for objects.

    Attributes:
        config, grid, focus, resize, size_type: as of `Proposer`.
    """

    config: ProposerConfig
    grid: WindowGrid
    focus: Focusing | None = None
    resize: Resize = resize
    size_type: tf.DType = tf.int64

    def sizes(self, image: tf.Tensor) -> Sizes:
        """Sizes of an image uint8 [H, W, 3] at all scales [px]: of those that are seen whole, then of the others."""
        whole, finer = self._parted(image)
        return whole + finer

    def whole(self, image: tf.Tensor) -> list[tf.Tensor]:
        """An image uint8 [H, W, 3] at each scale that is seen whole: float32 [1, h, w, 3], in 0..255."""
        whole, _ = self._parted(image)
        return [tf.expand_dims(self.resize(image, *size), 0) for size in whole]

    def chips(self, image: tf.Tensor, features: Sequence[Tensors]) -> list[Tensors]:
        """What is seen of each other scale.

        Args:
            image: uint8 [H, W, 3], RGB.
            features: what the model finds in each image of `whole`.

        Returns:
            "image", float32 [1, h, w, 3], in 0..255, and `CHIP`, where it lies: see there.
        """
        if self.focus is None or not self.finer:
            return []
        whole, finer = self._parted(image)
        seen = [side for side in self.config.shorter_sides if side not in self.finer].index(self.focus.seen_from)
        blocks = blocks_of(tf.sigmoid(self.focus.network(features[seen][TRUNK])))
        return [
            self._chip(image, blocks[..., self.focus.sides.index(side)], whole[seen], size)
            for side, size in zip(self.finer, finer, strict=True)
        ]

    @property
    def finer(self) -> list[int]:
        """Shorter sides of the scales that are seen in part [px]."""
        return [] if self.focus is None else [side for side in self.config.shorter_sides if side in self.focus.sides]

    def _parted(self, image: tf.Tensor) -> tuple[Sizes, Sizes]:
        height, width = tf.unstack(tf.shape(image, out_type=self.size_type)[:2])
        sizes = self.config.pyramid_hw(height, width)
        if not self.finer:
            return sizes, []
        by_side = list(zip(self.config.shorter_sides, sizes, strict=True))
        finer = [size for side, size in by_side if side in self.finer]
        return [size for side, size in by_side if side not in self.finer], finer

    def _chip(self, image: tf.Tensor, heat: tf.Tensor, seen_hw: Sequence, size: tuple[tf.Tensor, tf.Tensor]) -> Tensors:
        seen, finer = (tf.cast(tf.stack(sides), tf.int32) for sides in (seen_hw, size))
        chip = chip_of(densest(heat, self.config.focus_threshold), seen, finer, self.grid)
        (top, left), (bottom, right) = (tf.unstack(corner) for corner in (chip.pixels, chip.pixels_end))
        part = self.resize(image, *size)[top:bottom, left:right]
        return {"image": part[None], CHIP: tf.stack([chip.origin, chip.first, chip.end])}
