"""nginx on loopback: serves a mirror's root, or the upstream repository."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lab.processes import Daemon, is_root, reserve_port

_DATA = Path(__file__).parent / "data"
_WORKER = "nobody"
_FIELDS = 4


@dataclass(frozen=True)
class Request:
    """One line of the access log; `when` is in epoch seconds, `size` in bytes of the body."""

    when: float
    status: int
    size: int
    method: str
    path: str

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line of the lab's log format."""
        when, status, size, method, path = line.rstrip("\n").split(" ", _FIELDS)
        return cls(float(when), int(status), int(size), method, path)


class WebServer:
    """A directory under a URL prefix; `url` ends with a slash. Stops and starts on one port."""

    def __init__(self, directory: Path, root: Path, prefix: str = "/repo/") -> None:
        self.directory = directory
        self.root = root
        self.prefix = prefix
        self.port = reserve_port()
        self._daemon = Daemon(
            # `-e`: even before the configuration is read nothing goes to /var/log.
            [
                *("nginx", "-e", str(directory / "error.log"), "-p", str(directory)),
                *("-c", str(directory / "nginx.conf"), "-g", "daemon off;"),
            ],
            directory / "nginx.log",
        )

    @classmethod
    @contextmanager
    def serving(cls, directory: Path, root: Path, prefix: str = "/repo/") -> Iterator[Self]:
        """Serve `root`; `directory` takes the server's own files.

        Raises:
            CommandError: nginx ended, with its words.

        """
        server = cls(directory, root, prefix)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    @property
    def url(self) -> str:
        """The address of `root`."""
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    @contextmanager
    def saying(self, *changes: tuple[str, str]) -> Iterator[None]:
        """Have the server's configuration say something else for a while: pairs of texts."""
        self.stop()
        self.start(*changes)
        try:
            yield
        finally:
            self.stop()
            self.start()

    def start(self, *changes: tuple[str, str]) -> None:
        """Start nginx and wait until it accepts connections; `changes` as `saying`."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "tmp").mkdir(exist_ok=True)
        values = {
            "directory": str(self.directory),
            "user": _worker_line(),
            "listen": f"127.0.0.1:{self.port}",
            "server_name": "_",
            "prefix": self.prefix,
            "root": str(self.root),
        }
        _fill("nginx.conf", self.directory / "nginx.conf", values)
        _fill("mirror.nginx.conf", self.directory / "server.conf", values)
        served = self.directory / "server.conf"
        for old, new in changes:
            served.write_text(served.read_text(encoding="utf-8").replace(old, new))
        pid_file = self.directory / "nginx.pid"
        pid_file.unlink(missing_ok=True)
        # nginx writes the file when its sockets listen.
        self._daemon.start(lambda: pid_file.exists() and bool(pid_file.read_text().strip()))

    def stop(self) -> None:
        """Stop nginx: connections are refused from now on."""
        self._daemon.stop()

    def requests(self) -> tuple[Request, ...]:
        """Give what was asked for so far, from the access log."""
        log = self.directory / "access.log"
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        return tuple(Request.parse(line) for line in text.splitlines())

    def paths(self) -> list[str]:
        """Give the paths asked for so far, in order."""
        return [request.path for request in self.requests()]


def _worker_line() -> str:
    if not is_root():
        return ""
    group = grp.getgrgid(pwd.getpwnam(_WORKER).pw_gid).gr_name
    return f"user {_WORKER} {group};"


def _fill(template: str, target: Path, values: dict[str, str]) -> None:
    text = (_DATA / template).read_text(encoding="utf-8")
    for word, value in values.items():
        text = text.replace(f"@{word}@", value)
    target.write_text(text, encoding="utf-8")
