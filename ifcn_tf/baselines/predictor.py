"""Methods without a network as predictors: what `results.folder` takes, and so the files of `pipelines.propose`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.baselines.edge_boxes import EdgeBoxes
from ifcn_tf.baselines.opencv import cv2
from ifcn_tf.baselines.selective_search import selective_search
from ifcn_tf.common.files import BadImageError
from ifcn_tf.images.files import MAX_PIXELS, read_pixels
from ifcn_tf.proposals import Proposals


class Baseline:
    """Proposes the objects of photographs by a method that maps pixels to proposals.

    Args:
        propose: the method, for uint8 [H, W, 3], RGB.
        settings: what determines the proposals, as JSON types.
        max_pixels: larger image files are refused.
    """

    def __init__(
        self, propose: Callable[[np.ndarray], Proposals], settings: dict[str, Any], max_pixels: int = MAX_PIXELS
    ) -> None:
        self.propose, self.max_pixels = propose, max_pixels
        self.settings = {**settings, "opencv": cv2.__version__}

    def propose_file(self, path: Path) -> tuple[np.ndarray, Proposals]:
        """An image file's pixels, uint8 [H, W, 3], and their proposals; raises BadImageError on a bad file."""
        image = read_pixels(path, self.max_pixels)
        try:
            return image, self.propose(image)
        except cv2.error as error:  # such as no memory for this size
            raise BadImageError(f"OpenCV fails on {path}: {' '.join(str(error).split())}.") from error


def selective_search_predictor(count: int, max_pixels: int = MAX_PIXELS) -> Baseline:
    """Regions of Selective Search, the best `count` of each image."""
    settings = {"method": "selective_search", "masks": "regions", "num_proposals": count}
    return Baseline(partial(selective_search, count=count), settings, max_pixels)


def edge_boxes_predictor(model: Path, count: int, max_pixels: int = MAX_PIXELS) -> Baseline:
    """Boxes of Edge Boxes, the best `count` of each image; raises UserError on a bad model file, see `EdgeBoxes`."""
    propose = EdgeBoxes(model, count)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    settings = {"method": "edge_boxes", "masks": "boxes", "num_proposals": count, "edge_model": digest}
    return Baseline(propose, settings, max_pixels)
