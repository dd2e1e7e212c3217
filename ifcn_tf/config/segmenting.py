"""How a photograph becomes a label image; as in `proposing.py`."""

from __future__ import annotations

import dataclasses

from ifcn_tf.config.proposing import LONGEST_SIDE
from ifcn_tf.config.settings import Settings, require


@dataclasses.dataclass(frozen=True)
class SegmenterConfig(Settings):
    """Settings of the step from an image to the class of each pixel."""

    shorter_side: int = 0
    """The network sees the image at this shorter side, about that of the photographs that it was trained on; its scores
    are then interpolated to the image's own size. 0: the image as it is, as FCN was published [px]."""
    longer_side_limit: int = 2700
    """The network sees no image with a longer side than this; keeps large photographs and panoramas within memory
    [px]."""

    def __post_init__(self) -> None:
        require(
            self.shorter_side == 0 or 8 <= self.shorter_side <= LONGEST_SIDE,
            f"shorter_side must be 0, or lie in 8..{LONGEST_SIDE} px, not {self.shorter_side}.",
        )
        require(
            8 <= self.longer_side_limit <= LONGEST_SIDE,
            f"longer_side_limit must lie in 8..{LONGEST_SIDE} px, not {self.longer_side_limit}.",
        )
