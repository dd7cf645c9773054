"""The accounts of web and worker on this host, to which an installation's files are given."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass

from gm_analytics.errors import AccountMissing

WORKER, WEB = "gm_analytics", "gm_analytics_web"
"""Those of the documents and of the cookbook, where root sets up."""


@dataclass(frozen=True)
class Owner:
    """Who gets a file."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Accounts:
    """Who runs the service; web and worker may be one account."""

    worker_name: str
    web_name: str
    group_name: str
    root: Owner
    """Whoever sets up, with the group of both: what both read and neither may change."""
    worker: Owner
    web: Owner

    @property
    def are_two(self) -> bool:
        """Whether web and worker are kept apart."""
        return self.worker.uid != self.web.uid


def find(worker: str | None, web: str | None) -> Accounts:
    """Look the accounts up: for root those of the documents, else whoever asks.

    Raises:
        AccountMissing: there is none of that name.

    """
    is_root = os.geteuid() == 0
    one = _account(worker or (WORKER if is_root else _own()), worker or WORKER)
    other = _account(web, one.pw_name) if web else one
    if is_root and not worker and not web:
        other = _account(WEB, WORKER)
    return Accounts(
        one.pw_name,
        other.pw_name,
        grp.getgrgid(one.pw_gid).gr_name,
        Owner(os.geteuid(), one.pw_gid),
        Owner(one.pw_uid, one.pw_gid),
        Owner(other.pw_uid, one.pw_gid),
    )


def _own() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's, say
        raise AccountMissing(str(os.geteuid()), f"--uid {os.geteuid()}") from None


def _account(name: str, group: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        more = "--user-group" if name == group else f"--gid {group}"
        raise AccountMissing(name, more) from None
