"""Web servers of strangers: they answer what they like, as slowly as they like."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Say = Callable[[str], Iterable[bytes]]
"""From the request's text to the bytes of the answer, as they are sent."""


@dataclass
class Stranger:
    """One server on loopback, and what it was asked."""

    say: Say
    context: ssl.SSLContext | None = None
    asked: list[str] = field(default_factory=list)
    sent: int = 0
    _socket: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def url(self) -> str:
        scheme = "https" if self.context else "http"
        return f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):  # closed at the end
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            self._converse(connection)
        connection.close()

    def _converse(self, connection: socket.socket) -> None:
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                if not (chunk := connection.recv(65536)):
                    return
                request += chunk
            self.asked.append(request.decode())
            for data in self.say(self.asked[-1]):
                connection.sendall(data)
                self.sent += len(data)


@contextmanager
def stranger(say: Say, context: ssl.SSLContext | None = None) -> Iterator[Stranger]:
    server = Stranger(say, context)
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield server
    finally:
        server.close()


def answer(body: object, *headers: str, status: str = "200 OK") -> list[bytes]:
    """Give a whole answer: bytes as they are, anything else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", "Connection: close", *headers]
    return ["\r\n".join([*lines, "", ""]).encode() + data]


def drip(data: bytes, pause: float, seconds: float) -> Iterator[bytes]:
    """Give a byte at a time, for so long; at the end blanks."""
    ends = time.monotonic() + seconds
    position = 0
    while time.monotonic() < ends:
        yield data[position : position + 1] or b" "
        position += 1
        time.sleep(pause)
