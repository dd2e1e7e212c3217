"""Proposals whose masks are rectangles, so that what covers a point can be seen from their numbers."""

import numpy as np

from ifcn_tf.masks.rle import encode
from ifcn_tf.proposals import Proposals


def rectangles(size_hw, boxes_yxyx, scores):
    """One proposal a box, whole pixels, in the order given."""
    masks = np.zeros((len(boxes_yxyx), *size_hw), bool)
    for mask, (y0, x0, y1, x1) in zip(masks, boxes_yxyx, strict=True):
        mask[y0:y1, x0:x1] = True
    return Proposals(size_hw, np.array(scores, np.float32), [encode(mask) for mask in masks])
