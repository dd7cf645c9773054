"""An SSH connection with a mirror host, opened over Fabric with pinned host keys.

Fabric alone would accept any (https://github.com/fabric/fabric/issues/1804).
"""

from __future__ import annotations

import logging
import socket
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import fabric
import paramiko

from gm_analytics import settings
from gm_analytics.errors import (
    GmError,
    HostKeyRefused,
    IdentityUnusable,
    KeyNotAccepted,
    LocalFault,
    MirrorUnreachable,
)
from gm_analytics.log_context import carried
from gm_analytics.remote import channel, commands, known_hosts

CONNECT_TIMEOUT = 10.0
"""Seconds for the TCP connection, the banner, the authentication and each channel."""
KEEPALIVE = 15
"""Seconds."""
_REFUSED = (*channel.BROKEN, ValueError, TypeError, paramiko.UnknownKeyType)
"""What paramiko raises of a connection, or of a private key that is none or has a passphrase."""


@dataclass(frozen=True)
class End:
    """Whom to connect to, and how: the mirror's host, or the bastion before it."""

    mirror: str
    address: str
    port: int
    user: str
    identity_file: Path
    known_hosts: Path
    jump: str = ""
    """The bastion on the way there, as `ssh -J` takes it."""

    @classmethod
    def of(cls, mirror: settings.Mirror) -> Self:
        """Give the mirror's host."""
        files, jump = (mirror.identity_file, mirror.known_hosts), mirror.jump
        via = f"{jump.user or mirror.user}@{jump.host}:{jump.port}" if jump else ""
        return cls(mirror.name, mirror.address, mirror.port, mirror.user, *files, via)

    @classmethod
    def before(cls, mirror: settings.Mirror, jump: settings.Jump) -> Self:
        """Give the bastion."""
        files = (
            jump.identity_file or mirror.identity_file,
            jump.known_hosts or mirror.known_hosts,
        )
        return cls(mirror.name, jump.host, jump.port, jump.user or mirror.user, *files)

    @property
    def text(self) -> str:
        """Say where it is."""
        via = f", through {self.jump}" if self.jump else ""
        return f"{self.user}@{self.address}:{self.port}{via}"

    @property
    def command(self) -> str:
        """What a person runs to see the same."""
        via = ("-J", self.jump) if self.jump else ()
        key = ("ssh", "-i", str(self.identity_file), *via)
        argv = (*key, "-p", str(self.port), f"{self.user}@{self.address}", "true")
        return commands.quote(argv)

    def refused(self, message: str) -> HostKeyRefused:
        """Say how to see the key that the host has."""
        scan = ("ssh-keyscan", "-t", "ed25519", "-p", str(self.port), self.address)
        quoted = commands.quote(scan)
        return HostKeyRefused(self.mirror, message, quoted, str(self.known_hosts))

    def unreachable(self, message: object) -> MirrorUnreachable:
        """Say that there is no connection."""
        return MirrorUnreachable(self.mirror, f"{self.text}: {message}", self.command)


def _is_not_raised(record: logging.LogRecord) -> bool:
    """Tell whether a record says something that no exception says as well."""
    return record.levelno < logging.ERROR


# paramiko logs each of its exceptions before it raises it, with a traceback.
logging.getLogger("paramiko.transport").addFilter(_is_not_raised)


def connect(mirror: settings.Mirror) -> Any:
    """Give an open connection.

    Raises:
        MirrorUnreachable: there is none to be had for now.
        KeyNotAccepted: sshd does not know the service's key.
        IdentityUnusable: the service's key cannot be read.
        HostKeyRefused: the host's key is not the known one.

    """
    end = End.of(mirror)
    if not mirror.jump:
        return _connect(end)
    bastion = _connect(End.before(mirror, mirror.jump))
    try:
        return _connect(end, _Through(bastion, end))
    except BaseException:
        bastion.close()
        raise


def command(mirror: settings.Mirror) -> str:
    """Give what a person runs to see the same."""
    return End.of(mirror).command


def _connect(end: End, through: _Through | None = None) -> Any:
    try:
        text = end.known_hosts.read_text(encoding="utf-8", errors="replace")
    except PermissionError as error:
        raise LocalFault.of(error) from error
    except OSError as error:
        raise end.refused(f"reading {end.known_hosts}: {error.strerror}") from error
    known = known_hosts.find(text, end.address, end.port)
    connection = fabric.Connection(
        end.address,
        user=end.user,
        port=end.port,
        connect_timeout=CONNECT_TIMEOUT,
        # Only this service's configuration counts, not ~/.ssh/config and ~/.fabric.yaml.
        config=fabric.Config(ssh_config=paramiko.SSHConfig(), lazy=True),
        connect_kwargs={
            "key_filename": str(end.identity_file),
            "allow_agent": False,
            "look_for_keys": False,
            "banner_timeout": CONNECT_TIMEOUT,
            "auth_timeout": CONNECT_TIMEOUT,
            "channel_timeout": CONNECT_TIMEOUT,
            "transport_factory": _Asking(known),
        },
    )
    connection.client.set_missing_host_key_policy(_Judge(end, known))
    try:
        with ExitStack() as undo:
            sock = through or undo.enter_context(_Prompt.to(end))
            connection.connect_kwargs["sock"] = sock
            connection.open()
            connection.transport.set_keepalive(KEEPALIVE)
            undo.pop_all()
    except _REFUSED as error:
        connection.client.close()  # the connection itself closes only what was opened
        raise _why(end, error) from error
    except BaseException:
        connection.client.close()
        raise
    return connection


def _why(end: End, error: Exception) -> GmError:
    """Say why there is no connection: of the key, or of the network."""
    try:
        key = paramiko.PKey.from_path(end.identity_file)
    except _REFUSED as unread:
        said = getattr(unread, "strerror", None) or "it is no private key of a known form"
        if "password" in str(unread).lower():
            said = "it has a passphrase, which nobody is there to type"
        return IdentityUnusable(end.mirror, str(end.identity_file), said)
    if isinstance(error, paramiko.AuthenticationException):
        line = f"{key.get_name()} {key.get_base64()}"
        said = f"{end.text}: {error}"
        return KeyNotAccepted(end.mirror, said, end.command, line, str(end.identity_file))
    return end.unreachable(error)


class _Prompt(socket.socket):
    """A TCP connection on which neither side waits for a delayed acknowledgement, 40 ms each.

    sshd sends its host keys after a login, and keeps the answer to what is asked first until they
    are acknowledged.
    """

    @classmethod
    def to(cls, end: End) -> _Prompt:
        opened = socket.create_connection((end.address, end.port), CONNECT_TIMEOUT)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(opened.family, opened.type, opened.proto, opened.detach())

    def send(self, data: Any, flags: int = 0) -> int:
        sent = super().send(data, flags)
        if sys.platform == "linux":  # which forgets it when something is sent
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return sent


class _Transport(paramiko.Transport):  # type: ignore[misc]  # paramiko ships no types
    """Logs in its thread as what the connection is for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._run_about = carried(super().run)

    def run(self) -> None:
        self._run_about()


class _Asking:
    """Makes transports that ask a host first for keys of the kinds that are known."""

    def __init__(self, known: known_hosts.Known) -> None:
        kinds = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}  # how an RSA key signs today
        self._first = [name for kind in known.kinds for name in kinds.get(kind, (kind,))]

    def __call__(self, *arguments: Any, **options: Any) -> paramiko.Transport:
        made = _Transport(*arguments, **options)
        asked = made.get_security_options()
        first = [name for name in self._first if name in asked.key_types]
        asked.key_types = (*first, *(name for name in asked.key_types if name not in first))
        return made


class _Judge(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # paramiko ships no types
    """Is asked about each key, since the client itself is told of none."""

    def __init__(self, end: End, known: known_hosts.Known) -> None:
        self._end, self._known = end, known

    def missing_host_key(self, client: object, hostname: str, key: Any) -> None:  # noqa: ARG002
        if why := self._known.refusal(key, str(self._end.known_hosts)):
            raise self._end.refused(f"{key.get_name()} {key.fingerprint} of {hostname} {why}")


class _Through:
    """A connection with a host behind a bastion, as a socket; closing it closes both."""

    def __init__(self, bastion: Any, end: End) -> None:
        self._bastion = bastion
        here, there = ("127.0.0.1", 0), (end.address, end.port)
        try:
            self._channel = bastion.transport.open_channel(
                "direct-tcpip", there, here, timeout=CONNECT_TIMEOUT
            )
        except channel.BROKEN as error:
            raise end.unreachable(f"the bastion does not connect to it: {error}") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def close(self) -> None:
        with suppress(*channel.BROKEN):  # called more than once
            self._channel.close()
        self._bastion.close()
