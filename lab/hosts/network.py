"""The lab's network: a bridge in a namespace of its own, and a namespace for each host.

The bridge's own address, .1, stands for everything outside: the upstream repository and the
stand-in for GitHub run in the bridge's namespace. There is no way from it to the real network.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lab.hosts.shell import run

PREFIX = "gmlab"
OUTSIDE = f"{PREFIX}-outside"
BRIDGE = "lab0"
INTERFACE = "eth1"
"""A host's interface to the lab; with Vagrant eth0 is the way out."""

OUTSIDE_ADDRESS = "192.168.131.1"
NETNS = Path("/run/netns")


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
    run("ip", "-n", OUTSIDE, "link", "add", BRIDGE, "type", "bridge")
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


def outside(*argv: str | Path) -> tuple[str | Path, ...]:
    """Give the command that runs `argv` in the bridge's namespace.

    `ip netns exec` would mount /sys anew, and the cgroups with it.
    """
    return ("nsenter", f"--net={NETNS / OUTSIDE}", "--", *argv)
