"""Advisories: the part of upstream's updateinfo.xml that a mirror must repeat. No I/O.

An advisory says which package fixes something from which version on. A client compares that with
what it has installed, and takes the same or a newer version for fixed; so the mirror repeats those
of which it serves a package in the same or a newer version, with all that upstream says of them.
Format: https://github.com/openSUSE/libsolv/blob/master/ext/repo_updateinfoxml.c
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple, Protocol

from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import WORDS, optional
from gm_analytics.rpm.versions import Versioned, compare_evr


class Fix(NamedTuple):
    """The version of a package that fixes something."""

    name: str
    arch: str
    evr: str


@dataclass(frozen=True)
class Advisory:
    """What upstream says of something that it fixed."""

    id: str
    kind: str = ""
    """`security`, `bugfix`, `enhancement`, `newpackage`."""
    severity: str = ""
    cves: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    """Those of packages of which the reader wanted to know."""
    opening: str = ""
    head: str = ""
    """XML of its first tag, and of all but its packages."""
    collections: tuple[str, ...] = ()
    """XML of its lists of packages."""

    @property
    def xml(self) -> str:
        """Give it as updateinfo.xml has it."""
        listed = "".join(self.collections)
        return f"{self.opening}{self.head}<pkglist>{listed}</pkglist></update>\n"

    def joined(self, other: Advisory) -> Advisory:
        """Give it with the packages that another repository lists under the same id."""
        collections = tuple(dict.fromkeys((*self.collections, *other.collections)))
        return replace(self, fixes=(*self.fixes, *other.fixes), collections=collections)


@dataclass(frozen=True)
class Listing:
    """One repository's advisories: all ids, and those that name packages of which one asked."""

    ids: frozenset[str]
    advisories: tuple[Advisory, ...]


def newest(packages: Iterable[Versioned]) -> dict[tuple[str, str], str]:
    """Give the newest version of each package, by name and architecture."""
    found: dict[tuple[str, str], str] = {}
    for package in packages:
        key = (package.name, package.arch)
        if key not in found or compare_evr(package.evr, found[key]) > 0:
            found[key] = package.evr
    return found


def choose(
    current: Iterable[Listing], others: Iterable[Listing], packages: Iterable[Versioned]
) -> tuple[Advisory, ...]:
    """Give the advisories that fix a package which is served in the same or a newer version.

    Those that repositories of `current` have under one id are one advisory; an id that any of
    them has is not taken from `others`.
    """
    served = newest(packages)
    found: dict[str, Advisory] = {}
    known: set[str] = set()
    for listing in current:
        known |= listing.ids
        for one in _fixing(listing, served):
            found[one.id] = found[one.id].joined(one) if one.id in found else one
    for listing in others:
        for one in _fixing(listing, served):
            if one.id not in known:
                found.setdefault(one.id, one)
    return tuple(found.values())


def _fixing(listing: Listing, served: Mapping[tuple[str, str], str]) -> Iterator[Advisory]:
    for one in listing.advisories:
        for name, arch, evr in one.fixes:
            there = served.get((name, arch))
            if there is not None and compare_evr(there, evr) >= 0:
                yield one
                break


def document(advisories: Iterable[Advisory]) -> bytes | None:
    """Give an updateinfo.xml; None of no advisories."""
    text = "".join(one.xml for one in advisories)
    if not text:
        return None
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<updates>\n{text}</updates>\n'.encode()


# --- what a publication brings --------------------------------------------------------------


@dataclass(frozen=True)
class Advice:
    """An advisory that a change brings, for whoever reviews it."""

    id: Annotated[str, grammar.ADVISORY.field]
    kind: Annotated[str, optional(WORDS).field] = ""
    severity: Annotated[str, optional(WORDS).field] = ""
    cves: tuple[Annotated[str, grammar.ADVISORY.field], ...] = ()
    packages: tuple[Annotated[str, grammar.NEVRA.field], ...] = ()
    """NEVRAs of what brings it."""


class Named(Versioned, Protocol):
    """What is read of a package that changes."""

    @property
    def nevra(self) -> str:
        """As `Package.nevra`."""
        ...


def brought(chosen: Iterable[Advisory], brings: Iterable[tuple[Named, str]]) -> tuple[Advice, ...]:
    """Give the advisories that packages bring, the gravest first.

    With each package comes the version that was there before. One that is new brings what its own
    version fixes; whatever older ones fixed is nothing that anybody here had.
    """
    packages: dict[tuple[str, str], list[tuple[Named, str]]] = {}
    for package, before in brings:
        packages.setdefault((package.name, package.arch), []).append((package, before))
    found = [
        Advice(one.id, one.kind, one.severity, one.cves, nevras)
        for one in chosen
        if (nevras := tuple(dict.fromkeys(_bringing(one, packages))))
    ]
    return tuple(sorted(found, key=gravity))


def _bringing(
    advisory: Advisory, packages: Mapping[tuple[str, str], list[tuple[Named, str]]]
) -> Iterator[str]:
    for name, arch, evr in advisory.fixes:
        for package, before in packages.get((name, arch), ()):
            since = compare_evr(evr, before) > 0 if before else compare_evr(evr, package.evr) == 0
            if since and compare_evr(package.evr, evr) >= 0:
                yield package.nevra


_GRAVEST = ("critical", "important", "high", "moderate", "medium", "low")


def gravity(advice: Advice) -> tuple[bool, int, str]:
    """Order advisories, the gravest first."""
    severity = advice.severity.lower()
    rank = _GRAVEST.index(severity) if severity in _GRAVEST else len(_GRAVEST)
    return advice.kind != "security", rank, advice.id
