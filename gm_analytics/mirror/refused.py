"""Whose signature was refused, and which upstream repository's file is to be corrected."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from gm_analytics.errors import BadPackages, GmError, KeyMissing
from gm_analytics.mirror import complaints, examined, repository, yum
from gm_analytics.mirror.examined import Repositories
from gm_analytics.mirror.host import Host
from gm_analytics.rpm.package import Package, Row

LIVE = "repodata/.."
"""The live publication, by the link that clients follow."""


def signature(host: Host, output: str, rows: Iterable[Row]) -> BadPackages:
    """Say what yum refused, by its output and the table above it.

    What it took from the pool once came from a repository of upstream's, which is named in the
    pool's place: the pool has no file to correct, and upstream's keys.
    """
    told = complaints.words(output)
    error = KeyMissing if complaints.has_no_key(told) else BadPackages
    if any(name in told for name in yum.OUR_NAMES):
        names = ", ".join(_sources(host, rows)[:3]) or "a repository of upstream's"
        for ours in yum.OUR_NAMES:
            told = told.replace(ours, f"{ours[0]}{names}{ours[-1]}")
    return error(host.name, told)


def _sources(host: Host, rows: Iterable[Row]) -> list[str]:
    """Name the repositories that what yum took from the pool came from; all, if it took nothing.

    The pool has the keys of all repositories, so without a key of its own none has any.
    """
    taken = {row.nevra for row in rows if yum.is_here(row)}
    with suppress(GmError):  # what went wrong before is told in any case
        if not taken:
            printed = host.run(examined.repositories(host.target), "listing the repositories")
            return list(Repositories.parse(printed).enabled)
        doing = "reading where packages came from"
        listed = Package.parse(host.run(repository.packages(host.target, LIVE), doing))
        return sorted({one.source for one in listed if one.nevra in taken and one.source})
    return []
