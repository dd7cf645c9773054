"""The tables of what pages read and ask for, beside those in `schema`, which makes them."""

from __future__ import annotations

import sqlalchemy as sa

_metadata = sa.MetaData(schema="gm")
MIRRORS = sa.Table(
    "gm_mirrors",
    _metadata,
    sa.Column("mirror", sa.Text, primary_key=True),
    sa.Column("began_at", sa.Double),
    sa.Column("busy_until", sa.Double),
    sa.Column("holder", sa.Text),
    sa.Column("due_at", sa.Double),
    sa.Column("seen_at", sa.Double),
    sa.Column("contact_at", sa.Double),
    sa.Column("sight", sa.Text),
    sa.Column("failed", sa.Text),
)
"""One row a mirror: whose turn a look at it is, and what the last one saw; see `engine.sights`."""

PUBLICATIONS = sa.Table(
    "gm_publications",
    _metadata,
    sa.Column("mirror", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Double),
    sa.Column("kind", sa.Text),
    sa.Column("update_id", sa.Text),
    sa.Column("origin", sa.Text),
    sa.Column("commit_sha", sa.Text),
    sa.Column("packages", sa.Integer),
    sa.Column("size", sa.BigInteger),
    sa.Column("added", sa.Integer),
    sa.Column("removed", sa.Integer),
    sa.Column("described", sa.Text),
    sa.Column("listed", sa.Integer),
    sa.Column("kept", sa.Integer),
    sa.Column("live", sa.Integer),
)
"""One row a publication that was seen; `listed` is 1 once its packages are in `gm_packages`,
`kept` while the mirror holds it. See `engine.catalogue`."""

PACKAGES = sa.Table(
    "gm_packages",
    _metadata,
    sa.Column("mirror", sa.Text, primary_key=True),
    sa.Column("file", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger),
    sa.Column("name", sa.Text),
    sa.Column("epoch", sa.BigInteger),
    sa.Column("version", sa.Text),
    sa.Column("release", sa.Text),
    sa.Column("arch", sa.Text),
    sa.Column("size", sa.BigInteger),
    sa.Column("source", sa.Text),
    sa.Column("wanted", sa.Text),
)
"""One row an RPM file and run of publications that have it, `first` to `last`: a publication more
costs a row a change, not a row a package."""

OPEN_END = 10**12
"""`last` of what the newest publication has: more than any number."""

WISHES = sa.Table(
    "gm_wishes",
    _metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("wanted", sa.Text),
    sa.Column("mirror", sa.Text),
    sa.Column("asked_by", sa.Text),
    sa.Column("update_id", sa.Text),
    sa.Column("publication", sa.BigInteger),
    sa.Column("expected", sa.BigInteger),
    sa.Column("reason", sa.Text),
    sa.Column("asked_at", sa.Double),
    sa.Column("expires_at", sa.Double),
    sa.Column("fate", sa.Text),
    sa.Column("said", sa.Text),
    sa.Column("taken_until", sa.Double),
    sa.Column("ended_at", sa.Double),
)
"""One row a request of a page: see `engine.wishes`."""

AUDIT = sa.Table(
    "gm_audit",
    _metadata,
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("at", sa.Double),
    sa.Column("actor", sa.Text),
    sa.Column("action", sa.Text),
    sa.Column("mirror", sa.Text),
    sa.Column("who", sa.Text),
    sa.Column("update_id", sa.Text),
    sa.Column("origin", sa.Text),
    sa.Column("publication", sa.BigInteger),
    sa.Column("reason", sa.Text),
)
"""One row a deed, which the database itself lets nobody change: see `engine.audit`."""


def mirrors(at: str) -> tuple[str, ...]:
    """Give the statements that make the tables of mirrors; `at` stands before a table's name."""
    return (
        f"""CREATE TABLE {at}gm_mirrors (
            mirror TEXT NOT NULL PRIMARY KEY,
            began_at DOUBLE PRECISION NOT NULL,
            busy_until DOUBLE PRECISION NOT NULL,
            holder TEXT NOT NULL,
            due_at DOUBLE PRECISION NOT NULL,
            seen_at DOUBLE PRECISION,
            contact_at DOUBLE PRECISION,
            sight TEXT NOT NULL,
            failed TEXT NOT NULL)""",
        f"""CREATE TABLE {at}gm_publications (
            mirror TEXT NOT NULL,
            number BIGINT NOT NULL,
            at DOUBLE PRECISION NOT NULL,
            kind TEXT NOT NULL,
            update_id TEXT NOT NULL,
            origin TEXT NOT NULL,
            commit_sha TEXT NOT NULL,
            packages INTEGER NOT NULL,
            size BIGINT NOT NULL,
            added INTEGER NOT NULL,
            removed INTEGER NOT NULL,
            described TEXT NOT NULL,
            listed INTEGER NOT NULL,
            kept INTEGER NOT NULL,
            live INTEGER NOT NULL,
            PRIMARY KEY (mirror, number))""",
        f"""CREATE TABLE {at}gm_packages (
            mirror TEXT NOT NULL,
            file TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            first BIGINT NOT NULL,
            last BIGINT NOT NULL,
            name TEXT NOT NULL,
            epoch BIGINT NOT NULL,
            version TEXT NOT NULL,
            release TEXT NOT NULL,
            arch TEXT NOT NULL,
            size BIGINT NOT NULL,
            source TEXT NOT NULL,
            wanted TEXT NOT NULL,
            PRIMARY KEY (mirror, file, sha256, first))""",
        f"CREATE INDEX gm_packages_by_name ON {at}gm_packages (mirror, name, first)",
        f"CREATE INDEX gm_packages_by_last ON {at}gm_packages (mirror, last)",
    )


def wishes(at: str) -> tuple[str, ...]:
    """Give the statements that make the table of requests."""
    return (
        f"""CREATE TABLE {at}gm_wishes (
            id TEXT NOT NULL PRIMARY KEY,
            wanted TEXT NOT NULL,
            mirror TEXT NOT NULL,
            asked_by TEXT NOT NULL,
            update_id TEXT NOT NULL,
            publication BIGINT NOT NULL,
            expected BIGINT NOT NULL,
            reason TEXT NOT NULL,
            asked_at DOUBLE PRECISION NOT NULL,
            expires_at DOUBLE PRECISION NOT NULL,
            fate TEXT NOT NULL,
            said TEXT NOT NULL,
            taken_until DOUBLE PRECISION NOT NULL,
            ended_at DOUBLE PRECISION)""",
        f"CREATE INDEX gm_wishes_by_time ON {at}gm_wishes (asked_at)",
        f"CREATE INDEX gm_wishes_open ON {at}gm_wishes (asked_at) WHERE ended_at IS NULL",
    )


def audit(at: str, *, sqlite: bool) -> tuple[str, ...]:
    """Give the statements that make the audit, and have the database refuse to change it."""
    number = "INTEGER PRIMARY KEY AUTOINCREMENT" if sqlite else "BIGSERIAL PRIMARY KEY"
    table = f"""CREATE TABLE {at}gm_audit (
        number {number},
        at DOUBLE PRECISION NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        mirror TEXT NOT NULL,
        who TEXT NOT NULL,
        update_id TEXT NOT NULL,
        origin TEXT NOT NULL,
        publication BIGINT NOT NULL,
        reason TEXT NOT NULL)"""
    indexes = (
        f"CREATE INDEX gm_audit_by_time ON {at}gm_audit (at)",
        f"CREATE INDEX gm_audit_by_update ON {at}gm_audit (update_id, number)",
        f"CREATE INDEX gm_audit_by_mirror ON {at}gm_audit (mirror, number)",
    )
    return table, *indexes, *(_refusing(at) if not sqlite else _refusing_in_sqlite())


def _refusing_in_sqlite() -> tuple[str, ...]:
    said = "SELECT RAISE(ABORT, 'the audit is append-only')"
    return tuple(
        f"CREATE TRIGGER gm_audit_no_{deed.lower()} BEFORE {deed} ON gm_audit BEGIN {said}; END"
        for deed in ("UPDATE", "DELETE")
    )


def _refusing(at: str) -> tuple[str, ...]:
    said = "BEGIN RAISE EXCEPTION 'the audit is append-only'; END"
    before = "BEFORE UPDATE OR DELETE OR TRUNCATE"
    return (
        (
            f"CREATE OR REPLACE FUNCTION {at}gm_audit_refuse() RETURNS trigger "
            f"LANGUAGE plpgsql AS $${said}$$"
        ),
        f"""CREATE TRIGGER gm_audit_append_only {before} ON {at}gm_audit
            FOR EACH STATEMENT EXECUTE FUNCTION {at}gm_audit_refuse()""",
    )


def search(at: str) -> tuple[str, ...]:
    """Give the statements by which `gm_updates` is searched; see `engine.search`."""
    add = f"ALTER TABLE {at}gm_updates ADD COLUMN"
    names = ("author", "subject", "said")
    return tuple(f"{add} {name} TEXT NOT NULL DEFAULT ''" for name in names)


def search_indexes(at: str) -> tuple[str, ...]:
    """Give the indexes of the search, once older rows have what is searched."""
    on, order = f"ON {at}gm_updates", "accepted_at, workflow_id"
    return (
        f"CREATE INDEX gm_updates_by_text {on} ({order}, subject, said)",
        f"CREATE INDEX gm_updates_by_state {on} (state, {order})",
        f"CREATE INDEX gm_updates_by_mirror {on} (mirror, {order})",
        f"CREATE INDEX gm_updates_by_author {on} (author, {order})",
        f"CREATE INDEX gm_updates_open_by_time {on} ({order}) WHERE ended_at IS NULL",
    )


def fewer_indexes(at: str) -> tuple[str, ...]:
    """Give the statements that drop what `search_indexes` has as well: each costs a delivery."""
    names = ("gm_updates_by_time", "gm_updates_open")
    return tuple(f"DROP INDEX IF EXISTS {at}{name}" for name in names)
