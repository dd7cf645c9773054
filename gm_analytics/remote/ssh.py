"""One locked SSH connection with a mirror host, over Fabric.

Host keys are pinned: Fabric alone would accept any
(https://github.com/fabric/fabric/issues/1804).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import fabric
import paramiko

from gm_analytics import settings
from gm_analytics.errors import (
    CommandFailed,
    CommandTimedOut,
    FileTooLarge,
    HostKeyRefused,
    LockHeld,
    MirrorUnreachable,
    OutputTooLarge,
)
from gm_analytics.remote import channel, commands
from gm_analytics.remote.channel import Ears
from gm_analytics.remote.commands import Argv
from gm_analytics.remote.lines import Hear, ignore

CONNECT_TIMEOUT = 10.0
"""Seconds for the TCP connection, the banner, the authentication and each channel."""
KEEPALIVE = 15
"""Seconds."""
TRANSFER = 300
"""Seconds for a file to come or go."""
STDOUT_LIMIT = 64 * 2**20
"""Bytes that a command may write to standard output; of standard error the end is kept."""
_LINE_LIMIT = 64
"""Bytes of what the lock's command says when it has the lock."""
_SAID_LIMIT = 2000
"""Bytes of what it says when it cannot have it."""

_ABSENT, _IRREGULAR = 72, 73
_LOST = "the connection was lost"
_STOPPED = {124, 137}
"""Exit codes of timeout(1): its own, and that of a command it had to kill."""


@dataclass(frozen=True)
class Result:
    """What a command said, as text, and its exit code."""

    exited: int
    stdout: str
    stderr: str

    @classmethod
    def of(cls, output: channel.Output) -> Result:
        """Take bytes that are not UTF-8 for what they are: replaced."""
        decoded = (part.decode(errors="replace") for part in (output.stdout, output.stderr))
        return cls(output.exited, *decoded)

    @property
    def ok(self) -> bool:
        """Whether the exit code is 0."""
        return self.exited == 0


class Connection:
    """Opened by the first command, with the mirror's lock held for as long as it lives.

    `locked=False` is for who only reads: it neither waits for a writer nor makes one wait.

    Every method may raise `MirrorUnreachable`, `LockHeld`, `CommandTimedOut` (all transient),
    `HostKeyRefused` and `OutputTooLarge`.
    """

    def __init__(self, mirror: settings.Mirror, *, locked: bool = True) -> None:
        self._mirror = mirror
        self._locked = locked
        self._connection: Any = None
        self._lock_channel: Any = None
        self.admit: Callable[[], object] = lambda: None
        """Called once the connection is there and has its lock; may refuse it by raising."""
        self.hear: Hear = ignore
        """Hears what commands say to people, while they run."""

    def close(self) -> None:
        """Close the connection, and with it give the lock back."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._lock_channel = None

    def run(self, argv: Argv, doing: str, seconds: int, *, aloud: bool = False) -> Result:
        """Run one command; its exit code is the caller's to judge.

        Standard error is heard while it runs; standard output, which is data for most, if `aloud`.
        """
        bounded = commands.bounded(argv, seconds)
        if self._locked:
            bounded = commands.tracked(self._mirror.root, bounded)
        ears = Ears(self.hear if aloud else ignore, self.hear)
        return Result.of(self._execute(bounded, doing, seconds, STDOUT_LIMIT, ears=ears))

    def put(self, path: str, content: str | bytes) -> None:
        """Write a file; a text in UTF-8.

        Raises:
            CommandFailed: it cannot be written.

        """
        doing, argv = f"writing {path}", commands.script("remote", "put", path)
        bounded = commands.bounded(argv, TRANSFER)
        sent = content.encode() if isinstance(content, str) else content
        self._succeeded(self._execute(bounded, doing, TRANSFER, 0, stdin=sent), doing, argv)

    def get(self, path: str, most: int) -> bytes | None:
        """Read a file of at most `most` bytes; None if it is missing.

        Raises:
            CommandFailed: it cannot be read.
            FileTooLarge: it is larger, or no ordinary file.

        """
        doing, codes = f"reading {path}", (str(_ABSENT), str(_IRREGULAR))
        argv = commands.script("remote", "get", path, *codes)
        bounded = commands.bounded(argv, TRANSFER)
        try:
            output = self._execute(bounded, doing, TRANSFER, most)
        except OutputTooLarge as error:
            raise FileTooLarge(self._mirror.name, path, most) from error
        if output.exited == _ABSENT:
            return None
        if output.exited == _IRREGULAR:
            raise FileTooLarge(self._mirror.name, path, most)
        self._succeeded(output, doing, argv)
        return output.stdout

    def _succeeded(self, output: channel.Output, doing: str, argv: Argv) -> None:
        if output.exited:
            said = Result.of(output).stderr
            raise CommandFailed(self._mirror.name, doing, list(argv), output.exited, said)

    def _execute(
        self,
        argv: Argv,
        doing: str,
        seconds: int,
        limit: int,
        *,
        stdin: bytes = b"",
        ears: Ears | None = None,
    ) -> channel.Output:
        connection, name, text = self._open(), self._mirror.name, commands.quote(argv)
        with self._deadline(doing, seconds, 2 * CONNECT_TIMEOUT) as late:
            try:
                output = channel.execute(
                    connection.transport, text, CONNECT_TIMEOUT, limit, stdin=stdin, ears=ears
                )
            except channel.TooMuchError as error:
                self.close()  # which ends the command, too
                raise OutputTooLarge(name, doing, limit) from error
            if output.exited == channel.LOST:
                raise EOFError(_LOST)
        if output.exited in _STOPPED and not late.is_set():
            raise CommandTimedOut(name, doing, seconds)
        return output

    @contextmanager
    def _deadline(self, doing: str, seconds: float, more: float = 0) -> Iterator[threading.Event]:
        """Close the connection if it takes longer, which ends any wait for the other side.

        The remote command has `seconds`, its coming and going `more`.
        """
        late, connection = threading.Event(), self._connection

        def end() -> None:
            late.set()
            connection.close()

        timer = threading.Timer(seconds + more, end)
        timer.daemon = True
        timer.start()
        try:
            yield late
        except (paramiko.SSHException, OSError, EOFError) as error:
            if late.is_set():
                self.close()
                raise CommandTimedOut(self._mirror.name, doing, seconds) from error
            raise self._lost(doing, error) from error
        finally:
            timer.cancel()

    def _lost(self, doing: str, error: BaseException) -> MirrorUnreachable:
        self.close()
        return MirrorUnreachable(self._mirror.name, f"while {doing}: {error}", self._command)

    @property
    def _command(self) -> str:
        """What a person runs to see the same."""
        mirror = self._mirror
        where = f"{mirror.user}@{mirror.address}"
        argv = ("ssh", "-i", str(mirror.identity_file), "-p", str(mirror.port), where, "true")
        return commands.quote(argv)

    def _open(self) -> Any:
        if self._connection is None:
            self._connection = self._connect()
            try:
                if self._locked:
                    self._lock()
                self.admit()
            except BaseException:
                self.close()
                raise
        return self._connection

    def _connect(self) -> Any:
        connection = fabric.Connection(
            self._mirror.address,
            user=self._mirror.user,
            port=self._mirror.port,
            connect_timeout=CONNECT_TIMEOUT,
            # Only this service's configuration counts, not ~/.ssh/config and ~/.fabric.yaml.
            config=fabric.Config(ssh_config=paramiko.SSHConfig(), lazy=True),
            connect_kwargs={
                "key_filename": str(self._mirror.identity_file),
                "allow_agent": False,
                "look_for_keys": False,
                "banner_timeout": CONNECT_TIMEOUT,
                "auth_timeout": CONNECT_TIMEOUT,
                "channel_timeout": CONNECT_TIMEOUT,
            },
        )
        try:
            connection.client.load_host_keys(str(self._mirror.known_hosts))
            connection.client.set_missing_host_key_policy(_Refuse(self._mirror))
            connection.open()
            connection.transport.set_keepalive(KEEPALIVE)
            # Without it each of the small packets of a command waits for a delayed ACK, 40 ms.
            connection.transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except paramiko.BadHostKeyException as error:
            raise _refused(self._mirror, str(error)) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            where = f"{self._mirror.user}@{self._mirror.address}:{self._mirror.port}"
            said = f"{where}: {error}"
            raise MirrorUnreachable(self._mirror.name, said, self._command) from error
        return connection

    def _lock(self) -> None:
        """Take the lock on a channel of its own, which holds it until the connection ends."""
        argv, doing = commands.lock(self._mirror.root), "taking the lock"
        with self._deadline(doing, CONNECT_TIMEOUT):
            held = self._connection.transport.open_session(timeout=CONNECT_TIMEOUT)
            held.exec_command(commands.quote(argv))
            if channel.first_line(held, _LINE_LIMIT).strip() == b"locked":
                self._lock_channel = held
                return
            held.shutdown_write()
            code, said = held.recv_exit_status(), held.recv_stderr(_SAID_LIMIT)
            if code == channel.LOST:
                raise EOFError(_LOST)
        if code == commands.LOCK_HELD:
            raise LockHeld(self._mirror.name, f"{self._mirror.root}/.lock")
        raise CommandFailed(
            self._mirror.name, doing, list(argv), code, said.decode(errors="replace")
        )


def _refused(mirror: settings.Mirror, message: str) -> HostKeyRefused:
    """Say how to see the key that the host has."""
    scan = ("ssh-keyscan", "-t", "ed25519", "-p", str(mirror.port), mirror.address)
    return HostKeyRefused(mirror.name, message, commands.quote(scan), str(mirror.known_hosts))


class _Refuse(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # paramiko ships no types
    def __init__(self, mirror: settings.Mirror) -> None:
        self._mirror = mirror

    def missing_host_key(self, client: object, hostname: str, key: Any) -> None:  # noqa: ARG002
        said = f"known_hosts has no key of {hostname}; it offered"
        raise _refused(self._mirror, f"{said} {key.get_name()} {key.fingerprint}")
