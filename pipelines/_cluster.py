"""The flags that say which machines propose: this process, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable

from absl import flags

from ifcn_tf.common.files import UserError
from ifcn_tf.config.cluster import ClusterConfig
from ifcn_tf.config.settings import descriptions
from ifcn_tf.results.folder import AnyPredictor, Finish

from . import _images

_DEFAULT, _HELP = ClusterConfig(), descriptions(ClusterConfig)

CLUSTER = flags.DEFINE_string("cluster", None, f"A Ray cluster. {_HELP['address']}")
CPUS = flags.DEFINE_float("actor_cpus", _DEFAULT.cpus, f"With --cluster. {_HELP['cpus']}")
GPUS = flags.DEFINE_float("actor_gpus", _DEFAULT.gpus, f"With --cluster. {_HELP['gpus']}")
ACTORS = flags.DEFINE_integer("actors", _DEFAULT.actors, f"With --cluster. {_HELP['actors']}")
TASK = flags.DEFINE_integer("images_per_task", _DEFAULT.images_per_task, f"With --cluster. {_HELP['images_per_task']}")


def finish(load: Callable[[], AnyPredictor]) -> Finish | None:
    """How a cluster proposes, with predictors that `load` makes; None without --cluster. Raises UserError."""
    if CLUSTER.value is None:
        if given := [flag.name for flag in (CPUS, GPUS, ACTORS, TASK) if flag.present]:
            raise UserError(f"--{given[0]} goes with --cluster: say which, such as --cluster=auto.")
        return None
    if _images.POINT.value or _images.BOX.value:
        raise UserError("--point and --box are places of one photograph: leave --cluster out.")
    from ifcn_tf.cluster.ray_data import on_cluster

    return on_cluster(load, ClusterConfig(CLUSTER.value, CPUS.value, GPUS.value, ACTORS.value, TASK.value))
