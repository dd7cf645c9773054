"""A socket as systemd has one, where services say how they are."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Notified:
    """What was said, a datagram an entry."""

    def __init__(self, path: Path, listening: socket.socket) -> None:
        self.path = path
        self.said: list[dict[str, str]] = []
        self._socket = listening

    def environ(self, watchdog: float = 0.0) -> dict[str, str]:
        """Give what systemd puts into the environment of a service."""
        microseconds = {"WATCHDOG_USEC": str(int(watchdog * 1_000_000))} if watchdog else {}
        return {"NOTIFY_SOCKET": str(self.path), **microseconds}

    def hear(self) -> list[dict[str, str]]:
        """Take what has come, and give all of it."""
        while True:
            try:
                text = self._socket.recv(65536).decode()
            except BlockingIOError:
                return self.said
            self.said.append(dict(line.split("=", 1) for line in text.splitlines()))

    def wait_for(self, what: Callable[[dict[str, str]], bool], seconds: float = 30) -> None:
        """Wait until something was said."""
        deadline = time.monotonic() + seconds
        while not any(map(what, self.hear())):
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)


@contextmanager
def notified(directory: Path) -> Iterator[Notified]:
    """Listen until the block ends."""
    path = directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.setblocking(False)
        yield Notified(path, listening)
