"""What the store keeps, and what it costs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa
from dbos._schemas.system_database import SystemSchema

from gm_analytics import settings
from gm_analytics.engine import housekeeping, output
from gm_analytics.engine.database import connect
from gm_analytics.engine.handover import FEEDBACK
from gm_analytics.engine.lease_tables import REQUESTS
from gm_analytics.engine.schema import PROGRESS, UNSEEN, UPDATES, WAITS, WORKFLOWS
from gm_analytics.engine.worker import worker
from gm_analytics.manifest import Manifest
from gm_analytics.operations.by_hand import ByHand
from gm_analytics.rpm.package import Package
from gm_analytics.updates.model import MERGE, Outcome, Update
from gm_analytics.updates.ports import World
from gm_analytics.updates.progress import Said
from gm_analytics.updates.story import perform
from gm_analytics.updates.waiting import Retry
from tests.support.mirror import MemoryMirrors, Offered, State, offering

from .engine import EXECUTOR, Work, await_ends, opened, sql, update, url, working

__all__ = ["url"]
ENTRIES = 60
PACKAGES = 750
MAX_STORED = 150_000
"""Bytes of an update that publishes `PACKAGES`; they were 1.2 million."""


@dataclass(frozen=True)
class Wanted(Offered):
    """A package that half of the manifest needs, as a library is."""

    @property
    def package(self) -> Package:
        wanted = tuple(sorted(f"lib{number:04d}" for number in range(0, ENTRIES, 2)))
        return replace(super().package, source="baseos", wanted=wanted)


def large() -> tuple[Manifest, MemoryMirrors]:
    names = [f"lib{number:04d}" for number in range(PACKAGES)]
    upstream = offering(
        *(Wanted(name, tuple(names) if name == names[0] else ()) for name in names)
    )
    entries = [{"package_name": name, "installation_commands": name} for name in names[:ENTRIES]]
    manifest = Manifest.parse(json.dumps(entries).encode())
    return manifest, MemoryMirrors({"east": State(upstream=upstream)})


def performing(manifest: Manifest, mirrors: MemoryMirrors) -> Callable[..., Outcome]:
    world = World(ByHand(manifest), mirrors)
    return lambda work, step: perform(work, world, step)


def stored_bytes(url: str) -> int:
    """Count what DBOS and the index have of all updates."""
    payloads = (
        (SystemSchema.workflow_input, "inputs"),
        (SystemSchema.workflow_output, "output"),
        (SystemSchema.operation_outputs, "output"),
    )
    with sql(url) as connection:
        found = [
            connection.scalar(sa.select(sa.func.sum(sa.func.length(table.c[column])))) or 0
            for table, column in payloads
        ]
        index = sa.func.sum(sa.func.length(UPDATES.c.update_values))
        return int(sum(found) + connection.scalars(sa.select(index)).one())


def test_a_closure_of_hundreds_of_packages_is_stored_in_little_room(url: str) -> None:
    manifest, mirrors = large()
    merged: Update = update("one", aim=MERGE)
    with opened(url) as store:
        store.enqueue(merged)
        with worker(url, performing(manifest, mirrors), None, Retry(1, 0.01), EXECUTOR):
            found = await_ends(store, "one")["one"]
        assert (found.state, len(found.outcome.added if found.outcome else ())) == (
            "published", PACKAGES,
        ), found.message  # fmt: skip
        assert 20_000 < stored_bytes(url) < MAX_STORED


# --- what goes ------------------------------------------------------------------------------

OLD = 100 * housekeeping.DAY


def age(url: str, *names: str) -> None:
    """Have updates, or all, ended a hundred days ago."""
    with sql(url) as connection:
        old = {"accepted_at": UPDATES.c.accepted_at - OLD, "ended_at": UPDATES.c.ended_at - OLD}
        some = UPDATES.c.workflow_id.in_(names) if names else sa.true()
        connection.execute(UPDATES.update().where(some).values(old))
        told = WORKFLOWS.c.completed_at - int(OLD * 1000)
        connection.execute(WORKFLOWS.update().values(completed_at=told))


def await_feedback(url: str) -> None:
    query = sa.select(WORKFLOWS.c.status).where(WORKFLOWS.c.name == FEEDBACK)
    deadline, found = time.monotonic() + 30, [""]
    while set(found) != {"SUCCESS"}:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
        with sql(url) as connection:
            found = list(map(str, connection.scalars(query)))


def rows(url: str) -> set[str]:
    """Give the ids of which any table knows."""
    ours = (UPDATES, PROGRESS, WAITS, UNSEEN, REQUESTS)
    tables = (
        *((table, "workflow_id") for table in ours),
        (SystemSchema.workflow_status, "workflow_uuid"),
        (SystemSchema.workflow_input, "workflow_uuid"),
        (SystemSchema.workflow_output, "workflow_uuid"),
        (SystemSchema.operation_outputs, "workflow_uuid"),
    )
    with sql(url) as connection:
        found = [connection.scalars(sa.select(table.c[column])) for table, column in tables]
        return {str(one) for ids in found for one in ids}


def not_seen(url: str, *names: str) -> None:
    """Leave the finding that clients have not seen what these published."""
    row = {"mirror": "east", "repomd": "0" * 64, "preview": -1, "since": 1.0, "looks": 9}
    with sql(url) as connection:
        for name in names:
            connection.execute(UNSEEN.insert().values(workflow_id=name, next_look=9e9, **row))


def tidy(url: str, keep: housekeeping.Keep) -> int:
    engine = connect(url)
    try:
        return housekeeping.once(engine, keep)
    finally:
        engine.dispose()


def test_what_ended_long_ago_goes_but_for_what_something_names(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(housekeeping, "PAUSE", 0.0)
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    few = {"east": settings.Retention(publications=2, days=1)}
    names = [f"push-{number}" for number in range(6)]
    with opened(url) as store, working(url, Work({"push-1"})):
        for number, name in enumerate(names):
            store.enqueue(update(name, at=number))
            await_ends(store, name)
        store.enqueue(update("other", number=2))
        await_ends(store, "other")
        store.enqueue_feedback(update("other", number=2), ended=False)
        await_feedback(url)
        assert tidy(url, housekeeping.Keep(90, few)) == 0, "they are new"
        age(url)
        not_seen(url, "push-0", "push-5")
        say(url, time.time(), "push-0", "push-5")
        with caplog.at_level("INFO", housekeeping.__name__):
            assert tidy(url, housekeeping.Keep(101, few)) == 0
            assert tidy(url, housekeeping.Keep(99, few)) == 4
        assert [record.update.id for record in store.recent()] == ["push-5", "push-4", "other"]
        assert rows(url) == {"other", "push-4", "push-5"}
        assert [bool(store.output(name)) for name in ("push-0", "push-5")] == [False, True]
        assert "0 updates removed, and 1 that told" in caplog.text, "that goes after a week"
        assert "4 updates removed, and 0 that told" in caplog.text
        assert not store.is_superseded(update("push-5", at=5))
        assert store.is_superseded(update("late", at=4))


def say(url: str, at: float, *names: str) -> None:
    engine = connect(url)
    with engine.begin() as connection:
        for name in names:
            output.write(connection, name, Said("download", at, 1, ("x",)))
    engine.dispose()


def test_what_was_said_goes_by_age_and_by_number(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "PAUSE", 0.0)
    monkeypatch.setattr(output, "BATCH", 2)
    now, oldest = time.time(), time.time() - output.DAYS * housekeeping.DAY
    with opened(url) as store:
        say(url, oldest - 1, "a", "b", "c", "d", "e")
        say(url, oldest + 60, "f")
        for number, name in enumerate("ghi"):
            say(url, now + number, name)
        tidy(url, housekeeping.Keep())
        assert "".join(name for name in "abcdefghi" if store.output(name)) == "fghi"
        monkeypatch.setattr(output, "MOST", 2)
        tidy(url, housekeeping.Keep())
        assert "".join(name for name in "abcdefghi" if store.output(name)) == "hi"


def test_what_waits_or_runs_is_never_removed_however_old(url: str) -> None:
    with opened(url) as store:
        for number, name in enumerate(("one", "two")):
            store.enqueue(update(name, at=number))
        with sql(url) as connection:
            connection.execute(UPDATES.update().values(accepted_at=1.0, ended_at=2.0))
        assert tidy(url, housekeeping.Keep(1)) == 0
        with working(url):
            await_ends(store, "one", "two")
