"""One locked SSH connection with a mirror host, over Fabric.

Host keys are pinned: Fabric alone would accept any
(https://github.com/fabric/fabric/issues/1804).
"""

from __future__ import annotations

import io
import socket
import stat
import time
from collections.abc import Callable
from typing import Any

import fabric
import invoke
import paramiko

from gm_analytics import settings
from gm_analytics.errors import (
    CommandFailed,
    CommandTimedOut,
    FileTooLarge,
    HostKeyRefused,
    LockHeld,
    MirrorUnreachable,
)
from gm_analytics.remote import commands
from gm_analytics.remote.commands import Argv

CONNECT_TIMEOUT = 10.0
"""Seconds for the TCP connection, the banner, the authentication and each channel."""
KEEPALIVE = 15
"""Seconds."""

READ, READ_PAUSE, SLOWEST = 1024 * 1024, 30.0, 50_000
"""Of a file: bytes at once, seconds without an answer, bytes a second."""
_STOPPED = {124, 137}
"""Exit codes of timeout(1): its own, and that of a command it had to kill."""


class Connection:
    """Opened by the first command, with the mirror's lock held for as long as it lives.

    `locked=False` is for who only reads: it neither waits for a writer nor makes one wait.

    Every method may raise `MirrorUnreachable`, `LockHeld`, `CommandTimedOut` (all transient) and
    `HostKeyRefused`.
    """

    def __init__(self, mirror: settings.Mirror, *, locked: bool = True) -> None:
        self._mirror = mirror
        self._locked = locked
        self._connection: Any = None
        self._lock_channel: Any = None
        self.admit: Callable[[], object] = lambda: None
        """Called once the connection is there and has its lock; may refuse it by raising."""

    def close(self) -> None:
        """Close the connection, and with it give the lock back."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._lock_channel = None

    def run(self, argv: Argv, doing: str, seconds: int) -> Any:
        """Run one command; its exit code is the caller's to judge."""
        bounded = commands.bounded(argv, seconds)
        text = commands.quote(
            commands.tracked(self._mirror.root, bounded) if self._locked else bounded
        )
        connection = self._open()
        try:
            result = connection.run(
                text, hide=True, warn=True, in_stream=False, timeout=seconds + 2 * CONNECT_TIMEOUT
            )
        except invoke.exceptions.CommandTimedOut as error:
            raise CommandTimedOut(self._mirror.name, doing, seconds) from error
        except (
            paramiko.SSHException,
            OSError,
            EOFError,
            invoke.exceptions.ThreadException,
        ) as error:
            raise self._lost(doing, error) from error
        if result.exited in _STOPPED:
            raise CommandTimedOut(self._mirror.name, doing, seconds)
        if result.exited == -1:  # the channel closed without an exit status
            raise self._lost(doing, EOFError("the connection was lost"))
        return result

    def put(self, path: str, text: str) -> None:
        """Write a file."""
        connection = self._open()
        try:
            connection.sftp().putfo(io.BytesIO(text.encode()), path)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._lost(f"writing {path}", error) from error

    def get(self, path: str, most: int) -> bytes | None:
        """Read a file of at most `most` bytes; None if there is none.

        Raises:
            FileTooLarge: it is larger, or no ordinary file.

        """
        sftp = self._open().sftp()
        try:
            sftp.get_channel().settimeout(READ_PAUSE)
            if not stat.S_ISREG(sftp.stat(path).st_mode or 0):
                raise FileTooLarge(self._mirror.name, path, most)
            with sftp.open(path, "rb") as file:
                return self._read(file, path, most)
        except FileNotFoundError:
            return None
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._lost(f"reading {path}", error) from error

    def _read(self, file: Any, path: str, most: int) -> bytes:
        """Read at most what was announced, in the time that a slow line needs for it."""
        size = int(file.stat().st_size or 0)
        if size > most:
            raise FileTooLarge(self._mirror.name, path, most)
        end = time.monotonic() + READ_PAUSE + size / SLOWEST
        if size:
            file.prefetch(size)
        content = bytearray()
        while len(content) < size and (piece := file.read(min(READ, size - len(content)))):
            content += piece
            if time.monotonic() > end:
                raise TimeoutError(f"no end after {READ_PAUSE + size / SLOWEST:.0f} s")
        return bytes(content)

    def _lost(self, doing: str, error: BaseException) -> MirrorUnreachable:
        self.close()
        return MirrorUnreachable(self._mirror.name, f"while {doing}: {error}")

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
            connection.client.set_missing_host_key_policy(_Refuse(self._mirror.name))
            connection.open()
            connection.transport.set_keepalive(KEEPALIVE)
            # Without it each of the small packets of a command waits for a delayed ACK, 40 ms.
            connection.transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except paramiko.BadHostKeyException as error:
            raise HostKeyRefused(self._mirror.name, str(error)) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            where = f"{self._mirror.user}@{self._mirror.address}:{self._mirror.port}"
            raise MirrorUnreachable(self._mirror.name, f"{where}: {error}") from error
        return connection

    def _lock(self) -> None:
        """Take the lock on a channel of its own, which holds it until the connection ends."""
        argv = commands.lock(self._mirror.root)
        try:
            channel = self._connection.transport.open_session(timeout=CONNECT_TIMEOUT)
            channel.settimeout(CONNECT_TIMEOUT)
            channel.exec_command(commands.quote(argv))
            if channel.makefile("r").readline().strip() == "locked":
                self._lock_channel = channel
                return
            code = channel.recv_exit_status()
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._lost("taking the lock", error) from error
        if code == commands.LOCK_HELD:
            raise LockHeld(self._mirror.name, f"{self._mirror.root}/.lock")
        said = channel.makefile_stderr("r").read()
        raise CommandFailed(self._mirror.name, "taking the lock", list(argv), code, str(said))


class _Refuse(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # paramiko ships no types
    def __init__(self, name: str) -> None:
        self._name = name

    def missing_host_key(self, client: object, hostname: str, key: Any) -> None:  # noqa: ARG002
        raise HostKeyRefused(
            self._name,
            f"known_hosts has no key of {hostname}; it offered {key.get_name()} {key.fingerprint}",
        )
