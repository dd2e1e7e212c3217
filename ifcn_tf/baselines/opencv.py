"""OpenCV with its contributed modules, which only these methods need."""

from __future__ import annotations

from ifcn_tf.common.files import UserError

try:
    import cv2

    cv2.ximgproc.segmentation  # noqa: B018 - other builds of OpenCV lack it
except (ImportError, AttributeError) as error:
    raise UserError(
        "selective_search and edge_boxes need OpenCV with its contributed modules: pip install 'ifcn-tf[baselines]'; "
        "another build of OpenCV (opencv-python) has to be uninstalled first."
    ) from error

__all__ = ["cv2"]
