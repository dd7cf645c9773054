"""An SSH connection with a mirror host, opened over Fabric with pinned host keys.

Fabric alone would accept any (https://github.com/fabric/fabric/issues/1804).
"""

from __future__ import annotations

import logging
import socket
import sys
from contextlib import ExitStack
from typing import Any

import fabric
import paramiko
from paramiko.hostkeys import InvalidHostKey

from gm_analytics import settings
from gm_analytics.errors import HostKeyRefused, MirrorUnreachable
from gm_analytics.remote import channel, commands

CONNECT_TIMEOUT = 10.0
"""Seconds for the TCP connection, the banner, the authentication and each channel."""
KEEPALIVE = 15
"""Seconds."""


def _is_not_raised(record: logging.LogRecord) -> bool:
    """Tell whether a record says something that no exception says as well."""
    return record.levelno < logging.ERROR


# paramiko logs each of its exceptions before it raises it, with a traceback.
logging.getLogger("paramiko.transport").addFilter(_is_not_raised)


def connect(mirror: settings.Mirror) -> Any:
    """Give an open connection.

    Raises:
        MirrorUnreachable: there is none to be had for now.
        HostKeyRefused: the host's key is not the known one.

    """
    connection = fabric.Connection(
        mirror.address,
        user=mirror.user,
        port=mirror.port,
        connect_timeout=CONNECT_TIMEOUT,
        # Only this service's configuration counts, not ~/.ssh/config and ~/.fabric.yaml.
        config=fabric.Config(ssh_config=paramiko.SSHConfig(), lazy=True),
        connect_kwargs={
            "key_filename": str(mirror.identity_file),
            "allow_agent": False,
            "look_for_keys": False,
            "banner_timeout": CONNECT_TIMEOUT,
            "auth_timeout": CONNECT_TIMEOUT,
            "channel_timeout": CONNECT_TIMEOUT,
        },
    )
    try:
        connection.client.load_host_keys(str(mirror.known_hosts))
        connection.client.set_missing_host_key_policy(_Refuse(mirror))
        with ExitStack() as undo:
            connection.connect_kwargs["sock"] = undo.enter_context(_Prompt.to(mirror))
            connection.open()
            connection.transport.set_keepalive(KEEPALIVE)
            undo.pop_all()
    except paramiko.BadHostKeyException as error:
        raise _refused(mirror, str(error)) from error
    except InvalidHostKey as error:  # no SSHException; a @cert-authority line, say
        said = f"known_hosts has a line that cannot be read: {error.line[:200]!r}"
        raise _refused(mirror, said) from error
    except channel.BROKEN as error:
        where = f"{mirror.user}@{mirror.address}:{mirror.port}"
        raise MirrorUnreachable(mirror.name, f"{where}: {error}", command(mirror)) from error
    return connection


class _Prompt(socket.socket):
    """A TCP connection on which neither side waits for a delayed acknowledgement, 40 ms each.

    sshd sends its host keys after a login, and keeps the answer to what is asked first until they
    are acknowledged.
    """

    @classmethod
    def to(cls, mirror: settings.Mirror) -> _Prompt:
        opened = socket.create_connection((mirror.address, mirror.port), CONNECT_TIMEOUT)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(opened.family, opened.type, opened.proto, opened.detach())

    def send(self, data: Any, flags: int = 0) -> int:
        sent = super().send(data, flags)
        if sys.platform == "linux":  # which forgets it when something is sent
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return sent


def command(mirror: settings.Mirror) -> str:
    """Give what a person runs to see the same."""
    where = f"{mirror.user}@{mirror.address}"
    argv = ("ssh", "-i", str(mirror.identity_file), "-p", str(mirror.port), where, "true")
    return commands.quote(argv)


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
