"""A package's history: in which publications it is and was, since when, and who wanted it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from gm_analytics.engine import catalogue
from gm_analytics.engine.catalogue import Listed, package_of
from gm_analytics.engine.view_tables import OPEN_END, PACKAGES
from gm_analytics.rpm.package import Package
from gm_analytics.wording import clean


@dataclass(frozen=True)
class Run:
    """A package in publications that follow each other."""

    mirror: str
    package: Package
    """Its `wanted` has the specs that pulled it in."""
    first: int
    last: int | None
    """The number of the newest that has it; None while what is live does."""
    since: Listed | None
    """The publication that brought it, with its pull request; None if that is not known now."""
    until: Listed | None = None
    """The last one that had it."""


def history(
    connection: sa.Connection, name: str, mirror: str | None = None, limit: int = 100
) -> list[Run]:
    """Give the runs of a package by its name, the newest first; `*` at its end stands for more."""
    query = sa.select(PACKAGES).order_by(PACKAGES.c.first.desc(), PACKAGES.c.file).limit(limit)
    query = query.where(*_named(clean(name)))
    if mirror:
        query = query.where(PACKAGES.c.mirror == mirror)
    rows = connection.execute(query).all()
    known: dict[str, dict[int, Listed]] = {}
    for one in {row.mirror for row in rows}:
        numbers = {n for row in rows if row.mirror == one for n in (row.first, row.last)}
        known[one] = catalogue.find(connection, one, numbers - {OPEN_END})
    return [
        Run(
            row.mirror,
            package_of(row),
            row.first,
            None if row.last == OPEN_END else row.last,
            known[row.mirror].get(row.first),
            known[row.mirror].get(row.last),
        )
        for row in rows
    ]


def _named(name: str) -> tuple[sa.ColumnElement[bool], ...]:
    if name.endswith("*"):
        return (PACKAGES.c.name.startswith(name[:-1], autoescape=True),)
    return (PACKAGES.c.name == name,)
