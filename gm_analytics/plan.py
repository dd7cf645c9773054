"""Package sets as values: what a download holds, and what an update would change. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cmp_to_key
from typing import Literal


@dataclass(frozen=True, order=True)
class Package:
    """One RPM file of the pool."""

    file: str
    name: str
    epoch: int
    version: str
    release: str
    arch: str
    size: int
    """Bytes."""
    sha256: str
    source: str = ""
    """The upstream repository it came from, empty if that is not known."""

    @property
    def nevra(self) -> str:
        """Name, epoch (unless 0), version, release and architecture."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{self.name}-{epoch}{self.version}-{self.release}.{self.arch}"

    def line(self) -> str:
        """Give the package as a line of `packages.txt`."""
        fields = (self.file, self.name, self.epoch, self.version, self.release, self.arch)
        return "\t".join(map(str, (*fields, self.size, self.sha256, self.source)))

    @classmethod
    def from_line(cls, line: str) -> Package:
        """Read a line of `packages.txt`."""
        file, name, epoch, version, release, arch, size, sha256, source = line.split("\t")
        return cls(file, name, int(epoch), version, release, arch, int(size), sha256, source)


@dataclass(frozen=True)
class Row:
    """One line of yum's transaction table."""

    name: str
    arch: str
    evr: str
    repository: str
    size: int
    """Bytes, as exact as yum prints it."""

    @property
    def nevra(self) -> str:
        """As `Package.nevra`."""
        return f"{self.name}-{self.evr.removeprefix('0:')}.{self.arch}"


Kind = Literal["added", "upgraded", "downgraded", "removed"]


@dataclass(frozen=True)
class Change:
    """One package that an update brings to what clients see."""

    kind: Kind
    nevra: str
    size: int
    source: str
    before: str | None = None
    """The newest version of the same name and architecture that is live already."""
    wanted: tuple[str, ...] = ()
    """The package specs that pulled it in."""


@dataclass(frozen=True)
class Plan:
    """What an update would change."""

    changes: tuple[Change, ...]

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(change.size for change in self.changes)


def diff(live: Iterable[Package], wanted: Iterable[Row]) -> Plan:
    """Compare what is live with a solved closure. What is live stays, so nothing is removed."""
    newest: dict[tuple[str, str], tuple[str, str]] = {}
    have = set()
    for package in live:
        have.add(package.nevra)
        evr = f"{package.epoch}:{package.version}-{package.release}"
        key = (package.name, package.arch)
        if key not in newest or compare_evr(evr, newest[key][0]) > 0:
            newest[key] = (evr, package.nevra)
    changes = [_change(row, newest.get((row.name, row.arch))) for row in wanted]
    return Plan(tuple(sorted((c for c in changes if c.nevra not in have), key=lambda c: c.nevra)))


def size_text(size: float) -> str:
    """Give bytes in the unit that is read most easily, to three digits."""
    for unit in ("B", "kB", "MB"):
        if size < 999.5:  # noqa: PLR2004  # SI; what follows would print as 1e+03
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _change(row: Row, before: tuple[str, str] | None) -> Change:
    if before is None:
        return Change("added", row.nevra, row.size, row.repository)
    kind: Kind = "upgraded" if compare_evr(row.evr, before[0]) > 0 else "downgraded"
    return Change(kind, row.nevra, row.size, row.repository, before[1])


def compare_evr(left: str, right: str) -> int:
    """Order two `[epoch:]version[-release]` strings as rpm does: -1, 0 or 1."""
    (epoch, version, release), (epoch2, version2, release2) = _split(left), _split(right)
    return (
        (epoch > epoch2) - (epoch < epoch2)
        or compare_version(version, version2)
        or compare_version(release, release2)
    )


def _split(evr: str) -> tuple[int, str, str]:
    epoch, _, rest = evr.rpartition(":")
    version, _, release = rest.partition("-")
    return int(epoch or 0), version, release


_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")


def compare_version(left: str, right: str) -> int:
    """Order two versions or releases as rpm does: -1, 0 or 1.

    Source: rpmio/rpmvercmp.cc. Segments are numbers, words, `~` (older than the end) and `^`
    (newer than the end, older than any other segment).
    """
    ours, theirs = _SEGMENT.findall(left), _SEGMENT.findall(right)
    for one, other in zip(ours, theirs, strict=False):
        if one != other and (order := _compare_segment(one, other)):
            return order
    if len(ours) == len(theirs):
        return 0
    longer, sign = (ours, 1) if len(ours) > len(theirs) else (theirs, -1)
    return -sign if longer[min(len(ours), len(theirs))] == "~" else sign


def _compare_segment(one: str, other: str) -> int:
    for mark in ("~", "^"):
        if mark in {one, other}:
            return -1 if one == mark else 1
    if one.isdigit() and other.isdigit():
        return (int(one) > int(other)) - (int(one) < int(other))
    if one.isdigit() != other.isdigit():
        return 1 if one.isdigit() else -1
    return (one > other) - (one < other)


evr_key = cmp_to_key(compare_evr)
"""A sort key for `[epoch:]version[-release]` strings."""


# --- what a mirror holds --------------------------------------------------------------------


@dataclass(frozen=True)
class Publication:
    """One immutable set of metadata of a mirror, as its publication.json says it."""

    number: int
    update_id: str
    repository: str
    commit: str
    manifest: str
    """Digest of the manifest and of the upstream policy it was solved under."""
    specs: tuple[str, ...]
    published_at: str = ""
    """UTC, ISO 8601; known once it is written."""

    @staticmethod
    def directory(number: int) -> str:
        """Give a publication's directory, relative to the mirror's root."""
        return f".publications/{number:06d}"

    @staticmethod
    def number_of(directory: str) -> int:
        """Read the number back from `directory`."""
        return int(directory.rpartition("/")[2])


@dataclass(frozen=True)
class Download:
    """A solved and downloaded closure."""

    groups: tuple[tuple[str, ...], ...]
    """Specs that were solved together: one group, or one a spec where they conflict."""
    rows: tuple[Row, ...]


State = Literal["new", "pool", "live", "differs"]


@dataclass(frozen=True)
class Closure:
    """The packages of a download, by where they are already."""

    packages: tuple[Package, ...]
    states: tuple[State, ...]

    @classmethod
    def parse(cls, output: str, rows: Iterable[Row]) -> Closure:
        """Read the output of `commands.inspect`; the table says which repository each is from."""
        sources = {row.nevra: row.repository for row in rows}
        packages, states = [], []
        for line in output.splitlines():
            state, _, facts = line.partition("\t")
            package = Package.from_line(facts)
            packages.append(replace(package, source=sources.get(package.nevra, "")))
            states.append(state)
        return cls(tuple(packages), tuple(states))  # type: ignore[arg-type]  # the script's words

    def where(self, *states: State) -> tuple[Package, ...]:
        """Give the packages in one of these states."""
        return tuple(p for p, s in zip(self.packages, self.states, strict=True) if s in states)
