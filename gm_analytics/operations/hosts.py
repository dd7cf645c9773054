"""What is wrong with a mirror's host, each with its cure: a part of `check`."""

from __future__ import annotations

import time
from collections.abc import Iterator

from gm_analytics import settings
from gm_analytics.errors import GmError
from gm_analytics.mirror.examined import Examined
from gm_analytics.mirror.host import usable
from gm_analytics.mirror.survey import Survey, Tools
from gm_analytics.operations.findings import Finding, wrong

SESSIONS = 2
"""That an update has at once on its connection: the lock's, and that of a command."""
MAX_SKEW = 60
"""Seconds."""
FEW_INODES = 1000
_OLDEST = {"dnf": (4, 0, 0), "yum": (3, 4, 0), "createrepo_c": (0, 15, 0)}
"""What is older is not known to do what it is asked for: that of EL 7 and 8 is newer."""


def findings(
    mirror: settings.Mirror,
    found: Survey,
    seen: Examined,
    when: tuple[float, float],
    *,
    previews: bool,
) -> Iterator[Finding]:
    """Judge the host; `when` is this clock before and after it was looked at."""
    name = f"mirror {mirror.name}"
    yield from _tools(f"{name} tools", mirror, found, seen, previews=previews)
    yield _root(f"{name} root", mirror, found, seen)
    yield from _below(f"{name} root", mirror, seen)
    if found.state != "unwritable":
        yield _disk(f"{name} disk", mirror, found, seen)
    yield from _clock(f"{name} clock", seen, when)


# --- programs ---------------------------------------------------------------------------------


def _tools(
    subject: str, mirror: settings.Mirror, found: Survey, seen: Examined, *, previews: bool
) -> Iterator[Finding]:
    try:
        tools = usable(mirror, found)
    except GmError as error:
        yield wrong(subject, error)
        return
    said = f"{tools.manager} at {tools.manager_path}, {tools.createrepo}, {_privilege(tools)}"
    yield Finding(subject, "ok", said)
    if previews and not tools.can_preview:
        hint = "Install createrepo_c there; without it no pull request has a preview."
        yield Finding(subject, "fail", f"{tools.createrepo} makes no previews", hint)
    versions = {tools.manager_path: seen.manager, tools.createrepo: seen.createrepo}
    for program, version in versions.items():
        if old := _too_old(program, version):
            yield Finding(subject, "warn", old, "Update it, or have a newer host be the mirror.")


def _privilege(tools: Tools) -> str:
    return {
        "none": "as root",
        "userns": "in a user namespace, without root",
        "helper": "through the sudo helper, since user namespaces are not allowed there",
    }[tools.elevation]


def _too_old(path: str, said: str) -> str:
    """Say which version is older than those that are known; `dnf5` and `dnf-3` are dnf."""
    program = path.rpartition("/")[2]
    known = program if program in _OLDEST else "dnf" if program.startswith("dnf") else ""
    version = Examined.version(said)
    if not known or not version or version >= _OLDEST[known]:
        return ""
    oldest = ".".join(map(str, _OLDEST[known]))
    return f"{program} is version {'.'.join(map(str, version))}; {oldest} is the oldest known one"


# --- the root ---------------------------------------------------------------------------------


def _root(subject: str, mirror: settings.Mirror, found: Survey, seen: Examined) -> Finding:
    account, root = mirror.user, mirror.root
    if seen.absent:
        return Finding(subject, "fail", *_absent(seen.absent, account, root))
    if seen.fails:
        return Finding(subject, "fail", *_fails(seen, account, root))
    if found.state == "unwritable":
        return Finding(subject, "fail", f"{account} cannot write {root}", _give(account, root))
    return Finding(subject, "ok", f"{root}: {found.state}; what an update does there was tried")


def _absent(what: str, account: str, root: str) -> tuple[str, str]:
    kind, _, where = what.partition(" ")
    make = f"There: `sudo install -d -o {account} -m 0755 {root}`."
    return {
        "closed": (f"{account} may not enter {where}", f"There: `sudo chmod a+x {where}`."),
        "file": (f"{root} is a file", f"Move it away. {make}"),
        "dangling": (f"{root} is a link that leads nowhere", f"Mend it, or remove it. {make}"),
    }.get(kind, (f"there is no {root}", make))


def _give(account: str, root: str) -> str:
    return f"There: `sudo chown -R {account}: {root} && sudo chmod 0755 {root}`."


def _fails(seen: Examined, account: str, root: str) -> tuple[str, str]:
    """Say what cannot be done in a root, and what to do about the system's reason."""
    said = f"{root} does not let {account} do what an update does: {seen.fails}"
    if "Permission denied" in said:
        return f"{said}; it belongs to {seen.owner}, mode {seen.mode}", _give(account, root)
    cures = {
        "Read-only": "Mount it writable; `dmesg` there says whether an error made it read-only.",
        "No space left": "Add disk or inodes (`df -h`, `df -i`), or run `gm-analytics gc`.",
        "quota": "Raise the account's quota on the mirror's host.",
        "link": "Put it on a file system that has links (ext4, XFS), not on a share without.",
        "lock": "Put it on a file system that has locks; of NFS, version 4.",
    }
    return said, next((cure for word, cure in cures.items() if word in said), "See its disk.")


def _below(subject: str, mirror: settings.Mirror, seen: Examined) -> Iterator[Finding]:
    root, give = mirror.root, _give(mirror.user, mirror.root)
    for owner, name in seen.closed:
        said = f"{root}/{name} belongs to {owner}, and {mirror.user} cannot write it"
        yield Finding(subject, "fail", said, give)
    if seen.unreadable:
        said = f"{mirror.user} cannot read {root}/{seen.unreadable}, and it may not be alone"
        yield Finding(subject, "fail", said, give)


def _disk(subject: str, mirror: settings.Mirror, found: Survey, seen: Examined) -> Finding:
    said, hint = f"{found.free:,} bytes free in {mirror.root}", ""
    if found.free < mirror.disk_reserve:
        hint = f"That is less than disk_reserve: see `gm-analytics gc {mirror.name}`."
    elif seen.inodes is not None and seen.inodes < FEW_INODES:
        said = f"{said}, but {seen.inodes:,} inodes"
        hint = f"A file takes one: see `df -i` there, and `gm-analytics gc {mirror.name}`."
    return Finding(subject, "fail" if hint else "ok", said, hint)


def _clock(subject: str, seen: Examined, when: tuple[float, float]) -> Iterator[Finding]:
    before, after = when
    if not seen.now or before - MAX_SKEW <= seen.now <= after + MAX_SKEW:
        return
    skew = seen.now - time.time()
    said = f"it is {abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} this host's"
    hint = "Have both follow one time (chrony, systemd-timesyncd): certificates and clients mind."
    yield Finding(subject, "warn", said, hint)
