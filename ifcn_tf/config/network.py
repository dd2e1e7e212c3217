"""Architecture and arithmetic of the network."""

from __future__ import annotations

import dataclasses
from typing import Literal

from ifcn_tf.config.settings import Settings, require

Precision = Literal["auto", "float32", "bfloat16"]


@dataclasses.dataclass(frozen=True)
class ModelConfig(Settings):
    """Architecture of the network; together with the weights it determines every output."""

    k: int = 5
    """Relative positions a side, so k * k score maps [count] [P]: 3, 5 or 7."""
    window_cells: int = 21
    """Side of the sliding window and of its mask, the paper's m [cells of 8 px] [P]."""
    trunk_channels: tuple[int, ...] = (64, 128, 256, 512, 512)
    """Output channels of the five VGG-16 blocks [count]; only these defaults fit the ImageNet weights."""
    branch_channels: int = 512
    """Channels of the hidden layer of each branch [count] [P]."""

    def __post_init__(self) -> None:
        require(self.k in (3, 5, 7), f"k must be 3, 5 or 7, not {self.k}.")
        require(
            self.window_cells > 0 and self.window_cells % 2 == 1,
            f"window_cells must be odd and positive, not {self.window_cells}.",
        )
        require(self.window_cells >= self.k, f"window_cells must be k = {self.k} or more, not {self.window_cells}.")
        require(
            len(self.trunk_channels) == 5 and min(self.trunk_channels) > 0,
            f"trunk_channels needs five positive numbers, not {self.trunk_channels}.",
        )
        require(self.branch_channels > 0, f"branch_channels must be positive, not {self.branch_channels}.")


def require_narrow_blend(blend_cells: int, k: int, window_cells: int) -> None:
    """Raises UserError unless blending reaches at most the two nearest of the k relative positions of a window."""
    most = (window_cells // k - 1) // 2
    require(blend_cells <= most, f"blend_cells must be {most} or less with k = {k}, not {blend_cells}.")
