"""A network of its own for a root: loopback alone, and by a proxy there the Internet of this one.

So ports 22, 80 and 443 are free in it, whatever runs on this machine. The proxy is for apt and
pip; all else in the root reaches only what listens there.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.processes import wait_for

PROXY = 3128
_NEW_NETWORK = 0x40000000
_SET_FLAGS, _UP = 0x8914, 0x41
"""See netdevice(7): IFF_UP and IFF_RUNNING."""
_LONGEST_HEAD = 64 * 1024
_CHUNK = 64 * 1024


@contextmanager
def apart(*forwarded: int) -> Iterator[int]:
    """Give a process that has a network of its own until the block ends.

    `forwarded` are ports of this machine's loopback that are to be reached there as well.
    """
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    try:
        place = Path(f"/proc/{holder.pid}/ns/net")
        ours = Path("/proc/self/ns/net").readlink()
        wait_for(lambda: place.readlink() != ours, "a network of its own")
        _serve(_listeners(place, (PROXY, *forwarded)))
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()


def _listeners(place: Path, ports: tuple[int, ...]) -> list[socket.socket]:
    """Listen in another network: a socket stays in that in which it was made."""
    found: list[socket.socket] = []

    def listen() -> None:
        with place.open() as other:
            _enter(other.fileno())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh22x", b"lo", _UP))
        found.extend(socket.create_server(("127.0.0.1", port), backlog=64) for port in ports)

    entered = threading.Thread(target=listen)  # a network is a thread's
    entered.start()
    entered.join()
    assert len(found) == len(ports), "the other network could not be entered"
    return found


def _enter(handle: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(handle, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")


def _serve(listeners: list[socket.socket]) -> None:
    for listener in listeners:
        port = listener.getsockname()[1]

        def forward(connection: socket.socket, port: int = port) -> None:
            pump(connection, socket.create_connection(("127.0.0.1", port)))

        _background(_accept, listener, _proxy if port == PROXY else forward)


def _background(work: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()


def _accept(listener: socket.socket, handle: Callable[[socket.socket], None]) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            _background(_handled, handle, connection)


def _handled(handle: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection, suppress(OSError, ValueError):
        handle(connection)


def _proxy(connection: socket.socket) -> None:
    """Answer one request, of `CONNECT HOST:PORT` or with a whole address."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
        head += connection.recv(_CHUNK)
    line, _, rest = head.partition(b"\r\n")
    method, target, version = line.decode("ascii").split(" ")
    if method == "CONNECT":
        host, _, port = target.rpartition(":")
        outside = socket.create_connection((host, int(port)))
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
    else:
        host, _, path = target.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        outside = socket.create_connection((name, int(port or 80)))
        outside.sendall(f"{method} /{path} {version}\r\nConnection: close\r\n".encode() + rest)
    pump(connection, outside)


def pump(one: socket.socket, other: socket.socket) -> None:
    """Give each what the other says, until both have ended."""
    with other:
        back = threading.Thread(target=_copy, args=(other, one))
        back.start()
        _copy(one, other)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
