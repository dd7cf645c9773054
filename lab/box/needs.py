"""What the outer machine must be and have; Debian packages are installed when they are missing."""

from __future__ import annotations

import platform
from pathlib import Path

from lab.hosts.needs import lacking

PROGRAMS = {
    "vagrant": "vagrant",
    "libvirtd": "libvirt-daemon-system",
    "virsh": "libvirt-clients",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "dnsmasq": "dnsmasq-base",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "rsync": "rsync",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "gpg": "gnupg",
}
"""Program and the Debian package that brings it."""
_GEMS = Path("/usr/share/rubygems-integration/all/gems")


def missing() -> list[str]:
    """Give a sentence for each thing without which no box can be made and brought up here."""
    if platform.machine() != "x86_64":
        return [f"an x86_64 machine: this is {platform.machine()}"]
    plugin = {} if any(_GEMS.glob("vagrant-libvirt-*")) else {"vagrant-libvirt": "vagrant-libvirt"}
    return lacking(PROGRAMS | plugin)
