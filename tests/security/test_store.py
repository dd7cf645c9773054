"""What somebody who can write to the database, or guesses at ids, gets out of the store.

A row of the database says itself how it is to be decoded, and DBOS knows pickle: reading one would
run code. A canary is pickled into every column that DBOS decodes.
"""

from __future__ import annotations

import base64
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dbos import DBOS
from dbos._schemas.system_database import SystemSchema

from gm_analytics.engine import codec, schema, serializer
from gm_analytics.engine.client import Store
from gm_analytics.engine.steps import DurableStep
from gm_analytics.errors import ForeignFormat, StoreUnavailable, UnknownUpdate
from gm_analytics.updates.model import Outcome, Update
from tests.integration.conftest import postgres
from tests.integration.engine import (
    EXECUTOR,
    Work,
    await_ends,
    opened,
    sql,
    update,
    url,
    working,
)

__all__ = ["postgres", "url"]
PICKLE = "py_pickle"
ENDED = ("bad-output", "bad-error", "bad-old-output")
WAITING = (
    "bad-input",
    "bad-old-input",
    "bad-unknown",
    "bad-unnamed",
    "bad-portable",
    "bad-shape",
)


class Canary:
    """Touches a file when it is read from a pickle."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[str]:
    """A pickle as DBOS stores it; nobody may have read it when the test ends."""
    path = tmp_path / "canary"
    text = base64.b64encode(pickle.dumps(Canary(path))).decode()
    pickle.loads(base64.b64decode(text))  # noqa: S301
    assert path.exists(), "it sings"
    path.unlink()
    yield text
    assert not path.exists()


@pytest.fixture
def poisoned(url: str, canary: str) -> str:
    """A store with a canary in every column that DBOS decodes, and good updates behind them."""
    with opened(url) as store:
        for number, name in enumerate(ENDED):
            store.enqueue(update(name, f"ended{number}", at=number))
        store.enqueue(update("bad-steps", "steps", at=10))
        with working(url):
            await_ends(store, *ENDED, "bad-steps")
        for number, name in enumerate(WAITING):
            store.enqueue(update(name, f"waiting{number}", at=20 + number))
            store.enqueue(update(f"behind-{name}", f"waiting{number}", at=30 + number))
        store.enqueue(update("bad-running", "running", at=40))
        store.enqueue(update("behind-bad-running", "running", at=41))
        store.enqueue(update("bad-mail", "mail", at=42))
    with sql(url) as connection:
        _poison(connection, canary)
    return url


def _poison(connection: sa.Connection, canary: str) -> None:
    tables = SystemSchema

    def change(table: sa.Table, name: str, **values: Any) -> None:
        connection.execute(table.update().where(table.c.workflow_uuid == name).values(values))

    for name in (*ENDED, *WAITING, "bad-running"):
        change(tables.workflow_status, name, serialization=PICKLE)
    change(tables.workflow_status, "bad-unknown", serialization="java_jackson")
    change(tables.workflow_status, "bad-unnamed", serialization=None)
    change(tables.workflow_status, "bad-portable", serialization="portable_json")
    change(tables.workflow_status, "bad-shape", serialization=codec.FORMAT)
    change(tables.workflow_input, "bad-shape", inputs="null")
    change(tables.workflow_output, "bad-output", output=canary)
    change(tables.workflow_status, "bad-error", status="ERROR")
    change(tables.workflow_output, "bad-error", output=None, error=canary)
    inline = tables.workflow_output.c.workflow_uuid == "bad-old-output"
    connection.execute(tables.workflow_output.delete().where(inline))
    change(tables.workflow_status, "bad-old-output", output=canary)
    for name in ("bad-input", "bad-unknown", "bad-unnamed", "bad-running"):
        change(tables.workflow_input, name, inputs=canary)
    inline = tables.workflow_input.c.workflow_uuid == "bad-old-input"
    connection.execute(tables.workflow_input.delete().where(inline))
    change(tables.workflow_status, "bad-old-input", inputs=canary)
    # One was running when its worker was killed, one had its first steps done.
    running = {"status": "PENDING", "executor_id": f"{EXECUTOR}-0", "started_at_epoch_ms": 1}
    change(tables.workflow_status, "bad-running", **running)
    change(tables.workflow_status, "bad-steps", **running)
    steps = tables.operation_outputs
    change(steps, "bad-steps", output=canary, error=None, serialization=PICKLE)
    second = steps.update().where(steps.c.workflow_uuid == "bad-steps", steps.c.function_id == 2)
    connection.execute(second.values(output=None, error=canary))
    value = {"value": canary, "serialization": PICKLE}
    event = {"workflow_uuid": "bad-mail", "key": "event", **value}
    connection.execute(tables.workflow_events.insert().values(event))
    connection.execute(tables.workflow_events_history.insert().values(function_id=1, **event))
    stream = {"workflow_uuid": "bad-mail", "key": "stream", "offset": 0, "function_id": 1}
    connection.execute(tables.streams.insert().values(**stream, **value))
    mail = {"destination_uuid": "bad-mail", "topic": "mail", "message": canary}
    mail |= {"message_uuid": "1", "serialization": PICKLE}
    connection.execute(tables.notifications.insert().values(created_at_epoch_ms=1, **mail))
    # So that the migration indexes all of it, from DBOS's rows.
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql("DROP SCHEMA gm_analytics CASCADE")
        return
    for name in sa.inspect(connection).get_table_names():
        if name.startswith("gm_"):
            connection.exec_driver_sql(f"DROP TABLE {name}")


class Reading(Work):
    """Takes messages, events and streams out of the database too."""

    def __call__(self, work: Update, step: DurableStep) -> Outcome:
        if work.id == "bad-mail":
            with suppress(ForeignFormat):
                DBOS.get_event("bad-mail", "event", timeout_seconds=0)
            with suppress(ForeignFormat):
                list(DBOS.read_stream("bad-mail", "stream"))
            DBOS.recv("mail", timeout_seconds=0)
        return super().__call__(work, step)


def test_no_column_of_the_database_runs_code_in_a_worker(
    poisoned: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    # DBOS's own logger does not propagate.
    logging.getLogger("dbos").addHandler(caplog.handler)
    with opened(poisoned) as store, working(poisoned, Reading()):
        behind = [f"behind-{name}" for name in (*WAITING, "bad-running")]
        ends = await_ends(store, *behind, *WAITING, "bad-running", "bad-steps", "bad-mail")
    logging.getLogger("dbos").removeHandler(caplog.handler)
    assert {ends[name].state for name in behind} == {"published"}
    for name, record in ends.items():
        if name not in behind:
            assert record.state == "failed", name
    refused = "store: reading a value: it was stored as py_pickle, which is refused"
    assert ends["bad-steps"].message == ends["bad-mail"].message == refused
    said = caplog.text
    for name in ("bad-input", "bad-old-input", "bad-running"):
        assert f"Error executing workflow {name}: {refused}" in said
    assert "update bad-steps: failed: " + refused in said


def test_no_column_of_the_database_runs_code_in_what_reads(poisoned: str) -> None:
    with opened(poisoned) as store:
        listed = {record.update.id: record.state for record in store.recent(100)}
        assert len(listed) == 19
        assert {listed[name] for name in ENDED} == {"failed"}
        assert {listed[name] for name in WAITING} == {"waiting"}
        for name in listed:
            record = store.get(name)[0]
            assert str(record) == str(store.whole(record))
        for name in ("bad-output", "bad-old-output"):
            assert "py_pickle, which is refused" in store.get(name)[0].message
        assert "py_pickle, which is refused" in str(store.get("bad-steps")[0].steps[-1].error)
        assert len(store.of_pull_request("icesi/packages#1")) == 9
        assert store.is_superseded(update("bad-steps", "steps", at=1))
        store.await_end("bad-output")
        assert store.retry("bad-error")
        assert not store.retry("bad-output")


def test_no_column_of_the_database_runs_code_through_dbos_s_own_client(poisoned: str) -> None:
    """Nothing of the service reads so today; what comes later may."""
    with opened(poisoned) as store:
        client = store._client
        assert len(client.list_workflows()) == 19
        refused: list[Callable[[], object]] = [
            lambda: client.get_event("bad-mail", "event", 0),
            lambda: list(client.read_stream("bad-mail", "stream")),
            lambda: client.retrieve_workflow("bad-output").get_result(),
            lambda: client.retrieve_workflow("bad-error").get_result(),
        ]
        for read in refused:
            with pytest.raises(ForeignFormat):
                read()
        assert [step["function_name"] for step in client.list_workflow_steps("bad-steps")]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_dbos_left_alone_does_run_it(poisoned: str, tmp_path: Path) -> None:
    """The control: if DBOS ends pickles itself, `refuse_pickles` may go."""
    program = "import sys; from dbos import *; DBOSClient(system_database_url=sys.argv[1])"
    reading = f"{program}.list_workflows(name='update', status='SUCCESS')"
    subprocess.run([sys.executable, "-c", reading, poisoned], check=True, timeout=60)
    (tmp_path / "canary").unlink()


def test_a_dbos_that_decodes_in_another_way_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deserialize_args(*_: object) -> None: ...

    monkeypatch.setattr(serializer._serialization, "deserialize_args", deserialize_args)
    with pytest.raises(StoreUnavailable, match="deserialize_args takes pickles"):
        Store(f"sqlite:///{tmp_path}/updates.sqlite")


@pytest.mark.parametrize("written_as", [PICKLE, "portable_json", "custom_serializer", ""])
def test_only_the_service_s_own_format_is_decoded(written_as: str) -> None:
    with pytest.raises(ForeignFormat):
        codec.decode("1", written_as)
    assert codec.decode("1", codec.FORMAT) == codec.decode("1", None) == 1


# --- look-ups -------------------------------------------------------------------------------

MANY = 400
SIZE = 64 * 1024


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Updates that have ended, with 25 MB of outputs, steps and inputs among them."""
    found = f"sqlite:///{tmp_path_factory.mktemp('history')}/updates.sqlite"
    names = [f"{number % 16:x}{number:035d}" for number in range(MANY)]
    output = codec.serialize({"state": "published", "message": "m", "added": ["x" * SIZE]})
    with opened(found) as store:
        for number, name in enumerate(names):
            store.enqueue(update(name, number=number, at=number % 60))
    rows = [{"workflow_uuid": name, "retention_timestamp": 0} for name in names]
    with sql(found) as connection:
        connection.execute(SystemSchema.workflow_status.update().values(status="SUCCESS"))
        ended = {"state": "published", "message": "m", "ended_at": 1.0}
        connection.execute(schema.UPDATES.update().values(ended))
        for row in rows:
            connection.execute(
                SystemSchema.workflow_output.insert().values(row | {"output": output})
            )
            step = {"function_id": 1, "function_name": "download", "output": output}
            connection.execute(SystemSchema.operation_outputs.insert().values(row | step))
    return found


def _bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


ONE = f"b{11:035d}"
PAGES = 60 * 4096
"""Bytes of index and table pages."""


@pytest.mark.parametrize(
    ("look", "size"),
    [
        (lambda store: store.get(ONE), PAGES + 2 * SIZE),
        (lambda store: store.get("b"), PAGES),
        (lambda store: store.recent(20), PAGES),
        (lambda store: store.of_pull_request("icesi/packages#11"), PAGES),
        (lambda store: store.is_superseded(update("new", number=11)), PAGES),
        (lambda store: store.check(), PAGES),
    ],
    ids=["get", "get a prefix", "recent", "of_pull_request", "is_superseded", "check"],
)
def test_a_look_up_reads_only_what_it_names(
    history: str, look: Callable[[Store], object], size: int
) -> None:
    with opened(history) as store:
        plans: list[str] = []
        before = _bytes_read()
        with suppress(UnknownUpdate):
            look(store)
        assert _bytes_read() - before <= size

        def explain(_: object, cursor: Any, statement: str, values: Any, *__: object) -> None:
            found = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.extend(row[3] for row in found)

        sa.event.listen(store._engine, "after_cursor_execute", explain)
        with suppress(UnknownUpdate):
            look(store)
    assert plans
    scans = [plan for plan in plans if plan.startswith("SCAN") and "USING" not in plan]
    assert not scans, plans


def test_lists_ask_for_no_inputs_outputs_or_steps(history: str) -> None:
    asked: list[str] = []
    with opened(history) as store:
        listen = lambda *values: asked.append(values[2])  # noqa: E731
        sa.event.listen(store._engine, "after_cursor_execute", listen)
        assert len(store.recent(100)) == 100
        store.of_pull_request("icesi/packages#11")
        store.is_superseded(update("new", number=11))
        assert len(asked) == 3
        store.get(ONE)
        assert len(asked) == 6, "the update, its end, its steps"
    for statement in asked[:3]:
        assert not {"inputs", "output", "operation_outputs"} & set(
            statement.replace(".", " ").split()
        )
    assert "operation_outputs.output" not in " ".join(asked)


def test_a_prefix_of_an_id_is_unknown(history: str) -> None:
    with opened(history) as store:
        for name in ("b", ONE[:-1], "%", "_" * 36, ONE.upper()):
            with pytest.raises(UnknownUpdate):
                store.get(name)
        assert [record.update.id for record in store.get(ONE)] == [ONE]


@pytest.mark.parametrize(
    "name",
    ["", "-x", ".x", "a" * 101, "a@" + "m" * 101, "a b", "a\n", "a/b", "a@", "a@b@c", "é", "a\0"],
)
def test_what_is_no_id_is_unknown_without_a_query(history: str, name: str) -> None:
    with opened(history) as store:
        store._engine.dispose()
        sa.event.listen(store._engine, "do_connect", lambda *_: pytest.fail("it asked"))
        with pytest.raises(UnknownUpdate):
            store.get(name)


@pytest.mark.parametrize("name", ["a" * 100, "a" * 100 + "@" + "m" * 100, "0", "A.b_c-d@e+f:g"])
def test_the_longest_ids_are_asked_for(url: str, name: str) -> None:
    with opened(url) as store:
        store.enqueue(update(name))
        assert store.get(name)[0].update.id == name
