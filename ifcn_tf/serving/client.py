"""The client: image files to a server, answers to `Proposals`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.config.settings import require
from ifcn_tf.images.files import GRAPH_FORMATS, MAX_PIXELS, checked_pixels, decode, encode, open_image, read_pixels
from ifcn_tf.proposals import Proposals
from ifcn_tf.serving.answer import to_proposals
from ifcn_tf.serving.transport import RefusedError, RequestConfig, Transport, with_retries

ProtocolName = Literal["rest", "grpc"]


@dataclasses.dataclass(frozen=True)
class Client:
    """Proposes the objects of photographs by asking a server; `connect` makes one. Threads may share it.

    Attributes:
        server: "HOST:PORT".
        config: model, version, timeouts and retries.
        transport: how requests get there.
        max_pixels: larger image files are refused here.
    """

    server: str
    config: RequestConfig
    transport: Transport
    max_pixels: int = MAX_PIXELS

    @property
    def settings(self) -> dict[str, Any]:
        """What determines the proposals, as JSON types.

        Servers tell no more of a version than its number: that another export took its place does not show here.
        """
        return {"server": self.server, "model": self.config.model, "version": self.config.version}

    def newest_version(self) -> int:
        """The newest version of the model that the server has ready."""
        return max(with_retries(self.transport.versions, self.config))

    def pinned(self) -> Client:
        """This client, but bound to the newest version of now where it follows the newest of each request."""
        config = dataclasses.replace(self.config, version=self.config.version or self.newest_version())
        return dataclasses.replace(self, config=config)

    def propose(self, image: str | Path | np.ndarray) -> Proposals:
        """Proposes the objects of one image.

        Args:
            image: a file (see `images.files.read_pixels`), or uint8 [H, W, 3], RGB.

        Raises:
            BadImageError: the image cannot be read, here or on the server, or is too large to be sent.
            UserError: the server cannot be asked; says why.
        """
        if isinstance(image, str | Path):
            return self.propose_file(Path(image))[1]
        pixels = checked_pixels(image)
        return self._ask(_png(pixels), "the array", pixels.shape[:2])

    def read(self, path: str | Path) -> np.ndarray:
        """Reads an image file as `propose` does: uint8 [H, W, 3], upright; raises BadImageError when it cannot."""
        return read_pixels(Path(path) if isinstance(path, str) else path, self.max_pixels)

    def propose_file(self, path: Path) -> tuple[np.ndarray, Proposals]:
        """An image file's pixels, uint8 [H, W, 3], and their proposals; raises as `propose` does."""
        file = open_image(path, self.max_pixels)
        image = decode(file, path)
        encoded = file.encoded if file.format in GRAPH_FORMATS else _png(image)
        return image, self._ask(encoded, str(path), image.shape[:2])

    def _ask(self, encoded: bytes, name: str, size_hw: tuple[int, ...]) -> Proposals:
        version = self.config.version
        try:
            answer = with_retries(lambda: self.transport.predict(encoded, version), self.config)
        except RefusedError as error:
            raise BadImageError(f"{name}: {error}") from error
        return to_proposals(answer, name, size_hw)


def connect(server: str, protocol: ProtocolName = "rest", max_pixels: int = MAX_PIXELS, **settings: Any) -> Client:
    """Connects to a server that has an exported model.

    Args:
        server: "HOST:PORT" (TensorFlow Serving's REST port is 8501, its gRPC port 8500); "https://HOST:PORT" for TLS.
        protocol: "rest", or "grpc", which is several times more compact, but imports TensorFlow.
        max_pixels: larger image files are refused.
        **settings: fields of `RequestConfig`, such as model="ifcn" or timeout=10.

    Raises:
        UserError: a wrong setting, no server, or a server without that model; says which.
    """
    require(bool(server), "server must be HOST:PORT, not empty.")
    config = RequestConfig.from_dict(settings)
    client = Client(server, config, _transport(server, protocol, config), max_pixels)
    versions = with_retries(client.transport.versions, config)
    if config.version not in (0, *versions):
        ready = ", ".join(map(str, sorted(versions)))
        raise UserError(f"{server} has no version {config.version} of the model {config.model}, but {ready}.")
    return client


def _transport(server: str, protocol: ProtocolName, config: RequestConfig) -> Transport:
    if protocol not in get_args(ProtocolName):
        raise UserError(f"protocol must be rest or grpc, not {protocol}.")
    try:
        if protocol == "rest":
            from ifcn_tf.serving.rest import RestTransport

            return RestTransport(server, config)
        from ifcn_tf.serving.grpc import GrpcTransport

        return GrpcTransport(server, config)
    except ImportError as error:
        raise UserError(f"asking a server needs {error.name}: pip install 'ifcn-tf[serving]'.") from error


def _png(image: np.ndarray) -> bytes:
    return encode(Image.fromarray(image), "PNG", compress_level=1)
