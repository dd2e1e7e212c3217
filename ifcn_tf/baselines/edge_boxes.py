"""Edge Boxes (Zitnick and Dollár, ECCV 2014), OpenCV's: boxes that hold many closed contours."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ifcn_tf.baselines import EDGE_MODEL_SOURCE
from ifcn_tf.baselines.opencv import cv2
from ifcn_tf.common.files import UserError
from ifcn_tf.masks.rle import encode
from ifcn_tf.proposals import Proposals

#: What a file of OpenCV's edge detector holds; without any of these OpenCV ends the process.
_KEYS = (b"numberOfTrees:", b"childs:", b"featureIds:", b"thresholds:", b"edgeBoundaries:", b"edgeBins:")


class EdgeBoxes:
    """Proposes the boxes of an image, as masks that fill them.

    Args:
        model: the structured forest that finds edges (Dollár and Zitnick, ICCV 2013), OpenCV's .yml or .yml.gz.
        count: proposals that are kept.

    Raises:
        UserError: no such file, or another one.
    """

    def __init__(self, model: Path, count: int) -> None:
        _require_forest(model)
        try:
            self._detector = cv2.ximgproc.createStructuredEdgeDetection(str(model))
        except cv2.error as error:
            raise _no_forest(model) from error
        self._boxes = cv2.ximgproc.createEdgeBoxes(maxBoxes=count)

    def __call__(self, image: np.ndarray) -> Proposals:
        """Proposals for an image, uint8 [H, W, 3], RGB; scores are those of the boxes, which have no upper limit."""
        edges = self._detector.detectEdges(image.astype(np.float32) / 255)
        orientation = self._detector.computeOrientation(edges)
        thin = self._detector.edgesNms(edges, orientation)
        boxes, scores = self._boxes.getBoundingBoxes(thin, orientation)
        if scores is None:  # there is no box
            boxes, scores = [], np.zeros(0)
        height, width = image.shape[:2]
        masks = [encode(_filled(box, (height, width))) for box in boxes]
        return Proposals((height, width), np.float32(scores).ravel(), masks)


def _filled(box_xywh: Sequence[int], size_hw: tuple[int, int]) -> np.ndarray:
    left, top, width, height = box_xywh
    mask = np.zeros(size_hw, np.uint8)
    mask[top : top + height, left : left + width] = 1
    return mask


def _require_forest(model: Path) -> None:
    try:
        content = model.read_bytes()
        text = gzip.decompress(content) if model.suffix == ".gz" else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _no_forest(model) from error
    except OSError as error:
        raise UserError(f"cannot read {model}: {error.strerror or error}; give {EDGE_MODEL_SOURCE}.") from error
    if not all(key in text for key in _KEYS):
        raise _no_forest(model)


def _no_forest(model: Path) -> UserError:
    return UserError(f"{model} holds no edge detector of OpenCV, or a damaged one; give {EDGE_MODEL_SOURCE}.")
