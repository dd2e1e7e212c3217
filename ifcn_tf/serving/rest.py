"""REST: JSON over HTTP, with nothing but `requests`."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import numpy as np
import requests

from ifcn_tf.common.files import UserError
from ifcn_tf.serving.transport import (
    INPUT,
    SIGNATURE,
    RequestConfig,
    busy,
    late,
    loading,
    not_there,
    one_line,
    refused,
    too_large,
    unreachable,
)

#: HTTP statuses of a server that is overloaded, starting, or behind a gateway that cannot reach it.
_PASSING = (429, 502, 503, 504)
_CONNECT_SECONDS = 10.0
_MAX_CONNECTIONS = 64


class RestTransport:
    """A `Transport` to the REST port of TensorFlow Serving; may be used from several threads.

    Args:
        server: "HOST:PORT", or a URL where the server is behind TLS or a path.
        config: model, limits and timeouts.
    """

    def __init__(self, server: str, config: RequestConfig) -> None:
        self._server, self._config = server, config
        base = server if "://" in server else f"http://{server}"
        self._model = f"{base.rstrip('/')}/v1/models/{quote(config.model, safe='')}"
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=_MAX_CONNECTIONS))

    def versions(self) -> list[int]:
        """See `Transport`."""
        answer = self._exchange("GET", self._model, None, 0)
        try:
            ready = [int(state["version"]) for state in answer["model_version_status"] if state["state"] == "AVAILABLE"]
        except (KeyError, TypeError, ValueError) as error:  # of another kind of server
            raise UserError(f"{self._server} does not answer as TensorFlow Serving: give its REST port.") from error
        if not ready:
            raise loading(self._server, self._config)
        return ready

    def predict(self, encoded: bytes, version: int) -> dict[str, np.ndarray]:
        """See `Transport`."""
        image = {"b64": base64.b64encode(encoded).decode()}
        body = json.dumps({"signature_name": SIGNATURE, "inputs": {INPUT: [image]}}).encode()
        if len(body) > self._config.max_message_bytes:
            raise too_large("the request", len(body), self._config)
        place = self._model + (f"/versions/{version}" if version else "")
        outputs = self._exchange("POST", f"{place}:predict", body, version).get("outputs")
        try:
            return {name: np.asarray(values) for name, values in outputs.items()}  # type: ignore[union-attr]
        except (AttributeError, ValueError) as error:  # no dict, or lists of unequal lengths
            raise UserError(f"{self._server} answered without readable outputs: serve an exported model.") from error

    def _exchange(self, method: str, url: str, body: bytes | None, version: int) -> dict[str, Any]:
        config, deadline = self._config, time.monotonic() + self._config.timeout
        timeout = (min(_CONNECT_SECONDS, config.timeout), config.timeout)
        try:
            with self._session.request(method, url, data=body, stream=True, timeout=timeout) as response:
                content = self._content(response, deadline)
        except requests.ReadTimeout as error:
            raise late(self._server, config) from error
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            if "read timed out" in str(error).lower():  # how requests reports a body that does not come
                raise late(self._server, config) from error
            raise unreachable(self._server, "REST") from error
        except (requests.RequestException, ValueError) as error:  # such as an address that is none
            raise UserError(f"cannot ask {self._server}: give HOST:PORT [{one_line(error)}].") from error
        return self._checked(response.status_code, content, version)

    def _content(self, response: requests.Response, deadline: float) -> bytes:
        parts, size = [], 0
        for part in response.iter_content(2**16):
            parts.append(part)
            size += len(part)
            if size > self._config.max_message_bytes:
                raise too_large(f"the answer of {self._server}", f"at least {size}", self._config)
            if time.monotonic() > deadline:
                raise late(self._server, self._config)
        return b"".join(parts)

    def _checked(self, status: int, content: bytes, version: int) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        text = content[:1000].decode(errors="replace")
        detail = str(answer.get("error", text)) if isinstance(answer, dict) else text
        if status in _PASSING:
            raise busy(self._server, f"status {status}", detail)
        if status == 404:
            raise not_there(self._server, self._config, version, detail)
        if status != 200:
            raise refused(self._server, self._config, f"{detail} (status {status})")
        if not isinstance(answer, dict):
            raise UserError(f"{self._server} does not answer with JSON: give its REST port.")
        return answer
