"""From photographs to their proposals, whatever computes them; loads no TensorFlow."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.images.files import checked_pixels
from ifcn_tf.proposals import Proposals


class ImagePredictor(abc.ABC):
    """Proposes the objects of photographs.

    Attributes:
        config: scales, thresholds and counts.
        categories: names by number, where proposals have names.
    """

    config: ProposerConfig
    categories: Mapping[int, str] = MappingProxyType({})

    @abc.abstractmethod
    def read(self, path: str | Path) -> np.ndarray:
        """Reads an image file as `propose` does: uint8 [H, W, 3], upright; raises BadImageError when it cannot."""

    @abc.abstractmethod
    def _run(self, image: np.ndarray) -> Mapping[str, np.ndarray]:
        """Image uint8 [H, W, 3], RGB -> what `Proposer.__call__` returns, as arrays."""

    def propose_file(self, path: Path) -> tuple[np.ndarray, Proposals]:
        """An image file's pixels, uint8 [H, W, 3], and their proposals; raises BadImageError on a bad file."""
        image = self.read(path)
        return image, self.propose(image)

    def propose(self, image: str | Path | np.ndarray) -> Proposals:
        """Proposes the objects of one image.

        Args:
            image: a file (see `images.files.read_pixels`), or uint8 [H, W, 3], RGB.

        Raises:
            UserError: the file cannot be read, or the array is no such image.
        """
        pixels = self.read(image) if isinstance(image, str | Path) else checked_pixels(image)
        found, count = self._run(pixels), self.config.num_proposals
        arrays: dict[str, Any] = {name: found[name][:count] for name in ("scores", "windows_yxyx", "mask_logits")}
        if self.categories:
            arrays |= {name: found[name][:count] for name in ("category_ids", "class_scores")}
            arrays["categories"] = self.categories
        height, width = pixels.shape[:2]
        threshold, min_area = self.config.mask_threshold, self.config.min_area
        return Proposals.from_windows(**arrays, size_hw=(height, width), threshold=threshold, min_area=min_area)
