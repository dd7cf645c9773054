"""What pages and the API read and ask for: a connection of the store's, and values as answers.

It needs neither key nor token, and asks no mirror.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from gm_analytics.engine import (
    audit,
    catalogue,
    package_history,
    records,
    search,
    sights,
    wishes,
    workforce,
)
from gm_analytics.engine.catalogue import Listed
from gm_analytics.engine.changing import Changing
from gm_analytics.engine.database import guarded
from gm_analytics.engine.package_history import Run
from gm_analytics.engine.search import Found, Wanted
from gm_analytics.engine.sights import MirrorSeen
from gm_analytics.engine.workforce import Workforce
from gm_analytics.errors import UnknownPublication
from gm_analytics.rpm.changes import Plan, compare
from gm_analytics.rpm.package import Package
from gm_analytics.updates.audit import Entry
from gm_analytics.updates.model import Record
from gm_analytics.updates.wishes import Wish

SHOWN = 50
"""Updates of each kind that an overview names."""
LATELY = 7 * 24 * 3600.0
"""Seconds for which a failure counts as lately."""


@dataclass(frozen=True)
class Overview:
    """How everything is."""

    mirrors: tuple[MirrorSeen, ...]
    running: tuple[Record, ...]
    waiting: tuple[Record, ...]
    """The newest; each says what it waits for, if it is not its mirror's turn."""
    failed: tuple[Record, ...]
    """Those of the last days."""
    counts: dict[str, int]
    """How many wait, and how many run."""
    workforce: Workforce
    wishes: tuple[Wish, ...]
    """Requests that nobody carried out yet."""


@dataclass(frozen=True)
class Contents:
    """A publication with its packages."""

    publication: Listed
    packages: tuple[Package, ...]


class Views:
    """Reads what workers wrote; every method may raise `StoreUnavailable`."""

    def __init__(
        self,
        engine: sa.Engine,
        summary: Callable[[sa.Connection, records.Row], Record],
        under_way: Callable[[], dict[str, int]],
    ) -> None:
        self._engine, self._summary, self._under_way = engine, summary, under_way
        self.changing = Changing(engine)

    @contextmanager
    def _reading(self, what: str) -> Iterator[sa.Connection]:
        with guarded(f"reading {what}"), self._engine.connect() as connection:
            yield connection

    def overview(self) -> Overview:
        """Give all mirrors, and what runs, waits and failed lately."""
        counts = self._under_way()
        with self._reading("the overview") as at:
            return Overview(
                tuple(sights.read(at)),
                self._in(at, Wanted("running")),
                self._in(at, Wanted("waiting")),
                self._failed(at),
                counts,
                workforce.look(at),
                tuple(one for one in wishes.newest(at, SHOWN) if one.open),
            )

    def _in(self, at: sa.Connection, wanted: Wanted) -> tuple[Record, ...]:
        return search.find(at, self._summary, wanted, SHOWN).updates

    def _failed(self, at: sa.Connection) -> tuple[Record, ...]:
        found = search.find(at, self._summary, Wanted("failed"), 10).updates
        return tuple(one for one in found if one.accepted_at > time.time() - LATELY)

    def mirrors(self) -> list[MirrorSeen]:
        """Give the mirrors as workers last saw them."""
        with self._reading("what was seen of the mirrors") as at:
            return sights.read(at)

    def search(self, wanted: Wanted, limit: int = 50, after: str = "") -> Found:
        """Give a page of updates, the newest first."""
        with self._reading("updates") as at:
            return search.find(at, self._summary, wanted, min(limit, search.MOST), after)

    def publications(
        self, mirror: str, limit: int = 50, before: int | None = None
    ) -> list[Listed]:
        """Give publications of a mirror, the newest first."""
        with self._reading(f"publications of {mirror}") as at:
            return catalogue.publications(at, mirror, limit, before)

    def publication(self, mirror: str, number: int) -> Contents:
        """Give a publication with its packages; may raise `UnknownPublication`."""
        with self._reading(f"publication {number} of {mirror}") as at:
            return Contents(_known(at, mirror, number), catalogue.packages(at, mirror, number))

    def diff(self, mirror: str, before: int, after: int) -> Plan:
        """Say how publication `after` differs from `before`; may raise `UnknownPublication`."""
        with self._reading(f"publications {before} and {after} of {mirror}") as at:
            for number in (before, after):
                _known(at, mirror, number)
            old, new = (catalogue.packages(at, mirror, number) for number in (before, after))
        return compare(old, new, exact=True)

    def package(self, name: str, mirror: str | None = None, limit: int = 100) -> list[Run]:
        """Give a package's history: in which publications it is and was, and who wanted it."""
        with self._reading(f"the history of package {name}") as at:
            return package_history.history(at, name, mirror, limit)

    def audit(
        self,
        limit: int = 100,
        *,
        before: int | None = None,
        mirror: str | None = None,
        update_id: str | None = None,
    ) -> list[Entry]:
        """Give entries of the audit, the newest first."""
        with self._reading("the audit") as at:
            return audit.newest(at, limit, before=before, mirror=mirror, update_id=update_id)

    def audited_since(self, at: float, mirror: str | None = None) -> Iterator[Entry]:
        """Give all entries of the audit from a time on, the oldest first."""
        with self._reading("the audit") as connection:
            yield from audit.since(connection, at, mirror)

    def ask(self, wish: Wish) -> Wish:
        """Ask workers for something; what is asked for already is the same request."""
        doing = f"asking to {wish.wanted}"
        with guarded(doing), self._engine.begin() as connection:
            return wishes.ask(connection, wish)

    def wish(self, wish_id: str) -> Wish | None:
        """Give a request."""
        with self._reading(f"request {wish_id}") as at:
            return wishes.read(at, wish_id)

    def wishes(self, limit: int = 50, update_id: str | None = None) -> list[Wish]:
        """Give the newest requests first."""
        with self._reading("requests") as at:
            return wishes.newest(at, limit, update_id)


def _known(connection: sa.Connection, mirror: str, number: int) -> Listed:
    """Give a publication whose packages are known.

    Raises:
        UnknownPublication: none of this number is.

    """
    found = catalogue.find(connection, mirror, [number]).get(number)
    if found is None or not found.listed:
        newest = catalogue.publications(connection, mirror, SHOWN)
        kept = [str(one.number) for one in reversed(newest) if one.listed]
        raise UnknownPublication(mirror, str(number), kept)
    return found
