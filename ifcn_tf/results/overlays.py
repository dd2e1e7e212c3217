"""The pictures that a run draws while it proposes: for people, where formats are for programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ifcn_tf.common.files import write_bytes
from ifcn_tf.images.files import encode
from ifcn_tf.pictures.proposals import draw_proposals
from ifcn_tf.proposals import Proposals

#: Their name among the formats, and that of their folder.
OVERLAYS = "overlays"


def write_overlay(folder: Path, path: Path, image: np.ndarray, best: Proposals) -> None:
    """Writes overlays/STEM.png: the given proposals painted over the image, uint8 [H, W, 3]."""
    write_bytes(folder / OVERLAYS / f"{path.stem}.png", encode(draw_proposals(image, best), "PNG"))
