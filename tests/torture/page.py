"""The page of `ifcn-tf web` with visitors who hang up, send slowly, send nonsense or send 100 MB: others are served."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import requests

from ifcn_tf.proposals import Proposals
from ifcn_tf.web.page import Page
from ifcn_tf.web.serving import MAX_FILE_BYTES, served
from tests.support.exported import encoded, scene

#: Rude visitors of each kind, at once.
_RUDE = 3
#: What a polite visitor waits at most [s].
_PATIENCE = 10
#: A file that is too large [byte].
_LARGE = 100 * 10**6
_UPLOAD = "/gradio_api/upload"
_HEAD = (
    f"POST {_UPLOAD} HTTP/1.1\r\nHost: page\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    "Content-Length: {length}\r\n\r\n"
)
_PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'


def campaign(count: int, seed: int, folder: Path) -> Iterator[str]:
    """Loads the page and drops a photograph `count` times while others are rude; yields what is not served."""
    image = encoded(scene(seed, (60, 80)), "PNG")
    with served(Page(_nothing), 200, "127.0.0.1", None) as address:
        with _rude_visitors(_place(address)) as failed:
            for _ in range(count):
                yield from _polite(address.rstrip("/"), image)
        yield from failed
        yield from _polite(address.rstrip("/"), image)


def _nothing(image: np.ndarray) -> Proposals:
    height, width = image.shape[:2]
    return Proposals((height, width), np.zeros(0, np.float32), [])


def _place(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    assert parts.hostname and parts.port
    return parts.hostname, parts.port


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


@contextlib.contextmanager
def _rude_visitors(server: tuple[str, int]) -> Iterator[list[str]]:
    """Keeps rude visitors coming while the block runs; gives what was done wrong to them, which grows."""
    over, failed = threading.Event(), list[str]()

    def visit(rude: Callable[[socket.socket, threading.Event], str]) -> None:
        while not over.is_set():
            with (
                socket.create_connection(_place(server), timeout=_PATIENCE) as connection,
                contextlib.suppress(OSError),
            ):
                if wrong := rude(connection, over):
                    failed.append(wrong)

    threads = [threading.Thread(target=visit, args=(rude,)) for rude in _KINDS for _ in range(_RUDE)]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _hangs_up(connection: socket.socket, over: threading.Event) -> str:
    connection.sendall(_HEAD.format(length=10**6).encode() + _PART + b"half")
    over.wait(0.05)
    return ""


def _sends_slowly(connection: socket.socket, over: threading.Event) -> str:
    for letter in _HEAD.format(length=10**6):
        connection.sendall(letter.encode())
        if over.wait(0.2):
            break
    return ""


def _sends_nonsense(connection: socket.socket, over: threading.Event) -> str:
    connection.sendall(b"\x00\xff\r\n" * 1000 + b"\r\n\r\n")
    answer = connection.recv(12)
    over.wait(0.05)
    return f"answers {answer!r} to nonsense" if answer.startswith(b"HTTP/1.1 2") else ""


def _sends_too_much(connection: socket.socket, over: threading.Event) -> str:
    assert _LARGE > MAX_FILE_BYTES
    connection.sendall(_HEAD.format(length=_LARGE).encode() + _PART)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for _ in range(_LARGE // 2**20):
            connection.sendall(bytes(2**20))
            if over.is_set():
                return ""
    answer = connection.recv(12)
    return f"answers {answer!r} to {_LARGE} bytes" if answer.startswith(b"HTTP/1.1 2") else ""


_KINDS = (_hangs_up, _sends_slowly, _sends_nonsense, _sends_too_much)
