"""`gm-analytics packages`: in which publications a package is, since when, and who wanted it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from logging import getLogger

from gm_analytics.errors import NotKept, Untrusted
from gm_analytics.mirror.access import Mirrors
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.session import Session
from gm_analytics.operations.removal import names_of
from gm_analytics.rpm.package import Package

log = getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """A package that publications have, as the newest of them describes it."""

    package: Package
    publications: tuple[int, ...]
    """Their numbers, the oldest first, of those that are kept."""
    live: bool
    since: str
    """When the oldest came out from which on all have it, to the newest that does; ISO 8601."""
    known: tuple[int, ...] = field(default=(), repr=False)
    """The numbers of all publications that are kept."""

    @property
    def ranges(self) -> str:
        """Its publications, those that follow each other in one: `3-5, 8`."""
        runs = list(_runs(self.publications, self.known))
        return ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in runs)


def run(mirrors: Mirrors, mirror: str, spec: str | None) -> list[Kept]:
    """Look through the publications that a mirror keeps; without a spec, for what is live.

    Raises:
        NotKept: none of them has such a package.

    """
    with mirrors.read(mirror) as session:
        past = [one for one in session.publications.history().publications if not one.unreadable]
        looked = past if spec else [one for one in past if one.served]
        found = list(_readable(session, past))
    wanted = {held.directory for held in looked}
    kept = list(_kept(found, wanted, spec))
    if spec and not kept:
        raise NotKept(mirror, spec)
    return kept


def _readable(session: Session, past: list[Held]) -> Iterator[tuple[Held, tuple[Package, ...]]]:
    """Give each publication with its packages, but for older ones that nobody signed."""
    for held in past:
        try:
            yield held, session.publications.packages(held.directory)
        except Untrusted as error:
            if held.served:
                raise
            log.warning("%s", error)


def _kept(
    found: list[tuple[Held, tuple[Package, ...]]], looked: set[str], spec: str | None
) -> Iterator[Kept]:
    numbers = tuple(held.number for held, _ in found)
    times = {held.number: held.when for held, _ in found}
    live = next((held.number for held, _ in found if held.served), 0)
    has: dict[tuple[str, str], list[int]] = {}
    newest: dict[tuple[str, str], Package] = {}
    meant = set()
    for held, packages in found:
        for package in packages:
            key = (package.file, package.sha256)
            has.setdefault(key, []).append(held.number)
            newest[key] = package
            if held.directory in looked and (spec is None or is_meant(package, spec)):
                meant.add(key)
    for key in sorted(meant, key=lambda one: newest[one]):
        *_, (since, _) = _runs(has[key], numbers)
        yield Kept(newest[key], tuple(has[key]), live in has[key], times[since], numbers)


def is_meant(package: Package, spec: str) -> bool:
    """Tell whether a package is what a spec says, or what one like it pulled in."""
    return spec in package.wanted or spec in names_of(package) or fnmatchcase(package.name, spec)


def _runs(
    numbers: list[int] | tuple[int, ...], known: tuple[int, ...]
) -> Iterator[tuple[int, int]]:
    """Give the first and the last of those that follow each other among the known ones."""
    place = {number: index for index, number in enumerate(known)}
    first = last = numbers[0]
    for number in numbers[1:]:
        if place[number] != place[last] + 1:
            yield first, last
            first = number
        last = number
    yield first, last
