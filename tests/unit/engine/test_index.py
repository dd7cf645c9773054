"""One damaged row hides no other, and keeps no worker from starting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gm_analytics.engine import codec, index, records, schema, standings
from gm_analytics.engine.database import connect
from gm_analytics.engine.queries import Queries
from gm_analytics.errors import UnknownPackages
from gm_analytics.mirror.publication import Standing
from gm_analytics.updates.model import NOTHING, Outcome, Record, Update

DONE = json.dumps(Outcome("published", "done").to_json())


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """Give a database with DBOS's tables, whose columns take anything."""
    engine = connect(f"sqlite:///{tmp_path}/store.sqlite")
    with engine.begin() as connection:
        for table in (schema.WORKFLOWS, schema.INPUTS, schema.OUTPUTS, schema.STEPS):
            connection.exec_driver_sql(f"CREATE TABLE {table.name} ({', '.join(table.c.keys())})")
    with engine.connect() as connection:
        schema.migrate(connection)
        connection.commit()
    yield engine
    engine.dispose()


def put(
    engine: sa.Engine, name: str, values: dict[str, Any] | None = None, **columns: Any
) -> None:
    """Store an update as DBOS does."""
    update = Update(name, "east", "o/r", 7, "a" * 40, 5.0)
    inputs = json.dumps({"args": [update.to_json() | (values or {})], "kwargs": {}})
    row = {
        "workflow_uuid": name, "name": index.WORKFLOW, "status": "ENQUEUED", "created_at": 9000,
        "queue_partition_key": "east", "serialization": codec.FORMAT, "inputs": inputs,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(schema.WORKFLOWS.insert().values(row | columns))


def listed(engine: sa.Engine) -> dict[str, Record]:
    """Give what every list and page reads, after a worker's start."""
    index.repair(engine)
    store = Queries(engine, "test")
    whole = [store.whole(record) for record in store.recent(100)]
    return {record.update.id: record for record in whole}


@pytest.mark.parametrize(
    "values",
    [
        {"number": 10**30},
        {"number": -1},
        {"requested_at": float("nan")},
        {"requested_at": float("inf")},
        {"requested_at": 1e300},
        {"repository": "\ud800"},
        {"repository": "a\0b"},
        {"merged_at": {"x": "\ud800"}},
    ],
)
def test_an_update_that_no_database_takes_is_indexed_bare(
    engine: sa.Engine, values: dict[str, Any]
) -> None:
    put(engine, "good")
    put(engine, "bad", values)
    found = listed(engine)
    assert found["good"].update.number == 7
    assert found["bad"].update == Update("bad", "east", aim=NOTHING)
    assert found["bad"].accepted_at == 9.0


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "SUCCESS", "output": '{"state": "published", "message": "\\ud800"}'},
        {"status": "SUCCESS", "output": '{"state": "\\ud800", "message": "m"}'},
        {"status": "SUCCESS", "output": '{"state": "published", "message": "a\\u0000"}'},
        {"status": "SUCCESS", "output": 7},
        {"status": "SUCCESS", "output": DONE, "serialization": b"x"},
        {"status": "ERROR", "error": '{"__error__": {"error": "UnknownPackages", "specs": 7}}'},
        {
            "status": "ERROR",
            "error": '{"__error__": {"error": "UnknownPackages", "mirror": 1, "specs": ["x"],'
            ' "places": 7, "near": "near"}}',
        },
        {
            "status": "ERROR",
            "error": '{"__error__": {"error": "Unexpected", "message": "\\ud800"}}',
        },
        {"status": "ERROR", "error": '{"__error__": {"error": "ManifestError", "problems": [7]}}'},
        {
            "status": "ERROR",
            "error": '{"__error__": {"error": "DiskFull", "mirror": "m", "path": "/",'
            ' "needed": "x", "free": []}}',
        },
    ],
)
@pytest.mark.parametrize("indexed", [False, True])
def test_an_end_that_cannot_be_read_is_a_failure_that_is_listed(
    engine: sa.Engine, columns: dict[str, Any], indexed: bool
) -> None:
    put(engine, "good", status="SUCCESS", output=DONE)
    put(engine, "bad", **({} if indexed else columns))
    index.repair(engine)
    with engine.begin() as connection:
        bad = schema.WORKFLOWS.c.workflow_uuid == "bad"
        connection.execute(schema.WORKFLOWS.update().where(bad).values(columns))
    found = listed(engine)
    assert (found["good"].state, found["bad"].state) == ("published", "failed")
    for text in (found["bad"].message, found["bad"].public_message, found["bad"].hint):
        assert text.encode().decode() == text
        assert "\0" not in text


@pytest.mark.parametrize("time", ["soon", b"x", float("inf"), 1e300, -1])
def test_a_time_that_is_none_hides_nothing(engine: sa.Engine, time: Any) -> None:
    ended = {"status": "SUCCESS", "output": DONE}
    put(engine, "adopted", {"requested_at": 0}, created_at=time, completed_at=time, **ended)
    put(engine, "listed", started_at_epoch_ms=time, **ended)
    index.repair(engine)
    step = {
        "workflow_uuid": "listed", "function_id": 1, "function_name": "download",
        "started_at_epoch_ms": time, "completed_at_epoch_ms": time, "serialization": codec.FORMAT,
    }  # fmt: skip
    with engine.begin() as connection:
        indexed = "UPDATE gm_updates SET accepted_at = ?1, started_at = ?1, ended_at = ?1"
        connection.exec_driver_sql(indexed, (time,))
        connection.execute(schema.STEPS.insert().values(step))
    found = listed(engine)
    assert found["adopted"].accepted_at == found["listed"].accepted_at == 0.0
    assert found["listed"].steps[0].completed_at == 0.0


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("ENQUEUED", "waiting"),
        ("SUCCESS", "ignored"),
        ("ERROR", "failed"),
    ],
)
def test_of_a_row_that_cannot_be_indexed_what_is_certain_is(
    engine: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    state: str,
) -> None:
    as_it_is = index._row_of_dbos

    def unlucky(connection: sa.Connection, workflow_id: str) -> dict[str, Any]:
        if workflow_id == "bad":
            raise KeyError("no luck")
        return as_it_is(connection, workflow_id)

    put(engine, "bad", status=status)
    put(engine, "good")
    monkeypatch.setattr(index, "_row_of_dbos", unlucky)
    index.repair(engine)
    with engine.connect() as connection:
        rows = {row.workflow_id: row for row in connection.execute(sa.select(*schema.UPDATES.c))}
    assert rows["good"].number == 7
    said = "" if state == "waiting" else "what is stored of it is damaged: KeyError: 'no luck'"
    assert (rows["bad"].state, rows["bad"].message) == (state, said)
    assert (rows["bad"].ended_at is None) == (state == "waiting")


@pytest.mark.parametrize(("status", "state"), [("SUCCESS", "ignored"), ("ERROR", "failed")])
def test_an_end_that_cannot_be_noted_is_noted_bare(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, status: str, state: str
) -> None:
    put(engine, "bad")
    index.repair(engine)

    def unlucky(_: object) -> None:
        raise UnknownPackages(7, ["x"], 8)  # type: ignore[arg-type]  # no words can be made of it

    monkeypatch.setattr(records, "ending", unlucky)
    with engine.begin() as connection:
        connection.execute(schema.WORKFLOWS.update().values(status=status))
    index.repair(engine)
    with engine.connect() as connection:
        row = connection.execute(sa.select(*schema.UPDATES.c)).one()
    said = "what is stored of it is damaged: gm_analytics.errors.UnknownPackages"
    assert row.state == state
    assert row.message.startswith(said)


def test_text_that_is_not_utf_8_stops_nothing_and_is_logged(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    put(engine, "bad")
    put(engine, "good")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE workflow_status SET inputs = CAST(x'ff' AS TEXT) WHERE workflow_uuid = 'bad'"
        )
    assert set(listed(engine)) == {"bad", "good"}
    assert "index of updates: 'bad': what is stored of it is damaged" in caplog.text


def test_a_database_that_fails_makes_no_row_a_damaged_one(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("database is locked"))

    put(engine, "one")
    monkeypatch.setattr(index, "_row_of_dbos", away)
    with pytest.raises(sa.exc.OperationalError):
        index.repair(engine)
    monkeypatch.undo()
    assert listed(engine)["one"].update.number == 7


def test_the_id_and_the_mirror_are_the_row_s_own(engine: sa.Engine) -> None:
    put(engine, "mine", {"id": "another", "mirror": "west"})
    assert listed(engine)["mine"].update == Update("mine", "east", "o/r", 7, "a" * 40, 5.0)


# --- what merging would change by now -------------------------------------------------------

STANDING = Standing("o/r#7", 18, "1 added")


def ended_as(engine: sa.Engine, name: str, state: str, changed: str) -> None:
    put(engine, name, {"updated_at": changed}, status="SUCCESS", output=DONE)
    with engine.begin() as connection:
        index.store(connection, Update(name, "east", "o/r", 7, "a" * 40, 5.0, updated_at=changed))
        index.end(connection, name, state, "done")  # type: ignore[arg-type]  # a state


def note(engine: sa.Engine, standing: Standing = STANDING, mirror: str = "east") -> str | None:
    with engine.begin() as connection:
        row = standings.note(connection, mirror, standing)
        return row and records.indexed(row).id


def test_the_newest_preview_of_a_pull_request_keeps_what_merging_would_change(
    engine: sa.Engine,
) -> None:
    ended_as(engine, "old", "previewed", "2026-11-24T10:00:00Z")
    ended_as(engine, "new", "previewed", "2026-11-24T11:00:00Z")
    assert note(engine) == "new"
    store = Queries(engine, "test")
    found = {record.update.id: record.standing for record in store.recent(9)}
    assert found == {"old": None, "new": STANDING}
    assert note(engine, Standing("o/r#8", 18, "x")) is None
    assert note(engine, mirror="west") is None
    ended_as(engine, "newest", "closed", "2026-11-24T12:00:00Z")
    assert note(engine) is None, "its preview is gone"


def test_a_damaged_note_hides_no_update(engine: sa.Engine) -> None:
    ended_as(engine, "new", "previewed", "2026-11-24T11:00:00Z")
    with engine.begin() as connection:
        connection.execute(schema.UPDATES.update().values(standing="{"))
    assert [record.standing for record in Queries(engine, "test").recent(9)] == [None]
