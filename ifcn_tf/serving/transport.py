"""What the ways to a server share: settings, errors that may pass, and trying again."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.config.settings import Settings, require

#: Signature and input that requests go to, as `pipelines.export` writes them.
SIGNATURE, INPUT = "serving_default", "image_bytes"
#: No pause between two tries is longer [s].
_LONGEST_PAUSE = 30.0

Answer = TypeVar("Answer")


@dataclasses.dataclass(frozen=True)
class RequestConfig(Settings):
    """How a client asks a server."""

    model: str = "ifcn"
    """Name under which the server knows the model."""
    version: int = 0
    """Version of the model; 0 is the newest at the time of each request."""
    timeout: float = 60.0
    """Longest wait for one answer [s]."""
    attempts: int = 5
    """Tries of a request that fails for a passing reason: no connection, no time, an overloaded server [count]."""
    first_pause: float = 0.5
    """Pause before the second try; each further one is twice as long, up to 30 s [s]. Half of it is random, so that
    many clients do not come back at once."""
    max_message_bytes: int = 256 * 2**20
    """Largest request or answer [byte]; 1,000 proposals take 1.8 MB by gRPC and about 5 MB by REST."""

    def __post_init__(self) -> None:
        require(bool(self.model), "model must not be empty.")
        require(self.version >= 0, f"version must be 0 (the newest) or more, not {self.version}.")
        require(0 < self.timeout < 10**6, f"timeout must be positive, not {self.timeout}.")
        require(self.attempts > 0, f"attempts must be positive, not {self.attempts}.")
        require(0 <= self.first_pause <= 60, f"first_pause must lie in 0..60, not {self.first_pause}.")
        limit = self.max_message_bytes
        require(0 < limit < 2**31, f"max_message_bytes must be positive and below 2 GiB, not {limit}.")


class Transport(Protocol):
    """A way to a server.

    Both methods raise `PassingError` if another try may help, `RefusedError` if another image may, else UserError.
    """

    def versions(self) -> list[int]:
        """Versions of the model that are ready to answer; at least one."""

    def predict(self, encoded: bytes, version: int) -> dict[str, np.ndarray]:
        """Sends one image, JPEG or PNG, to a version of the model (0: the newest); the outputs by their names."""


class PassingError(UserError):
    """Something that another try may mend."""


class RefusedError(UserError):
    """A message that is not sent or not answered; others may be."""


def with_retries(call: Callable[[], Answer], config: RequestConfig) -> Answer:
    """The result of `call`, tried again while it raises `PassingError`; raises the last one."""
    for attempt in range(config.attempts - 1):
        try:
            return call()
        except PassingError:
            pause = min(config.first_pause * 2**attempt, _LONGEST_PAUSE)
            time.sleep(pause * random.uniform(0.5, 1))
    return call()


def unreachable(server: str, kind: str, detail: str = "") -> PassingError:
    """The error of a server that cannot be connected to by "REST" or "gRPC"."""
    return PassingError(f"cannot reach {server}: is a server running there, and is this its {kind} port?{detail}")


def late(server: str, config: RequestConfig) -> PassingError:
    """The error of a server that took too long."""
    return PassingError(f"{server} did not answer within {config.timeout:g} s: raise --timeout.")


def busy(server: str, status: object, detail: object) -> PassingError:
    """The error of a server that is there, and that has no room for the request."""
    return PassingError(f"{server} cannot answer now ({status}): {one_line(detail)}.")


def loading(server: str, config: RequestConfig) -> PassingError:
    """The error of a server whose model is not loaded yet."""
    return PassingError(f"{server} has no version of the model {config.model} ready yet: wait, or see its log.")


def not_there(server: str, config: RequestConfig, version: int, detail: str) -> UserError:
    """The error of a model, or a version of it, that the server does not have."""
    model = f"version {version} of the model {config.model}" if version else f"model {config.model}"
    return UserError(f"{server} has no {model}: choose one that it serves (--model, --version) [{one_line(detail)}].")


def refused(server: str, config: RequestConfig, detail: str) -> UserError:
    """The error of a request that the server does not understand: any, if its model is another one, else this one."""
    if "signature" in detail.lower():
        return UserError(
            f"model {config.model} on {server} does not take {INPUT} in a signature {SIGNATURE}: serve one that "
            f"`ifcn-tf export` wrote [{one_line(detail)}]."
        )
    return RefusedError(f"{server} refused the request: {one_line(detail)}.")


def too_large(what: str, size: int | str, config: RequestConfig) -> RefusedError:
    """The error of a request or answer over the limit."""
    return RefusedError(f"{what} has {size} bytes, over the limit of {config.max_message_bytes}; raise it (--max_mb).")


def one_line(detail: object) -> str:
    """The beginning of a server's or library's message, on one line."""
    text = " ".join(str(detail).split()).rstrip(".")
    return text if len(text) <= 300 else text[:300] + " ..."
