"""Settings of the evaluation of proposals."""

from __future__ import annotations

import dataclasses

from ifcn_tf.config.settings import Settings, require


@dataclasses.dataclass(frozen=True)
class EvaluationConfig(Settings):
    """Settings of the evaluation of proposals."""

    num_proposals: tuple[int, ...] = (10, 100, 1000)
    """Proposals an image at which recall is measured, the papers' N [count] [P]."""
    resamples: int = 1000
    """Resamples of the bootstrap over images [count]."""
    confidence: float = 0.95
    """Part of the resamples that an interval holds [0..1]."""
    seed: int = 0
    """Of the bootstrap, 0 or more."""

    def __post_init__(self) -> None:
        require(
            bool(self.num_proposals) and all(limit > 0 for limit in self.num_proposals),
            f"num_proposals needs at least one number, each positive, not {self.num_proposals}.",
        )
        require(
            list(self.num_proposals) == sorted(set(self.num_proposals)),
            f"num_proposals must rise, not {self.num_proposals}.",
        )
        require(self.resamples > 0, f"resamples must be positive, not {self.resamples}.")
        require(self.seed >= 0, f"seed must not be negative, not {self.seed}.")
        require(0 < self.confidence < 1, f"confidence must lie between 0 and 1, not {self.confidence}.")
