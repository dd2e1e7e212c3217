"""Which machines propose, and how the photographs are shared out among them; as in `proposing.py`."""

from __future__ import annotations

import dataclasses

from ifcn_tf.config.settings import Settings, require


@dataclasses.dataclass(frozen=True)
class ClusterConfig(Settings):
    """Which Ray cluster, and what of it a predictor has to itself."""

    address: str = "auto"
    """HOST:PORT of Ray's head; auto: the cluster that this machine is part of; local: the cores of this machine
    alone."""
    cpus: float = 1.0
    """Cores of a predictor, which are also its threads [count]."""
    gpus: float = 0.0
    """GPUs of a predictor; a part of one is shared [count]."""
    actors: int = 0
    """Predictors at once; 0: as many as the cluster has cores and GPUs for [count]."""
    images_per_task: int = 16
    """Images that a predictor gets at a time; what it has not written when its machine fails is done again [count]."""

    def __post_init__(self) -> None:
        require(bool(self.address), "address must not be empty.")
        require(self.cpus > 0, f"cpus (--actor_cpus) must be positive, not {self.cpus}.")
        require(self.gpus >= 0, f"gpus (--actor_gpus) must not be negative, not {self.gpus}.")
        require(self.actors >= 0, f"actors (--actors) must not be negative, not {self.actors}.")
        images = self.images_per_task
        require(images > 0, f"images_per_task (--images_per_task) must be positive, not {images}.")
