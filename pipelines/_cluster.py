"""The flags that say which machines propose: this process, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable

from absl import flags

from ifcn_tf.common.files import UserError
from ifcn_tf.results.folder import AnyPredictor, Finish

from . import _images

CLUSTER = flags.DEFINE_string(
    "cluster", None, "HOST:PORT of a Ray cluster; auto: the one of this machine; local: its cores alone."
)
CPUS = flags.DEFINE_float("actor_cpus", 1.0, "With --cluster: cores, and threads, of a predictor.")
GPUS = flags.DEFINE_float("actor_gpus", 0.0, "With --cluster: GPUs of a predictor, such as 1 or 0.5.")
ACTORS = flags.DEFINE_integer("actors", 0, "With --cluster: predictors at once; 0: as many as there is room for.", 0)
TASK = flags.DEFINE_integer("images_per_task", 16, "With --cluster: images that a predictor gets at a time.", 1)


def finish(load: Callable[[], AnyPredictor]) -> Finish | None:
    """How a cluster proposes, with predictors that `load` makes; None without --cluster. Raises UserError."""
    if CLUSTER.value is None:
        if given := [flag.name for flag in (CPUS, GPUS, ACTORS, TASK) if flag.present]:
            raise UserError(f"--{given[0]} goes with --cluster: say which, such as --cluster=auto.")
        return None
    if _images.POINT.value or _images.BOX.value:
        raise UserError("--point and --box are places of one photograph: leave --cluster out.")
    from ifcn_tf.cluster.ray_data import ClusterConfig, on_cluster

    return on_cluster(load, ClusterConfig(CLUSTER.value, CPUS.value, GPUS.value, ACTORS.value, TASK.value))
