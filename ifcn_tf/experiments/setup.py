"""What all rows of a table have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from ifcn_tf.config.presets import RunConfig
from ifcn_tf.experiments.tables import Training


@dataclasses.dataclass(frozen=True)
class Setup:
    """What networks are trained on, how long, and where everything is written.

    Attributes:
        base: settings that all trainings start from.
        budget: images that each of them sees [count].
        data: folders that `prepare_data` wrote, to train on.
        shares: how often a pass shows the photographs of each; once where there are none.
        backbone: "imagenet" or a file of the trunk's ImageNet weights.
        output: folder of all that is made.
    """

    base: RunConfig
    budget: int
    data: Sequence[Path]
    shares: Sequence[int]
    backbone: str
    output: Path

    def config(self, training: Training) -> RunConfig:
        """The settings of a training run; raises UserError where the budget is less than a step."""
        return training.config(self.base, self.budget)

    def workdir(self, training: Training) -> Path:
        """The folder of a training run."""
        return self.output / "rows" / training.name
