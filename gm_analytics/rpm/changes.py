"""Package sets as values: how two of them differ. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

from gm_analytics.rpm.advisories import Advice
from gm_analytics.rpm.package import Package, Row
from gm_analytics.rpm.versions import compare_evr

ChangeKind = Literal["added", "upgraded", "downgraded", "removed", "resigned"]
"""`resigned` is the same NEVRA with other bytes: upstream signed it again."""


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
    warnings: tuple[str, ...] = ()
    """What a reviewer should know of it."""
    advisories: tuple[Advice, ...] = ()
    """Those that it brings, the gravest first."""

    @property
    def size(self) -> int:
        """Bytes of the packages that clients did not see before."""
        return sum(change.size for change in self.changes if change.kind != "removed")

    @property
    def added(self) -> tuple[str, ...]:
        """NEVRAs that clients did not see before."""
        return tuple(change.nevra for change in self.changes if change.kind != "removed")

    @property
    def kinds(self) -> tuple[tuple[ChangeKind, int], ...]:
        """Count the changes of each kind that there is."""
        found = Counter(change.kind for change in self.changes)
        return tuple((kind, found[kind]) for kind in get_args(ChangeKind) if found[kind])

    @property
    def summary(self) -> str:
        """Count the changes by their kind: `2 added, 1 removed`."""
        return ", ".join(f"{count} {kind}" for kind, count in self.kinds) or "no change"


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
    changes += [
        Change("resigned", nevra, package.size, package.source, nevra, package.wanted)
        for nevra, package in new.items()
        if nevra in old and _sha256(package) not in {"", old[nevra].sha256}
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


def _sha256(package: _Versioned) -> str:
    """Give a package's bytes, as far as they are known: a line of a table has none."""
    return package.sha256 if isinstance(package, Package) else ""


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
    which says where it came from, and is wanted by the specs of both. One that upstream signed
    again takes the place of the one of its NEVRA.
    """
    new = {p.file: p for p in closure}
    fresh = {p.nevra: p.file for p in new.values()}
    old = {p.file: p for p in live if fresh.get(p.nevra, p.file) == p.file}
    merged = {
        file: replace(old.get(file, package), wanted=_wanted(old.get(file), package, exact=exact))
        for file, package in new.items()
    }
    return sorted((merged if exact else old | merged).values(), key=lambda p: p.file)


def _wanted(old: Package | None, new: Package, *, exact: bool) -> tuple[str, ...]:
    before = old.wanted if old and not exact else ()
    return tuple(sorted({*before, *new.wanted}))
