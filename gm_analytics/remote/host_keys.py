"""The key by which a host is known: asked for, so that a person can compare it and pin it."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import paramiko

from gm_analytics.errors import MirrorUnreachable
from gm_analytics.remote import channel, known_hosts
from gm_analytics.remote.opening import CONNECT_TIMEOUT


@dataclass(frozen=True)
class HostKey:
    """What one host offered."""

    host: str
    port: int
    kind: str
    """`ssh-ed25519`, where the host has one."""
    content: str
    """Base64."""
    fingerprint: str
    """`SHA256:…`, as OpenSSH shows it."""

    @property
    def line(self) -> str:
        """The line of known_hosts."""
        return f"{known_hosts.name_of(self.host, self.port)} {self.kind} {self.content}\n"


def offered(name: str, host: str, port: int) -> HostKey:
    """Ask the host of a mirror for its key; of several it gives the kind that is preferred.

    Raises:
        MirrorUnreachable: it does not answer, or not as SSH.

    """
    try:
        with socket.create_connection((host, port), CONNECT_TIMEOUT) as connection:
            transport = paramiko.Transport(connection)
            try:
                transport.banner_timeout = CONNECT_TIMEOUT
                transport.start_client(timeout=CONNECT_TIMEOUT)
                key = transport.get_remote_server_key()
            finally:
                transport.close()
    except channel.BROKEN as error:
        where = f"{host}:{port}"
        raise MirrorUnreachable(name, f"{where}: asking for its host key: {error}") from error
    return HostKey(host, port, key.get_name(), key.get_base64(), key.fingerprint)
