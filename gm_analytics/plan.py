"""Package sets as values: what a download holds, and what an update would change. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cmp_to_key
from typing import Literal, Protocol, get_args


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
    wanted: tuple[str, ...] = ()
    """The package specs that pulled it in."""

    @property
    def nevra(self) -> str:
        """Name, epoch (unless 0), version, release and architecture."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{self.name}-{epoch}{self.version}-{self.release}.{self.arch}"

    @property
    def evr(self) -> str:
        """Epoch, version and release."""
        return f"{self.epoch}:{self.version}-{self.release}"

    def line(self) -> str:
        """Give the package as a line of `packages.txt`."""
        fields = (self.file, self.name, self.epoch, self.version, self.release, self.arch)
        wanted = ",".join(self.wanted)
        return "\t".join(map(str, (*fields, self.size, self.sha256, self.source, wanted)))

    @classmethod
    def from_line(cls, line: str) -> Package:
        """Read a line of `packages.txt`."""
        file, name, epoch, version, release, arch, size, sha256, source, wanted = line.split("\t")
        specs = tuple(wanted.split(",")) if wanted else ()
        return cls(
            file, name, int(epoch), version, release, arch, int(size), sha256, source, specs
        )


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

    @property
    def source(self) -> str:
        """As `Package.source`."""
        return self.repository

    @property
    def wanted(self) -> tuple[str, ...]:
        """As `Package.wanted`; nothing is known of it before the files are there."""
        return ()


ChangeKind = Literal["added", "upgraded", "downgraded", "removed"]


@dataclass(frozen=True)
class Change:
    """One difference between two sets of packages."""

    kind: ChangeKind
    nevra: str
    size: int
    """Bytes."""
    source: str
    """The upstream repository."""
    before: str | None = None
    """The newest version of the same name and architecture that was there."""
    wanted: tuple[str, ...] = ()
    """The package specs that pulled it in."""


@dataclass(frozen=True)
class Plan:
    """What an update would change."""

    changes: tuple[Change, ...]

    @property
    def size(self) -> int:
        """Bytes of the packages that clients did not see before."""
        return sum(change.size for change in self.changes if change.kind != "removed")

    @property
    def added(self) -> tuple[str, ...]:
        """NEVRAs that clients did not see before."""
        return tuple(change.nevra for change in self.changes if change.kind != "removed")

    @property
    def summary(self) -> str:
        """Count the changes by their kind: `2 added, 1 removed`."""
        kinds = [change.kind for change in self.changes]
        counted = [(kinds.count(kind), kind) for kind in get_args(ChangeKind)]
        return ", ".join(f"{count} {kind}" for count, kind in counted if count) or "no change"


def diff(live: Iterable[Package], wanted: Iterable[Row], *, exact: bool = False) -> Plan:
    """Compare what is live with a closure that was solved and not downloaded, as `compare`."""
    return compare(live, wanted, exact=exact)


def compare(before: Iterable[Package], after: Iterable[_Versioned], *, exact: bool) -> Plan:
    """Say how two sets of packages differ.

    Unless `exact`, what was there stays and nothing is removed. A package that takes the place
    of the newest one of its name and architecture is one change, not two.
    """
    old, new = {package.nevra: package for package in before}, {p.nevra: p for p in after}
    newest: dict[tuple[str, str], Package] = {}
    for package in old.values():
        key = (package.name, package.arch)
        if key not in newest or compare_evr(package.evr, newest[key].evr) > 0:
            newest[key] = package
    changes = [
        _change(package, newest.get((package.name, package.arch)))
        for nevra, package in new.items()
        if nevra not in old
    ]
    if exact:
        replaced = {change.before for change in changes}
        changes += [
            Change("removed", p.nevra, p.size, p.source, None, p.wanted)
            for nevra, p in old.items()
            if nevra not in new and nevra not in replaced
        ]
    return Plan(tuple(sorted(changes, key=lambda change: change.nevra)))


def size_text(size: float) -> str:
    """Give bytes in the unit that is read most easily, to three digits."""
    for unit in ("B", "kB", "MB"):
        if size < 999.5:  # noqa: PLR2004  # SI; what follows would print as 1e+03
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _change(package: _Versioned, before: Package | None) -> Change:
    kind: ChangeKind = "added"
    if before is not None:
        kind = "upgraded" if compare_evr(package.evr, before.evr) > 0 else "downgraded"
    old = before.nevra if before else None
    return Change(kind, package.nevra, package.size, package.source, old, package.wanted)


class _Versioned(Protocol):
    """What `compare` reads of a package."""

    @property
    def name(self) -> str: ...
    @property
    def arch(self) -> str: ...
    @property
    def evr(self) -> str: ...
    @property
    def nevra(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def wanted(self) -> tuple[str, ...]: ...


def merge(live: Iterable[Package], closure: Iterable[Package], *, exact: bool) -> list[Package]:
    """Give the packages of the set that follows what is live, in the order of their files.

    With `exact` the closure alone, else both. A package that is live already keeps its line,
    which says where it came from, and is wanted by the specs of both.
    """
    old, new = {p.file: p for p in live}, {p.file: p for p in closure}
    merged = {
        file: replace(old.get(file, package), wanted=_wanted(old.get(file), package, exact=exact))
        for file, package in new.items()
    }
    return sorted((merged if exact else old | merged).values(), key=lambda p: p.file)


def _wanted(old: Package | None, new: Package, *, exact: bool) -> tuple[str, ...]:
    before = old.wanted if old and not exact else ()
    return tuple(sorted({*before, *new.wanted}))


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
    """Its own, or the pull request's of a preview."""
    update_id: str
    repository: str
    commit: str
    manifest: str
    """Digest of the manifest and of the policies it was solved under."""
    specs: tuple[str, ...]
    entries: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Names of the manifest's entries, each with its specs."""
    kind: str = "add"
    """The update's kind; `rollback` of what a person made live again."""
    base: str = ""
    """The directory of the publication that was live when it was made."""
    mark: str = ""
    """Of the newest merge that it contains."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Specs that can be installed together: one group, or one a spec where they conflict."""
    restores: int = 0
    """The number of the publication that a `rollback` made live again."""
    warnings: tuple[str, ...] = ()
    """What a reviewer should know of the manifest's closure."""
    key: str = ""
    """Fingerprint of the key that signed its metadata, empty if none did."""
    published_at: str = ""
    """UTC, ISO 8601; known once it is written."""

    @classmethod
    def parse(cls, text: str) -> Publication | None:
        """Read a publication.json; None if there is none, as of a repository taken over."""
        if not text.strip():
            return None
        data = json.loads(text)
        entries = tuple((name, tuple(specs)) for name, specs in data.get("entries", ()))
        groups = tuple(map(tuple, data.get("groups", ())))
        return cls(
            **data
            | {"specs": tuple(data["specs"]), "entries": entries, "groups": groups}
            | {"warnings": tuple(data.get("warnings", ()))}
        )

    @property
    def exact(self) -> bool:
        """Whether nothing of what was live before stays."""
        return self.kind != "add"

    @staticmethod
    def directory(number: int) -> str:
        """Give a publication's directory, relative to the mirror's root."""
        return f".publications/{number:06d}"

    @staticmethod
    def number_of(directory: str) -> int:
        """Read the number back from `directory`."""
        return int(directory.rpartition("/")[2])


@dataclass(frozen=True)
class Preview:
    """What is served of a pull request beside the live set."""

    publication: Publication
    repomd: str
    """SHA-256 of its repomd.xml."""


@dataclass(frozen=True)
class Download:
    """A solved and downloaded closure."""

    groups: tuple[tuple[str, ...], ...]
    """Specs that were solved together: one group, or one a spec where they conflict."""
    rows: tuple[Row, ...]

    @property
    def specs(self) -> tuple[str, ...]:
        """All specs."""
        return tuple(spec for group in self.groups for spec in group)


Whereabouts = Literal["new", "pool", "live", "differs"]


@dataclass(frozen=True)
class Closure:
    """The packages of a download, by where they are already."""

    packages: tuple[Package, ...]
    states: tuple[Whereabouts, ...]
    warnings: tuple[str, ...] = ()
    """What a reviewer should know of it."""

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

    @classmethod
    def of_pool(cls, packages: Iterable[Package]) -> Closure:
        """Give the closure of packages that the pool has."""
        known = tuple(packages)
        states: tuple[Whereabouts, ...] = tuple("pool" for _ in known)
        return cls(known, states)

    def sourced(self, known: Iterable[Package]) -> Closure:
        """Give the closure with the sources that are known of some of its files."""
        sources = {package.file: package.source for package in known}
        packages = (replace(p, source=sources.get(p.file, p.source)) for p in self.packages)
        return replace(self, packages=tuple(packages))

    def where(self, *states: Whereabouts) -> tuple[Package, ...]:
        """Give the packages in one of these states."""
        return tuple(p for p, s in zip(self.packages, self.states, strict=True) if s in states)
