"""What systemd is told of this process: that it is ready, lives, ends, and what it is at.

The protocol is datagrams of NAME=VALUE lines, which sd_notify(3) has as stable and shows how to
send without a library: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import MutableMapping
from typing import Self

from gm_analytics.wording import one_line

WEB, WORKER = "web", "worker"
"""What a process may consist of."""
MAX_STATUS = 200
"""Characters; `systemctl status` shows one line."""
_PATIENCE = 1.0
"""Seconds that a datagram may wait for room in systemd's queue."""
_OFTEN = 4
"""Signs of life within the time of the watchdog."""
_SECONDS = 10.0
"""Between two signs of life at most, so that the status is not older."""

log = logging.getLogger(__name__)


class Supervisor:
    """Tells systemd, which may not be there.

    The process is ready once each of its parts has shown life, and lives while each goes on to.
    """

    def __init__(self, address: str = "", watchdog: float = 0.0) -> None:
        """Tell whoever listens at an address of sd_notify(3); `watchdog` is in seconds."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog = watchdog
        self._lock = threading.Lock()
        self._said: dict[str, str | None] = {}
        self._heard: set[str] = set()
        self._ready = self._ending = False

    @classmethod
    def taken_from(cls, environ: MutableMapping[str, str]) -> Self:
        """Take what systemd gave this process out of the environment: it is not for children."""
        address = environ.pop("NOTIFY_SOCKET", "")
        microseconds, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        mine = microseconds.isdecimal() and pid in {"", str(os.getpid())}
        return cls(address, int(microseconds) / 1_000_000 if mine else 0.0)

    @property
    def is_there(self) -> bool:
        """Whether anybody is told."""
        return bool(self._address)

    @property
    def every(self) -> float:
        """Seconds after which a part should show life again."""
        return min(_SECONDS, self._watchdog / _OFTEN or _SECONDS)

    def expect(self, *parts: str) -> None:
        """Name the parts without which the process is neither ready nor alive."""
        self._said = dict.fromkeys(parts)

    def lives(self, part: str, status: str) -> None:
        """Say that a part lives, and what it is at; systemd is told once all parts do."""
        with self._lock:
            self._heard.add(part)
            self._said[part] = status
            if self._heard < self._said.keys():
                return
            self._heard.clear()
            lines = ["WATCHDOG=1"] if self._ready else ["READY=1", "WATCHDOG=1"]
            self._ready = True
            if not self._ending:
                lines.append(_status("; ".join(filter(None, self._said.values()))))
            self._send(*lines)

    def ends(self, status: str, within: float = 0.0) -> None:
        """Say that the process ends, within so many seconds if that is more than usual."""
        with self._lock:
            self._ending = True
            more = [f"EXTEND_TIMEOUT_USEC={int(within * 1_000_000)}"] if within else []
            self._send("STOPPING=1", _status(status), *more)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(_PATIENCE)
                sender.connect(self._address)
                sender.sendall("\n".join(lines).encode())
        except OSError as error:
            log.warning("telling systemd: %s", error.strerror or error)


NOBODY = Supervisor()
"""For a process that nobody supervises."""


def _status(text: str) -> str:
    """Give the line; a line feed in the text would begin another one."""
    return f"STATUS={one_line(text)[:MAX_STATUS]}"
