"""The engine's own tables: what they promise across crashes, versions and databases."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from dbos._schemas.system_database import SystemSchema

from gm_analytics.engine import schema
from gm_analytics.engine.client import Store
from gm_analytics.errors import StoreUnavailable, UnknownPackages, UnknownUpdate
from gm_analytics.updates.model import MERGE, Record

from .engine import (
    KILLED_BY,
    Work,
    await_ends,
    gm,
    opened,
    sql,
    update,
    url,
    working,
)

__all__ = ["url"]
GOLDEN = Path(__file__).parent / "golden" / "store-a1fa4e0.sql"
"""A store as a1fa4e0 left it: five updates have ended; the worker was killed in the second step of
one more, and two wait behind it."""


@pytest.fixture
def taken_over(tmp_path: Path) -> str:
    file = tmp_path / "updates.sqlite"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(GOLDEN.read_text("utf-8"))
    return f"sqlite:///{file}"


def states(records: list[Record]) -> dict[str, str]:
    return {record.update.id: record.state for record in records}


# --- taking over ----------------------------------------------------------------------------


def test_what_an_older_version_stored_is_listed_at_once(taken_over: str) -> None:
    with opened(taken_over) as store:
        assert states(store.recent()) == {
            "published": "published",
            "failed": "failed",
            "superseded": "superseded",
            "both@east": "published",
            "both@west": "published",
            "running": "running",
            "waiting": "waiting",
            "waiting-too": "waiting",
        }
        messages = {record.update.id: record.message for record in store.recent()}
        assert messages["published"] == "east: 1 added"
        assert messages["failed"] == "mirror east: resolving nope: No match for argument: nope"
        both = store.get("both")
        assert [record.update.mirror for record in both] == ["east", "west"]
        assert both[1].update.merge_sha == "b" * 40
        assert both[1].outcome is not None
        assert both[1].outcome.added == ("tree-0:1-1.x86_64",)
        assert [step.name for step in both[1].steps] == ["fetch manifest", "download"]
        failed = store.get("failed")[0]
        assert isinstance(failed.error, UnknownPackages)
        assert failed.steps[1].error == failed.message


def test_what_an_older_version_left_unfinished_is_finished_and_nothing_is_done_twice(
    taken_over: str,
) -> None:
    with opened(taken_over) as store, working(taken_over) as work:
        ends = await_ends(store, "running", "waiting", "waiting-too")
        assert {record.state for record in ends.values()} == {"published"}
        assert work.of("running") == ["download"], "its first step had been done"
        assert work.of("waiting") == work.of("waiting-too") == ["fetch manifest", "download"]
        assert {name for name, _ in work.ran} == {"running", "waiting", "waiting-too"}
        assert store.retry("failed")
        assert await_ends(store, "failed")["failed"].state == "published"
        assert len(store.recent(100)) == 8


def test_an_older_version_and_this_one_may_take_turns(taken_over: str) -> None:
    """What is stored without an index, after it was made, is indexed by the next worker."""
    with opened(taken_over):
        pass
    with sql(taken_over) as connection:
        connection.execute(schema.UPDATES.delete().where(schema.UPDATES.c.mirror == "east"))
    with opened(taken_over) as store:
        assert set(states(store.recent())) == {"both@west"}
        with working(taken_over):
            await_ends(store, "running", "waiting", "waiting-too")
        assert states(store.recent())["failed"] == "failed"
        assert len(store.recent(100)) == 8


# --- the schema -----------------------------------------------------------------------------


def test_a_newer_schema_is_refused_in_words_and_left_alone(url: str) -> None:
    with opened(url):
        pass
    newer = len(schema.MIGRATIONS) + 1
    with sql(url) as connection:
        connection.execute(schema.VERSION.insert().values(version=newer, applied_at=0.0))
    with pytest.raises(StoreUnavailable, match=f"version {newer}.*install the newer"):
        Store(url)
    with sql(url) as connection:
        found = connection.scalars(sa.select(schema.VERSION.c.version)).all()
    assert sorted(found) == list(range(1, newer + 1))


def test_a_migration_that_fails_leaves_nothing_behind(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"CREATE TABLE {gm(url)}gm_half (x INTEGER)")
        connection.exec_driver_sql("SELECT nonsense")

    with opened(url) as store:
        store.enqueue(update("one"))
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, second))
    with pytest.raises(StoreUnavailable, match="opening the database"):
        Store(url)
    monkeypatch.undo()
    with opened(url) as store:
        assert states(store.recent()) == {"one": "waiting"}
    with sql(url) as connection:
        tables = sa.inspect(connection).get_table_names(schema=gm(url).rstrip(".") or None)
    assert "gm_half" not in tables


# --- index and DBOS -------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["before index", "before DBOS"])
def test_a_worker_killed_while_it_records_an_end_makes_no_reader_wrong(
    url: str, moment: str
) -> None:
    with opened(url) as store:
        store.enqueue(update("one"))
        killed = subprocess.run([*KILLED_BY, url, moment], check=False, timeout=60)
        assert killed.returncode == -signal.SIGKILL
        assert states(store.recent()) == states(store.get("one")) == {"one": "running"}
        with working(url) as work:
            assert await_ends(store, "one")["one"].message == "one done"
            assert work.of("one") == [], "both its steps had been done"
        assert states(store.recent()) == {"one": "published"}


@pytest.mark.parametrize(("left", "ended"), [("running", None), ("failed", 9.0), ("waiting", 9.0)])
def test_an_index_that_disagrees_with_dbos_is_not_believed(
    url: str, left: str, ended: float | None
) -> None:
    with opened(url) as store:
        store.enqueue(update("one"))
        with working(url):
            await_ends(store, "one")
        with sql(url) as connection:
            values = {"state": left, "message": "wrong", "ended_at": ended}
            connection.execute(schema.UPDATES.update().values(values))
        if left != "waiting":
            assert states(store.recent()) == {"one": "published"}
            assert store.of_pull_request("icesi/packages#1")[0].message == "one done"
        assert store.get("one")[0].state == "published"


def test_a_failed_update_is_retried_and_its_first_end_forgotten(url: str) -> None:
    work = Work({"one"})
    with opened(url) as store, working(url, work):
        assert store.enqueue(update("one"))
        failed = await_ends(store, "one")["one"]
        assert (failed.state, failed.message) == ("failed", "unexpected ValueError: no luck")
        assert store.recent()[0].message == failed.message
        work.failing.clear()
        assert store.enqueue(update("one")), "a redelivery"
        assert await_ends(store, "one")["one"].state == "published"
        with pytest.raises(UnknownUpdate):
            store.retry("two")


def test_a_redelivery_of_what_waits_or_ended_well_is_left_alone(url: str) -> None:
    with opened(url) as store:
        assert store.enqueue(update("one"))
        assert not store.enqueue(update("one"))
        with working(url) as work:
            await_ends(store, "one")
            assert not store.enqueue(update("one"))
            assert not store.retry("one")
        assert work.of("one") == ["fetch manifest", "download"]


def test_a_store_that_is_there_is_read_without_dbos_and_takes_updates_at_once(url: str) -> None:
    with opened(url):
        pass
    with opened(url) as store:
        assert store.recent() == []
        assert "_client" not in vars(store)
        assert store.enqueue(update("one"))
        assert [record.update.id for record in store.recent()] == ["one"]


def test_storing_is_one_transaction(url: str) -> None:
    """What the index refuses is not enqueued either."""
    with opened(url) as store:
        with sql(url) as connection:
            connection.exec_driver_sql(f"DROP TABLE {gm(url)}gm_updates")
        with pytest.raises(StoreUnavailable, match="storing update one"):
            store.enqueue(update("one"))
    with sql(url) as connection:
        query = sa.select(sa.func.count()).select_from(SystemSchema.workflow_status)
        assert connection.scalar(query) == 0


# --- what is asked --------------------------------------------------------------------------


def test_only_a_newer_update_of_the_same_pull_request_and_mirror_supersedes(url: str) -> None:
    with opened(url) as store, working(url, Work({"broken"})):
        old = update("old", at=1)
        for other in (
            old,
            update("elsewhere", "west", at=2),
            update("another", number=2, at=3),
            update("broken", at=4),
        ):
            store.enqueue(other)
        await_ends(store, "old", "elsewhere", "another", "broken")
        assert not store.is_superseded(old)
        store.enqueue(update("new", at=5))
        assert store.is_superseded(old)
        await_ends(store, "new")
        assert store.is_superseded(old)
        assert not store.is_superseded(update("merged", at=1, aim=MERGE))
        listed = store.of_pull_request("icesi/packages#1")
        assert [one.update.id for one in listed] == ["new", "broken", "elsewhere", "old"]
        assert [one.update.id for one in store.recent(2)] == ["new", "broken"]


def test_a_long_message_is_cut_in_lists_and_whole_by_id(url: str) -> None:
    name = "x" * 100
    long = update(f"{name}@" + "m" * 100, "m" * 100)
    with opened(url) as store:
        store.enqueue(long)
        error = '{"__error__": {"error": "Unexpected", "kind": "E", "message": "' + "é" * 5000
        with sql(url) as connection:
            connection.execute(SystemSchema.workflow_status.update().values(status="ERROR"))
            row = {"workflow_uuid": long.id, "error": error + '"}}', "retention_timestamp": 0}
            connection.execute(SystemSchema.workflow_output.insert().values(row))
        with working(url):
            assert len(store.recent()[0].message) == 1000
        assert len(store.get(name)[0].message) == len("unexpected E: ") + 5000


# --- what the web may store -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ({"id": "victim"}, "found id 'victim'; expected the id of its workflow, 'one'"),
        ({"mirror": "west"}, "found mirror 'west'; expected the mirror of its partition, 'east'"),
    ],
)
def test_an_update_that_takes_another_s_id_or_mirror_is_ignored(
    url: str, inside: dict[str, str], said: str
) -> None:
    with opened(url) as store:
        store.enqueue(update("victim"))
        with working(url):
            await_ends(store, "victim")
        store.enqueue(update("one"))
        inputs = json.dumps({"args": [update("one").to_json() | inside], "kwargs": {}})
        with sql(url) as connection:
            table = SystemSchema.workflow_input
            stored = table.update().where(table.c.workflow_uuid == "one").values(inputs=inputs)
            assert connection.execute(stored).rowcount == 1
        with working(url) as work:
            found = await_ends(store, "one")["one"]
        assert (found.state, found.message) == ("ignored", f"the stored update is not one: {said}")
        assert work.ran == []
        assert states(store.recent()) == {"one": "ignored", "victim": "published"}


def test_damaged_rows_keep_no_worker_from_starting(url: str) -> None:
    with opened(url) as store:
        damages = {"number": 10**30, "requested_at": float("inf"), "repository": "\ud800"}
        for name, value in damages.items():
            store.enqueue(update(name))
            inputs = json.dumps({"args": [update(name).to_json() | {name: value}], "kwargs": {}})
            with sql(url) as connection:
                table = SystemSchema.workflow_input
                stored = table.update().where(table.c.workflow_uuid == name)
                connection.execute(stored.values(inputs=inputs))
                connection.execute(schema.UPDATES.delete())
        store.enqueue(update("good"))
        with working(url):
            found = await_ends(store, "good")
            assert found["good"].state == "published"
            ends = await_ends(store, *damages)
        assert {record.state for record in ends.values()} == {"ignored"}
