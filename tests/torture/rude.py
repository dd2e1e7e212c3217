"""Visitors of a server who hang up, send slowly, send nonsense or send 100 MB, beside those who are polite."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Callable, Iterator

#: Visitors of each kind, at once.
_EACH = 3
#: What is too large [byte].
LARGE = 100 * 10**6
#: How long a visitor waits for an answer [s].
_PATIENCE = 60


@dataclasses.dataclass(frozen=True)
class Target:
    """Where visitors post to.

    Attributes:
        server: host and port.
        path: of the request.
        content_type: of the request.
        begin: of a body that a server goes on reading.
    """

    server: tuple[str, int]
    path: str
    content_type: str
    begin: bytes

    def head(self, length: int) -> bytes:
        """Of a request whose body has `length` bytes."""
        lines = (
            f"POST {self.path} HTTP/1.1",
            f"Host: {self.server[0]}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {length}",
        )
        return "\r\n".join((*lines, "", "")).encode()


@contextlib.contextmanager
def rude_visitors(target: Target) -> Iterator[list[str]]:
    """Keeps rude visitors coming while the block runs; gives what was answered that should not be, which grows."""
    over, failed = threading.Event(), list[str]()

    def visit(rude: Callable[[socket.socket, Target, threading.Event], str]) -> None:
        while not over.is_set():
            with (
                contextlib.suppress(OSError),
                socket.create_connection(target.server, timeout=_PATIENCE) as connection,
            ):
                if wrong := rude(connection, target, over):
                    failed.append(wrong)

    threads = [threading.Thread(target=visit, args=(rude,)) for rude in _KINDS for _ in range(_EACH)]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _hangs_up(connection: socket.socket, target: Target, over: threading.Event) -> str:
    connection.sendall(target.head(10**6) + target.begin + b"half")
    over.wait(0.05)
    return ""


def _sends_slowly(connection: socket.socket, target: Target, over: threading.Event) -> str:
    for letter in target.head(10**6).decode():
        connection.sendall(letter.encode())
        if over.wait(0.2):
            break
    return ""


def _sends_nonsense(connection: socket.socket, target: Target, over: threading.Event) -> str:
    connection.sendall(b"\x00\xff\r\n" * 1000 + b"\r\n\r\n")
    over.wait(0.05)
    return _accepted(connection, "nonsense")


def _sends_too_much(connection: socket.socket, target: Target, over: threading.Event) -> str:
    connection.sendall(target.head(LARGE) + target.begin)
    left = LARGE - len(target.begin)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while left and not over.is_set():
            left -= connection.send(bytes(min(left, 2**20)))
    return "" if over.is_set() else _accepted(connection, f"{LARGE} bytes")


def _accepted(connection: socket.socket, what: str) -> str:
    answer = connection.recv(12)
    return f"answers {answer!r} to {what}" if answer.startswith((b"HTTP/1.0 2", b"HTTP/1.1 2")) else ""


_KINDS = (_hangs_up, _sends_slowly, _sends_nonsense, _sends_too_much)
