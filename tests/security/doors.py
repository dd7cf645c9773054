"""The web in this process, over a store of its own, with the limits that a test wants."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from gm_analytics import handlers, settings
from gm_analytics.service import Service
from gm_analytics.web import bodies, server
from gm_analytics.web.app import create_app
from lab.deliveries import PullRequest, signature

SECRET = "s" * 64
PAGE = "/ci_server/updates"


def configured(directory: Path) -> settings.Settings:
    """Give a configuration whose mirror nobody reaches; no worker runs."""
    (directory / "identity").write_text("")
    (directory / "known_hosts").write_text("")
    mirror = {
        "name": "inside",
        "host": "10.11.12.13",
        "user": "root-of-all",
        "identity_file": str(directory / "identity"),
        "known_hosts": str(directory / "known_hosts"),
        "root": "/var/repo",
        "url": "http://127.0.0.1:9/repo/",
        "upstream": {"reposdir": "/tmp", "releasever": "9"},
    }
    return settings.Settings.model_validate(
        {
            "webhook": {"secret": SECRET, "repositories": ["team/packages"]},
            "database_url": f"sqlite:///{directory}/updates.sqlite",
            "mirrors": [mirror],
        }
    )


@contextmanager
def using(directory: Path) -> Iterator[Service]:
    """Have the handlers of this process answer for a store of its own."""
    service = Service(configured(directory))
    handlers.use(service)
    try:
        yield service
    finally:
        service.store.close()
        handlers._given.clear()


@contextmanager
def serving(
    limits: server.Limits | None = None, reading: bodies.Limits | None = None
) -> Iterator[int]:
    """Serve as `gm-analytics web` does; give the port."""
    config = server.configure(create_app(handlers.webhook_secret, reading), "127.0.0.1", 0, limits)
    ours = _Server(config)
    thread = threading.Thread(target=ours.run)
    thread.start()
    try:
        assert ours.ready.wait(30)
        yield ours.servers[0].sockets[0].getsockname()[1]
    finally:
        ours.should_exit = True
        thread.join()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the main thread's


def head(length: int | str, sign: str | None = None, **more: str) -> bytes:
    """Give the head of a delivery; by default its signature is well formed, and wrong."""
    fields: dict[str, Any] = {
        "Host": "ci.example.org",
        "Content-Type": "application/json",
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": "d1",
        "X-Hub-Signature-256": sign or "sha256=" + "0" * 64,
    }
    fields |= {"Transfer-Encoding": "chunked"} if length == "chunked" else {}
    fields |= {"Content-Length": length} if isinstance(length, int) else {}
    lines = [f"{name}: {value}" for name, value in (fields | more).items()]
    return "\r\n".join([f"POST {PAGE} HTTP/1.1", *lines, "", ""]).encode()


def connect(port: int, data: bytes = b"") -> socket.socket:
    """Open a connection and send something."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(data)
    return connection


def answer(connection: socket.socket) -> bytes:
    """Give what comes until the other side has sent a whole answer, or closes."""
    data = bytearray()
    try:
        while chunk := connection.recv(65536):
            data += chunk
            top, end, body = bytes(data).partition(b"\r\n\r\n")
            if end and len(body) >= _length(top):
                break
    except ConnectionError:
        pass
    return bytes(data)


def status(connection: socket.socket) -> int:
    """Give the status of the answer, 0 if there is none."""
    first = answer(connection).split(b" ", 2)
    return int(first[1]) if len(first) > 1 else 0


def is_closed(connection: socket.socket, patience: float) -> bool:
    """Wait until the other side closes."""
    connection.settimeout(patience)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def signed(body: bytes) -> bytes:
    """Give a whole delivery with a right signature."""
    return head(len(body), signature(SECRET, body)) + body


def payload() -> dict[str, Any]:
    """Give the payload of a pull request."""
    return PullRequest("a" * 40, "team/packages").payload()


def _length(top: bytes) -> int:
    for line in top.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def run(coroutine: Any) -> Any:
    """Run a coroutine to its end."""
    return asyncio.run(coroutine)
