"""What the outer machine must be and have; Debian packages are installed when they are missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from lab.hosts.shell import LabError, run, say

PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh-keygen": "openssh-client",
    "git": "git",
    "gpg": "gnupg",
    "rpmbuild": "rpm",
    "createrepo_c": "createrepo-c",
}
"""Program and the Debian package that brings it."""

CGROUPS = Path("/sys/fs/cgroup")
UNIFIED = (CGROUPS / "cgroup.controllers").exists()
"""Whether the machine has control groups v2 alone."""


def missing() -> list[str]:
    """Give a sentence for each thing without which four hosts cannot run here."""
    problems = lacking(PROGRAMS)
    if not problems:
        problems = _namespaces()
    if not cgroup_trees():
        problems.append(f"a writable cgroup tree with systemd's hierarchy under {CGROUPS}")
    if "overlay" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        run("modprobe", "overlay", check=False)
        if "overlay" not in Path("/proc/filesystems").read_text(encoding="ascii"):
            problems.append("the overlay filesystem (CONFIG_OVERLAY_FS)")
    return problems


def lacking(programs: Mapping[str, str]) -> list[str]:
    """Install the packages of the programs that are missing; give a sentence for what stays so."""
    if os.geteuid() != 0:
        return [f"root: this is uid {os.geteuid()}"]
    packages = sorted({programs[name] for name in programs if not shutil.which(name)})
    if not packages:
        return []
    wanted = ", ".join(packages)
    if not shutil.which("apt-get"):
        return [f"the programs of Debian's packages {wanted}, and there is no apt-get"]
    say(f"installing {wanted}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "-y", "--no-install-recommends", *packages)
    if run(*install, env=quiet, check=False).code == 0:
        return []
    try:
        run("apt-get", "update", env=quiet)
        run(*install, env=quiet)
    except LabError as error:
        return [f"Debian's packages {wanted}: {error}"]
    return []


def _namespaces() -> list[str]:
    made = run(
        "unshare", "--net", "--mount", "sh", "-c",
        "mount -t tmpfs none /mnt && ip link add lab0 type bridge && ip link add lab1 type veth",
        check=False,
    )  # fmt: skip
    said = f"mount and network namespaces with bridge and veth: {made.last}"
    return [said] if made.code else []


def cgroup_trees() -> list[Path]:
    """Give the hierarchies in which each host needs a group of its own.

    One where cgroups are unified; systemd's named one and the unified one where they are hybrid.
    """
    trees = [CGROUPS] if UNIFIED else [CGROUPS / name for name in ("systemd", "unified")]
    return [tree for tree in trees if os.access(tree / "cgroup.procs", os.W_OK)]
