"""Workers in processes of their own, over a mirror that is a directory, and a network to cut."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gm_analytics.engine.leases import Timing
from lab.processes import reserve_port

TIMING = Timing(lasts=6.0, beat=0.5, early=2.0, look=0.1, patience=3.0)
SCRIPT = """
import os, signal, sys, threading, time
from pathlib import Path
from gm_analytics.engine import processes
from gm_analytics.engine.worker import worker
from gm_analytics.supervisor import WORKER, Supervisor
from gm_analytics.updates.model import Outcome
from gm_analytics.updates.waiting import Retry
from tests.integration.crew import TIMING

url, place, host = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
if host != "here":
    processes._place = lambda: host

def note(file, text):
    with (place / file).open("a") as lines:
        lines.write(text + "\\n")

def perform(update, step):
    stopped = threading.Event()
    step.run.when_stopped(lambda reason: (note("stopped", reason), stopped.set()))

    def download() -> str:
        note("began", f"{update.id} {os.getpid()}")
        while not stopped.wait(0.02):
            if (place / f"go-{update.id}").exists():
                return "tree"
        raise ValueError("stopped")

    def switch() -> None:
        note("published", update.id)

    step("download", download)
    step("switch", switch)
    return Outcome("published", update.id)

supervisor = Supervisor.taken_from(os.environ)
supervisor.expect(WORKER)
ending = {"supervisor": supervisor, "drain": float(os.environ.get("DRAIN", "0"))}
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
try:
    with worker(url, perform, None, Retry(3, 0.1), host, timing=TIMING, **ending):
        note("up", str(os.getpid()))
        threading.Event().wait()
except SystemExit:
    os._exit(0)
"""


@dataclass
class Crew:
    """What workers did, in the files of one directory."""

    url: str
    place: Path
    processes: list[subprocess.Popen[bytes]]

    def hire(
        self, host: str = "here", url: str | None = None, **environ: str
    ) -> subprocess.Popen[bytes]:
        """Start a worker, and wait until it takes updates."""
        with (self.place / "log").open("ab") as log:
            command = [sys.executable, "-c", SCRIPT, url or self.url, str(self.place), host]
            process = subprocess.Popen(command, stderr=log, env={**os.environ, **environ})
        self.processes.append(process)
        self.wait_for(lambda: str(process.pid) in self.lines("up"))
        return process

    def lines(self, file: str) -> list[str]:
        """Give what the workers noted."""
        with suppress(FileNotFoundError):
            return (self.place / file).read_text().splitlines()
        return []

    def let_go(self, name: str) -> None:
        """Let the download of an update come to its end."""
        (self.place / f"go-{name}").touch()

    def wait_for(self, condition: Callable[[], bool], seconds: float = 30) -> float:
        """Wait; give how long that took."""
        began = time.monotonic()
        while not condition():
            said = (self.place / "log").read_text()
            assert time.monotonic() - began < seconds, said[-5000:]
            time.sleep(0.02)
        return time.monotonic() - began


@contextmanager
def crew(url: str, place: Path) -> Iterator[Crew]:
    """Give a crew, and let nobody of it outlive the block."""
    found = Crew(url, place, [])
    (place / "log").touch()
    try:
        yield found
    finally:
        for process in found.processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.wait()


class Wire:
    """A TCP proxy that can stop forwarding, as a network that was cut does."""

    def __init__(self, port: int) -> None:
        self.port = reserve_port()
        self._to = port
        self._cut = threading.Event()
        self._sockets: list[socket.socket] = []
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._door = socket.create_server(("127.0.0.1", self.port))
        self._start(self._accept)

    def cut(self) -> None:
        """Forward nothing more, and close nothing."""
        self._cut.set()

    def heal(self) -> None:
        """Forward again; what was connected before is not."""
        old, self._sockets = self._sockets, []
        for one in old:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._cut.clear()

    def close(self) -> None:
        """Take no more connections."""
        self._closed = True
        self.heal()
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._door.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                self._start(self._connect, near)

    def _connect(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._to)) as far:
            self._sockets += [near, far]
            back = threading.Thread(target=self._forward, args=(far, near), daemon=True)
            back.start()
            self._forward(near, far)
            back.join()

    def _forward(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                while self._cut.is_set():
                    time.sleep(0.05)
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)

    def _start(self, what: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=what, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()
