"""YOLOv8s-seg, the network of FastSAM-s, and MobileSAM, as ultralytics builds them for PyTorch.

Their weights are random: how long they take does not depend on these. ultralytics is under the AGPL-3.0, and nothing
but this comparison imports it. It is told to ask no host and to install nothing, and keeps its settings in a folder
that ends with the process.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.common.pool import usable_cores

_settings = tempfile.TemporaryDirectory()
os.environ |= {"YOLO_CONFIG_DIR": _settings.name, "YOLO_OFFLINE": "true"}
os.environ |= {"YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}
try:
    import torch
    from ultralytics import YOLO
    from ultralytics.models.sam.build import build_mobile_sam
except ImportError as error:
    raise UserError(f"comparing with peers needs {error.name}: pip install 'ifcn-tf[peers]'.") from error

_YOLO = "yolov8s-seg.yaml"
#: Side of the square that MobileSAM's encoder takes [px].
_SAM_SIDE = 1024
#: Points along each side of an image that SAM's automatic generator asks for, and how many it asks for at a time.
_POINTS_A_SIDE, POINTS_AT_ONCE = 32, 64


def take_cores() -> str:
    """Gives PyTorch as many threads as all others have, after ultralytics took fewer; returns what computes."""
    torch.set_num_threads(usable_cores())
    return f"torch {torch.__version__}, float32, {torch.get_num_threads()} threads"


def export_yolo(size_hw: tuple[int, int], folder: Path) -> Path:
    """Writes YOLOv8s-seg for images of one size [px] for OpenVINO, as ultralytics exports it: the path of its XML."""
    with contextlib.chdir(folder):  # which ultralytics writes into
        exported = YOLO(_YOLO).export(format="openvino", imgsz=size_hw)
        return next(Path(exported).absolute().glob("*.xml"))


def yolo(image: np.ndarray) -> Callable[[], Any]:
    """YOLOv8s-seg without what follows it, its normalisation within the convolutions, as ultralytics runs it.

    Args:
        image: float32 [1, 3, H, W], RGB in 0..1, sides multiples of 32.
    """
    return partial(_inferred, YOLO(_YOLO).model.eval().fuse(verbose=False), torch.from_numpy(image))


def mobile_sam(image: np.ndarray) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """MobileSAM's encoder; and prompts and decoder for 64 points of a grid of 1,024, to masks of 256 x 256 cells.

    SAM's automatic generator asks for 64 points at a time, so that the grid takes 16 times as long.

    Args:
        image: float32 [1, 3, H, W], RGB in 0..1, the longer side as long as the encoder's; the rest of its input is 0.
    """
    sam = build_mobile_sam().eval()
    height, width = image.shape[2:]
    padded = torch.nn.functional.pad(torch.from_numpy(image), (0, _SAM_SIDE - width, 0, _SAM_SIDE - height))
    centres = (torch.arange(_POINTS_A_SIDE) + 0.5) / _POINTS_A_SIDE
    points_xy = torch.cartesian_prod(centres * width, centres * height)
    encode = partial(_inferred, sam.image_encoder, padded)
    return encode, partial(_inferred, _decode, sam, encode(), points_xy[:POINTS_AT_ONCE])


def _decode(sam: torch.nn.Module, features: torch.Tensor, points_xy: torch.Tensor) -> Any:
    """Three masks for each point [N, 2]."""
    foreground = torch.ones(len(points_xy), 1)
    sparse, dense = sam.prompt_encoder(points=(points_xy[:, None], foreground), boxes=None, masks=None)
    return sam.mask_decoder(
        image_embeddings=features,
        image_pe=sam.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=True,
    )


def _inferred(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function answers, without what gradients would need."""
    with torch.inference_mode():
        return function(*arguments)
