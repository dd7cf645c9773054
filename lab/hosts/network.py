"""The lab's network: a bridge in a namespace of its own, and a namespace for each host.

The bridge's own address, .1, stands for everything outside: the upstream repository and the
stand-in for GitHub run in the bridge's namespace. There is no way from it to the real network.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.hosts.shell import run

PREFIX = "gmlab"
OUTSIDE = f"{PREFIX}-outside"
BRIDGE = "lab0"
_MAC = "02:00:c0:a8:83:01"
INTERFACE = "eth1"
"""A host's interface to the lab; with Vagrant eth0 is the way out."""

OUTSIDE_ADDRESS = "192.168.131.1"
NETNS = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


def namespace(name: str) -> str:
    """Give the name of a host's network namespace."""
    return f"{PREFIX}-{name.replace('_', '-')}"


@dataclass(frozen=True)
class Cable:
    """One host's connection to the bridge."""

    host: str
    mac: str

    @property
    def port(self) -> str:
        """The bridge's end; an interface name has at most 15 characters."""
        return f"p-{self.host.replace('_', '')}"[:15]

    def plug(self) -> None:
        """Make the host's namespace and connect it."""
        inside = namespace(self.host)
        if not (NETNS / inside).exists():
            run("ip", "netns", "add", inside)
        run(
            "ip", "-n", OUTSIDE, "link", "add", self.port, "type", "veth",
            "peer", "name", INTERFACE, "address", self.mac, "netns", inside,
        )  # fmt: skip
        run("ip", "-n", OUTSIDE, "link", "set", self.port, "master", BRIDGE, "up")

    def unplug(self) -> None:
        """Remove the host's namespace, and with it both ends."""
        remove(namespace(self.host))


def make() -> None:
    """Make the bridge and the outside."""
    run("ip", "netns", "add", OUTSIDE)
    run("ip", "-n", OUTSIDE, "link", "set", "lo", "up")
    # Without an address of its own a bridge takes a port's, and changes it when a host goes.
    run("ip", "-n", OUTSIDE, "link", "add", BRIDGE, "address", _MAC, "type", "bridge")
    run("ip", "-n", OUTSIDE, "address", "add", f"{OUTSIDE_ADDRESS}/24", "dev", BRIDGE)
    run("ip", "-n", OUTSIDE, "link", "set", BRIDGE, "up")


def remove(name: str) -> None:
    """Remove a network namespace, if it is there."""
    if (NETNS / name).exists():
        run("ip", "netns", "delete", name, check=False)


def leftovers() -> list[str]:
    """Give the lab's namespaces that exist."""
    if not NETNS.is_dir():
        return []
    return sorted(name for name in os.listdir(NETNS) if name.startswith(f"{PREFIX}-"))  # noqa: PTH208


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Have this thread's new sockets belong to a namespace; they stay in it afterwards.

    Raises:
        OSError: there is no such namespace.

    """
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(NETNS / name, os.O_RDONLY)
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(here)
    finally:
        os.close(there)
        os.close(here)


def _enter(descriptor: int) -> None:
    # os.setns is there from Python 3.12 on.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "entering a network namespace")
