"""The page of `ifcn-tf web` with visitors who hang up, send slowly, send nonsense or send 100 MB: others are served."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import requests

from ifcn_tf.proposals import Proposals
from ifcn_tf.web.page import Page
from ifcn_tf.web.serving import MAX_FILE_BYTES, served
from tests.support.exported import encoded, scene
from tests.torture.rude import LARGE, Target, rude_visitors

#: What a polite visitor waits at most [s].
_PATIENCE = 10
_UPLOAD = "/gradio_api/upload"
_PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'


def campaign(count: int, seed: int, folder: Path) -> Iterator[str]:
    """Loads the page and drops a photograph `count` times while others are rude; yields what is not served."""
    image = encoded(scene(seed, (60, 80)), "PNG")
    assert LARGE > MAX_FILE_BYTES
    with served(Page(_nothing), 200, "127.0.0.1", None) as address:
        with rude_visitors(_target(address)) as failed:
            for _ in range(count):
                yield from _polite(address.rstrip("/"), image)
        yield from failed
        yield from _polite(address.rstrip("/"), image)


def _nothing(image: np.ndarray) -> Proposals:
    height, width = image.shape[:2]
    return Proposals((height, width), np.zeros(0, np.float32), [])


def _target(address: str) -> Target:
    parts = urlsplit(address)
    assert parts.hostname and parts.port
    return Target((parts.hostname, parts.port), _UPLOAD, "multipart/form-data; boundary=x", _PART)


def _polite(address: str, image: bytes) -> Iterator[str]:
    start = time.perf_counter()
    try:
        page = requests.get(address, timeout=_PATIENCE)
        uploaded = requests.post(address + _UPLOAD, files={"files": ("a.png", image)}, timeout=_PATIENCE)
    except requests.RequestException as error:
        yield f"is not served after {time.perf_counter() - start:.0f} s: {error}"
        return
    if page.status_code != 200 or uploaded.status_code != 200:
        yield f"is answered {page.status_code}, and {uploaded.status_code}: {uploaded.text[:200]}"
    elif Path(uploaded.json()[0]).read_bytes() != image:
        yield "gets another photograph"
