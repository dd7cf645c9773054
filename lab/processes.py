"""Programs of the lab: found, run, started, waited for and stopped by the pid they have."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self, TypeVar

T = TypeVar("T")

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 20.0
"""Seconds that anything in the lab may take to start or stop."""
_STEP = 0.01
_TAIL = 4000
_SHOWN = 400


class LabError(Exception):
    """Something in the lab is not as it must be."""


class CommandError(LabError):
    """A program ended badly: carries its argv, exit code and the end of its output."""

    def __init__(self, argv: Sequence[str], exit_code: int, output: str) -> None:
        self.argv = tuple(argv)
        self.exit_code = exit_code
        self.output = output[-_TAIL:].strip()
        super().__init__(f"{shlex.join(argv)[:_SHOWN]}: exit code {exit_code}: {self.output}")


def is_root() -> bool:
    """Tell whether the lab runs as the machine's root."""
    return os.geteuid() == 0


def find_program(name: str) -> str:
    """Give the absolute path of a program on PATH or in the usual places.

    Raises:
        LabError: it is not installed.

    """
    path = os.pathsep.join([os.environ.get("PATH", ""), SYSTEM_PATH])
    found = shutil.which(name, path=path)
    if found is None:
        raise LabError(f"finding the program {name}: it is not installed")
    return str(Path(found).absolute())


def has_program(name: str) -> bool:
    """Tell whether `find_program` would find it."""
    try:
        find_program(name)
    except LabError:
        return False
    return True


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float = 120.0,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, without a terminal; `timeout` in seconds.

    Raises:
        CommandError: with `check`, the exit code is not 0; or the time is over (exit code 124).

    """
    command = [find_program(argv[0]), *argv[1:]]
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=None if env is None else dict(env),
            input="" if stdin is None else stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(command, 124, f"still running after {timeout} s") from error
    if check and done.returncode:
        raise CommandError(command, done.returncode, done.stdout + done.stderr)
    return done


def wait_for(check: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """Wait until `check()` is true and give its value.

    Raises:
        LabError: it was not within `patience` seconds; says `what` was awaited.

    """
    deadline = time.monotonic() + patience
    while True:
        if value := check():
            return value
        if time.monotonic() > deadline:
            raise LabError(f"waiting for {what}: nothing after {patience} s")
        time.sleep(_STEP)


def reserve_port() -> int:
    """Give a loopback TCP port of the kernel's choice that stays ours for a minute.

    The port is left in TIME_WAIT, so the kernel gives it to nobody else, while a server that
    sets SO_REUSEADDR (sshd and nginx do) can bind it.
    """
    with socket.socket() as server, socket.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        with accepted:
            return int(server.getsockname()[1])


class Daemon:
    """A program in the foreground of its own session, with its output in a log file."""

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.argv = [find_program(argv[0]), *argv[1:]]
        self.log = log
        self._env = None if env is None else dict(env)
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running program.

        Raises:
            LabError: it does not run.

        """
        if self._process is None:
            raise LabError(f"{self.argv[0]} does not run")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the program was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self, ready: Callable[[], bool], patience: float = PATIENCE) -> Self:
        """Start the program and wait until `ready()`.

        Raises:
            CommandError: it ended instead.
            LabError: it was not ready within `patience` seconds.

        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                cwd=self._cwd,
                # Ctrl-C at a terminal must reach the lab alone, which then stops its parts.
                start_new_session=True,
            )
        try:
            wait_for(lambda: not self.running or ready(), f"{self.argv[0]} to be ready", patience)
        except BaseException:
            self.stop()
            raise
        if not self.running:
            self._fail()
        return self

    def stop(self, kill: bool = False) -> None:
        """End the program: SIGTERM, and SIGKILL when `kill` or when it takes too long."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(PATIENCE / 2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _fail(self) -> None:
        process, self._process = self._process, None
        code = process.wait() if process else 0
        raise CommandError(self.argv, code, self.log.read_text(errors="replace"))


class Terminated(KeyboardInterrupt):
    """A signal, the argument, asked this process to end.

    An interrupt, since pytest goes on after a SystemExit but stops and cleans up after this.
    """


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise `Terminated` here, so that context managers clean up.

    A handler that somebody else set stays. Only the main thread may have handlers; in another
    one nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    # A second signal must not cut short the cleaning up that the first one began.
    signal.signal(number, signal.SIG_IGN)
    raise Terminated(number)
