"""How proposals become instances with names; as in `proposing.py`."""

from __future__ import annotations

import dataclasses

from ifcn_tf.config.proposing import LONGEST_SIDE
from ifcn_tf.config.settings import Settings, require


@dataclasses.dataclass(frozen=True)
class ClassifyingConfig(Settings):
    """Settings of the step from the proposals of an image to instances with names (section 4.3; MNC, section 4)."""

    shorter_side: int = 600
    """The network sees the image at this shorter side [px] [P]."""
    longer_side_limit: int = 1000
    """The network sees no image with a longer side than this [px]."""
    num_rois: int = 300
    """The best so many proposals are classified, the paper's N [count] [P]."""
    nms_iou: float = 0.3
    """Of two instances of a class whose refined boxes overlap by more than this IoU the better one stays [0..1] [P]."""
    voting_iou: float = 0.5
    """The mask of an instance is the mean, by score, of those of all proposals whose boxes, refined for its class,
    overlap its own by this IoU or more; 1: its own mask alone [0..1] [P]."""
    voting_threshold: float = 0.4
    """A cell or pixel belongs to the mask from this mean probability on [0..1] [P]."""
    min_score: float = 0.001
    """A proposal is an instance of every class of this probability or more [0..1]."""
    num_instances: int = 100
    """Instances kept an image [count]."""

    def __post_init__(self) -> None:
        for name in ("shorter_side", "longer_side_limit"):
            side = getattr(self, name)
            require(8 <= side <= LONGEST_SIDE, f"{name} must lie in 8..{LONGEST_SIDE} px, not {side}.")
        for name in ("num_rois", "num_instances"):
            require(getattr(self, name) > 0, f"{name} must be positive, not {getattr(self, name)}.")
        for name in ("nms_iou", "voting_iou", "min_score"):
            require(0 <= getattr(self, name) <= 1, f"{name} must lie in 0..1, not {getattr(self, name)}.")
        threshold = self.voting_threshold
        require(0 < threshold < 1, f"voting_threshold must lie in 0..1, and be neither, not {threshold}.")
