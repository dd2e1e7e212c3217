"""From photographs to their proposals, whatever computes them; loads no TensorFlow."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ifcn_tf.common.files import BadImageError
from ifcn_tf.common.pool import in_threads
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.images.files import checked_pixels
from ifcn_tf.proposals import Proposals

#: An image file, or uint8 [H, W, 3], RGB.
Image = str | Path | np.ndarray


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
        try:
            return image, self.propose(image)
        except BadImageError as error:  # which knows the size alone
            raise BadImageError(f"{path}: {error}") from error

    def propose(self, image: Image) -> Proposals:
        """Proposes the objects of one image.

        Args:
            image: a file (see `images.files.read_pixels`), or uint8 [H, W, 3], RGB.

        Raises:
            BadImageError: the file cannot be read, or the array is no such image.
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

    def propose_batch(self, images: Iterable[Image], in_flight: int = 2) -> list[Proposals]:
        """Proposes the objects of several images, of any sizes, in less time than one by one.

        Args:
            images: see `propose`.
            in_flight: images that are worked on at once [count], each in a thread; memory grows with it.

        Raises:
            BadImageError: one of the images is none; says which file, if it is one.
        """
        return list(in_threads((partial(self.propose, image) for image in images), in_flight))

    def propose_stream(self, images: Iterable[Image], in_flight: int = 2) -> Iterator[Proposals | BadImageError]:
        """Proposes the objects of images as they come, such as the frames of a video; answers in their order.

        A bad image is answered by the error that `propose` raises of it, and the stream goes on. Images are taken from
        the iterator when they are needed, at most `2 in_flight` ahead of the answer that is waited for.

        Args:
            images: see `propose`; may be endless.
            in_flight: see `propose_batch`.
        """
        return in_threads((partial(self._answer, image) for image in images), in_flight)

    def _answer(self, image: Image) -> Proposals | BadImageError:
        try:
            return self.propose(image)
        except BadImageError as error:
            return error
