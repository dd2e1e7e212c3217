"""A connection to a Ray cluster, and what its machines say when they fail."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator

from ifcn_tf.common.files import UserError

try:
    import ray
    import ray.data
except ImportError as error:
    raise UserError("a cluster needs ray: pip install 'ifcn-tf[cluster]'.") from error

#: The address that starts a cluster of this machine alone, for the time of the run.
LOCAL = "local"
#: How long the head of a cluster is waited for [s].
_PATIENCE = 10


@contextlib.contextmanager
def connected(address: str) -> Iterator[None]:
    """A cluster while the block runs.

    Args:
        address: HOST:PORT of its head, "auto" of the one that this machine is part of, or `LOCAL`.

    Raises:
        UserError: there is none, or what runs on it fails; says the last line of that.
    """
    try:
        if ":" in address:
            _require_listening(address)
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"no Ray cluster at {address}: start one (`ray start --head`), or give its HOST:PORT, or {LOCAL}."
        ) from error
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    except (ray.exceptions.ActorDiedError, ray.exceptions.WorkerCrashedError) as error:
        raise UserError(
            "the cluster ended the run, since a predictor died again and again at the same images: they may need more "
            "memory than there is, or be damaged; --images_per_task=1 finds out which."
        ) from error
    except ray.exceptions.RayError as error:
        raise UserError(f"the cluster ended the run: {str(error).strip().splitlines()[-1]}") from error
    finally:
        ray.shutdown()


def _require_listening(address: str) -> None:
    """Raises OSError where nobody listens; Ray itself tries again for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), _PATIENCE).close()
