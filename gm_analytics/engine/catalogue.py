"""Which publications mirrors hold and held, and which packages they have; read without a mirror.

A package has a row a run of publications, so a publication more costs what it changes. Numbers
grow, and only what came after the newest that is listed is added.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from gm_analytics.engine import records
from gm_analytics.engine.view_tables import OPEN_END, PACKAGES, PUBLICATIONS
from gm_analytics.mirror.sight import SeenPublication
from gm_analytics.rpm.package import Package
from gm_analytics.wording import cleaned

MOST = 1000
"""Publications of one mirror that are known; the newest."""
_DESCRIBED = ("base", "restores", "specs", "entries", "key", "warnings", "mark")
_MOST_DESCRIBED = 64 * 1024
"""Characters of what a publication says of itself; of more, the entries are left out."""


@dataclass(frozen=True)
class Listed:
    """A publication, as it is known here."""

    mirror: str
    number: int
    at: float
    """When it came out, in seconds since the epoch."""
    live: bool
    kept: bool
    """Whether the mirror holds it still, so that one can go back to it."""
    kind: str
    """The update's kind; empty of what was taken over."""
    update_id: str
    origin: str
    """The pull request, or the repository that was pushed to."""
    commit: str
    packages: int
    size: int
    """Bytes of its RPMs; 0 while they are not listed."""
    added: int
    removed: int
    """Files that differ from the publication before it."""
    listed: bool
    """Whether its packages are known."""
    restores: int = 0
    """The publication that a rollback made live again."""
    specs: tuple[str, ...] = ()
    """What its manifest asks for."""
    warnings: tuple[str, ...] = ()


# --- writing ---------------------------------------------------------------------------------


def store(connection: sa.Connection, mirror: str, seen: Sequence[SeenPublication]) -> None:
    """Note what a mirror holds, the oldest first."""
    known = {row.number: row for row in connection.execute(_of(mirror))}
    newest = max((number for number, row in known.items() if row.listed), default=0)
    for one in sorted(seen, key=lambda one: one.number):
        values = _values(one)
        if one.number in known:
            connection.execute(_this(PUBLICATIONS.update(), mirror, one.number).values(values))
        else:
            row = {"size": 0, "added": 0, "removed": 0, "listed": 0, **values}
            named = {"mirror": mirror, "number": one.number}
            connection.execute(PUBLICATIONS.insert().values(**named, **row))
        if one.packages is not None and one.number > newest:
            _list(connection, mirror, one.number, newest, one.packages)
            newest = one.number
    numbers = [one.number for one in seen]
    gone = PUBLICATIONS.update().where(
        PUBLICATIONS.c.mirror == mirror, PUBLICATIONS.c.number.not_in(numbers)
    )
    connection.execute(gone.values(kept=0, live=0))
    _forget(connection, mirror)


def _of(mirror: str) -> sa.Select[Any]:
    columns = (PUBLICATIONS.c.number, PUBLICATIONS.c.listed)
    return sa.select(*columns).where(PUBLICATIONS.c.mirror == mirror)


def _this(statement: Any, mirror: str, number: int) -> Any:
    return statement.where(PUBLICATIONS.c.mirror == mirror, PUBLICATIONS.c.number == number)


def _values(one: SeenPublication) -> dict[str, Any]:
    made = one.made
    known = asdict(made) if made else {}
    told: dict[str, Any] = cleaned({name: known[name] for name in _DESCRIBED if name in known})
    described = json.dumps(told)
    if len(described) > _MOST_DESCRIBED:
        kept = {name: told[name] for name in ("base", "restores", "key", "mark")}
        described = json.dumps(kept)
    return {
        "at": one.at,
        "kind": made.kind if made else "",
        "update_id": made.update_id if made else "",
        "origin": made.repository if made else "",
        "commit_sha": made.commit if made else "",
        "packages": one.count,
        "described": described,
        "kept": 1,
        "live": int(one.live),
    }


def _list(
    connection: sa.Connection,
    mirror: str,
    number: int,
    before: int,
    packages: Iterable[Package],
) -> None:
    """Note a publication's packages: end the runs of what it lacks, begin those of what is new."""
    found = {(one.file, one.sha256): one for one in packages}
    query = sa.select(PACKAGES.c.file, PACKAGES.c.sha256, PACKAGES.c.first, PACKAGES.c.wanted)
    running = query.where(PACKAGES.c.mirror == mirror, PACKAGES.c.last == OPEN_END)
    old = {(row.file, row.sha256): row for row in connection.execute(running)}
    gone = [_key(mirror, old[key]) for key in old.keys() - found.keys()]
    new = [found[key] for key in sorted(found.keys() - old.keys())]
    said = [
        {**_key(mirror, old[key]), "is_wanted": _wanted(found[key])}
        for key in old.keys() & found.keys()
        if old[key].wanted != _wanted(found[key])
    ]
    one = [PACKAGES.c[name] == sa.bindparam(f"its_{name}") for name in _KEY]
    if gone:
        connection.execute(PACKAGES.update().where(*one).values(last=before), gone)
    if said:
        wanted: sa.BindParameter[str] = sa.bindparam("is_wanted")
        connection.execute(PACKAGES.update().where(*one).values(wanted=wanted), said)
    if new:
        connection.execute(PACKAGES.insert(), [_row(mirror, number, package) for package in new])
    values = {
        "listed": 1,
        "size": sum(package.size for package in found.values()),
        "added": len(new) if before else 0,
        "removed": len(gone),
    }
    connection.execute(_this(PUBLICATIONS.update(), mirror, number).values(values))


_KEY = ("mirror", "file", "sha256", "first")


def _key(mirror: str, row: Any) -> dict[str, Any]:
    return {
        "its_mirror": mirror,
        "its_file": row.file,
        "its_sha256": row.sha256,
        "its_first": row.first,
    }


def _wanted(package: Package) -> str:
    return ",".join(package.wanted)


def _row(mirror: str, number: int, package: Package) -> dict[str, Any]:
    told = asdict(package)
    same = ("file", "sha256", "name", "epoch", "version", "release", "arch", "size", "source")
    known = {name: told[name] for name in same}
    runs = {"mirror": mirror, "first": number, "last": OPEN_END}
    return {**runs, **known, "wanted": _wanted(package)}


def _forget(connection: sa.Connection, mirror: str) -> None:
    """Drop the oldest publications beyond `MOST`, and what only those had."""
    its = PUBLICATIONS.c.mirror == mirror
    newest = sa.select(PUBLICATIONS.c.number).where(its).order_by(PUBLICATIONS.c.number.desc())
    oldest = connection.scalar(newest.offset(MOST - 1).limit(1))
    if oldest is None:
        return
    old = (its, PUBLICATIONS.c.number < oldest)
    if connection.execute(PUBLICATIONS.delete().where(*old)).rowcount:
        over = (PACKAGES.c.mirror == mirror, PACKAGES.c.last < oldest)
        connection.execute(PACKAGES.delete().where(*over))


def listed(connection: sa.Connection, mirror: str) -> frozenset[int]:
    """Give the numbers of the publications whose packages are known."""
    rows = connection.execute(_of(mirror).where(PUBLICATIONS.c.listed == 1))
    return frozenset(row.number for row in rows)


# --- reading ---------------------------------------------------------------------------------


def publications(
    connection: sa.Connection, mirror: str, limit: int, before: int | None = None
) -> list[Listed]:
    """Give a mirror's publications, the newest first; those before a number where one is given."""
    query = sa.select(PUBLICATIONS).where(PUBLICATIONS.c.mirror == mirror)
    if before is not None:
        query = query.where(PUBLICATIONS.c.number < before)
    rows = connection.execute(query.order_by(PUBLICATIONS.c.number.desc()).limit(limit))
    return [_listed(row) for row in rows]


def find(connection: sa.Connection, mirror: str, numbers: Iterable[int]) -> dict[int, Listed]:
    """Give some of a mirror's publications, by their numbers."""
    wanted = list(numbers)
    query = sa.select(PUBLICATIONS).where(
        PUBLICATIONS.c.mirror == mirror, PUBLICATIONS.c.number.in_(wanted)
    )
    return {row.number: _listed(row) for row in connection.execute(query)}


def packages(connection: sa.Connection, mirror: str, number: int) -> tuple[Package, ...]:
    """Give the packages of a publication, in the order of their files."""
    query = sa.select(PACKAGES).where(
        PACKAGES.c.mirror == mirror, PACKAGES.c.first <= number, PACKAGES.c.last >= number
    )
    return tuple(package_of(row) for row in connection.execute(query.order_by(PACKAGES.c.file)))


def package_of(row: records.Row) -> Package:
    """Give a row as a package; whoever wrote it checked it."""
    return Package(
        row.file, row.name, row.epoch, row.version, row.release, row.arch, row.size, row.sha256,
        row.source, tuple(str(row.wanted).split(",")) if row.wanted else (),
    )  # fmt: skip


def _listed(row: records.Row) -> Listed:
    said = records.values_of(row.described)
    said = said if isinstance(said, dict) else {}
    return Listed(
        mirror=row.mirror,
        number=row.number,
        at=records.moment(row.at),
        live=bool(row.live),
        kept=bool(row.kept),
        kind=row.kind,
        update_id=row.update_id,
        origin=row.origin,
        commit=row.commit_sha,
        packages=row.packages,
        size=row.size,
        added=row.added,
        removed=row.removed,
        listed=bool(row.listed),
        restores=said.get("restores") or 0,
        specs=tuple(said.get("specs") or ()),
        warnings=tuple(said.get("warnings") or ()),
    )
