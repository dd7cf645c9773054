"""What a pull request's comment says of advisories. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gm_analytics.pull_requests.markdown import Room, cell, count, fold, words
from gm_analytics.rpm.advisories import Advice

NAMES = 5
"""CVEs and packages that are named of one advisory."""


def told(found: Sequence[Advice], room: Room) -> Iterator[str]:
    """Give what upstream says that the changes fix."""
    if not found:
        return
    yield f"Advisories of what it adds or upgrades: {_counted(found)}."
    head = ["| advisory | | CVEs | in |", "| --- | --- | --- | --- |"]
    rows = [
        f"| {cell(one.id)} | {words(' '.join(filter(None, (one.severity, one.kind))))} "
        f"| {_few(one.cves)} | {_few(one.packages)} |"
        for one in found[: room.lines]
    ]
    lines = [*head, *rows, *room.rest(found, "| {} | | | |")]
    yield fold(count(found, "advisory", "advisories"), len(found), lines)


def _counted(found: Sequence[Advice]) -> str:
    kinds = [one.kind or "other" for one in found]
    return ", ".join(f"{kinds.count(kind):,} {words(kind)}" for kind in dict.fromkeys(kinds))


def _few(names: Sequence[str]) -> str:
    left = len(names) - NAMES
    more = f" and {left:,} more" if left > 0 else ""
    return ", ".join(map(cell, names[:NAMES])) + more
