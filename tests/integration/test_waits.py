"""What waits in the store: it holds nothing, any worker runs it again, and it ends as asked.

`Away` is work whose mirror is away for as long as a test wants, `Time` a clock that a test turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from gm_analytics.engine import index, unseen, waiting
from gm_analytics.engine.client import Store
from gm_analytics.engine.schema import UNSEEN, UPDATES, WAITS, WORKFLOWS
from gm_analytics.engine.steps import DurableStep
from gm_analytics.engine.worker import worker
from gm_analytics.errors import (
    GitHubUnavailable,
    LockHeld,
    MirrorUnreachable,
    NotVisible,
    UpstreamUnavailable,
)
from gm_analytics.updates.model import Outcome, Record, Unseen, Update
from gm_analytics.updates.waiting import Retry
from lab.processes import wait_for

from .engine import EXECUTOR, await_ends, opened, sql, update, url

__all__ = ["url"]
GONE = MirrorUnreachable("east", "connection refused")


@dataclass
class Time:
    """A clock that runs ahead of the real one."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Away:
    """Performs updates in one step, which meets what is set for an update or its mirror."""

    store: Store
    meets: dict[str, Exception] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, work: Update, step: DurableStep) -> Outcome:
        def manifest() -> str:
            self.tried.append(work.id)
            for name in (work.id, work.mirror):
                if name in self.meets:
                    raise self.meets[name]
            return "tree"

        if self.store.is_superseded(work):
            return Outcome("superseded", "a newer one is there")
        step("fetch manifest", manifest)
        return Outcome("published", f"{work.id} done")

    def tell(self, work: Update, outcome: Outcome | None) -> None:
        self.told.append((work.id, outcome.state if outcome else "failed or waits"))


@contextmanager
def working(url: str, work: Away, clock: Time, retry: Retry | None = None) -> Iterator[None]:
    retry = retry or Retry(1, 60.0, 24.0)
    with worker(url, work, None, retry, EXECUTOR, tell=work.tell, clock=clock):
        yield


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with opened(url) as store:
        yield store


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    for room in (waiting, unseen):
        monkeypatch.setattr(room, "LOOK", 0.05)
    return Time()


def await_wait(store: Store, name: str, tries: int = 1) -> Record:
    def waits() -> Record | None:
        record = store.get(name)[0]
        return record if record.wait and record.wait.tries >= tries else None

    found = wait_for(waits, f"{name} to wait", 20)
    assert found
    return found


def test_what_is_away_is_waited_for_and_the_update_ends_as_asked(
    url: str, store: Store, clock: Time
) -> None:
    work = Away(store, {"east": GONE})
    with working(url, work, clock):
        store.enqueue(update("one"))
        store.enqueue(update("elsewhere", "west", number=2))
        assert await_ends(store, "elsewhere")["elsewhere"].state == "published"
        record = await_wait(store, "one")
        assert record.state == "waiting"
        assert record.wait
        assert (record.wait.waits_for, record.completed_at) == ("mirror", None)
        assert record.wait.next_try == pytest.approx(clock() + 60, abs=20)
        assert record.message.startswith("waiting for mirror east, next try 20")
        assert record.message.endswith("opening an SSH session: connection refused")
        assert "ssh" not in record.public_message.lower().replace("an ssh session", "")
        assert record.hint == GONE.hint
        assert [one.state for one in store.recent() if one.update.id == "one"] == ["waiting"]
        assert store.under_way() == {"waiting": 1, "running": 0}
        for hours in range(1, 6):
            clock.ahead += 620
            await_wait(store, "one", hours + 1)
        work.meets.clear()
        clock.ahead += 620
        assert await_ends(store, "one")["one"].message == "one done"
    assert work.tried.count("one") == 7
    assert work.told[-1] == ("one", "published")
    with sql(url) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(WAITS)) == 0


def test_it_fails_with_the_last_reason_once_that_was_long_enough(
    url: str, store: Store, clock: Time
) -> None:
    work = Away(store, {"east": GONE})
    with working(url, work, clock, Retry(1, 60.0, 1.0)):
        store.enqueue(update("one"))
        await_wait(store, "one")
        work.meets["east"] = LockHeld("east", "/var/repo/.lock")
        clock.ahead += 3600
        record = await_ends(store, "one")["one"]
    assert (record.state, record.message) == ("failed", str(work.meets["east"]))
    assert work.told == [("one", "failed or waits")] * 2


def test_what_waits_survives_its_worker(url: str, store: Store, clock: Time) -> None:
    work = Away(store, {"east": GONE})
    with working(url, work, clock):
        store.enqueue(update("one"))
        await_wait(store, "one")
    assert store.get("one")[0].state == "waiting"
    clock.ahead += 60
    work.meets.clear()
    with worker(url, work, None, Retry(1, 60.0), "another", tell=work.tell, clock=clock):
        assert await_ends(store, "one")["one"].state == "published"


def test_the_first_success_on_a_mirror_wakes_who_waits_for_it(
    url: str, store: Store, clock: Time
) -> None:
    limited = GitHubUnavailable("reading", "429", 1800.0)
    slow = UpstreamUnavailable("east", "resolving", "503")
    work = Away(store, {"one": GONE, "held": LockHeld("east", "x"), "far": GONE})
    work.meets |= {"limited": limited, "upstream": slow, "away": GitHubUnavailable("x", "502")}
    names = {"one": 1, "held": 2, "limited": 3, "upstream": 4, "away": 5}
    with working(url, work, clock):
        for name, number in names.items():
            store.enqueue(update(name, number=number))
        store.enqueue(update("far", "west", number=6))
        for name in (*names, "far"):
            await_wait(store, name)
        work.meets.clear()
        store.enqueue(update("newest", number=7))
        ends = await_ends(store, "newest", "one", "held", "away")
        assert {record.state for record in ends.values()} == {"published"}
        left = {name: store.get(name)[0].wait for name in ("limited", "upstream", "far")}
        assert all(left.values()), "GitHub asked to wait; the others wait for something else"
        clock.ahead += 1801
        assert await_ends(store, "limited", "upstream", "far")["limited"].state == "published"


def test_a_newer_event_ends_the_wait_and_is_never_undone(
    url: str, store: Store, clock: Time
) -> None:
    work = Away(store, {"old": GONE})
    with working(url, work, clock):
        store.enqueue(update("old", at=1))
        await_wait(store, "old")
        store.enqueue(update("new", at=2))
        ends = await_ends(store, "old", "new")
    assert {name: record.state for name, record in ends.items()} == {
        "old": "superseded", "new": "published",
    }  # fmt: skip
    assert work.tried.count("old") == 1


def test_one_that_waits_itself_supersedes_what_is_older(
    url: str, store: Store, clock: Time
) -> None:
    work = Away(store, {"old": GONE, "new": GONE})
    with working(url, work, clock):
        store.enqueue(update("old", at=1))
        await_wait(store, "old")
        store.enqueue(update("new", at=2))
        await_wait(store, "new")
        assert await_ends(store, "old")["old"].state == "superseded"
        work.meets.clear()
        clock.ahead += 60
        assert await_ends(store, "new")["new"].state == "published"


@pytest.mark.parametrize("how", ["retry", "redelivery"])
def test_a_person_ends_the_wait(url: str, store: Store, clock: Time, how: str) -> None:
    work = Away(store, {"east": GONE})
    with working(url, work, clock):
        store.enqueue(update("one"))
        await_wait(store, "one")
        work.meets.clear()
        assert store.retry("one") if how == "retry" else store.enqueue(update("one"))
        assert await_ends(store, "one")["one"].state == "published"
        assert not store.retry("one")


def test_two_workers_run_what_is_due_once(url: str, store: Store, clock: Time) -> None:
    """The second has the same row before its eyes as the first."""
    work = Away(store, {"east": GONE})
    with working(url, work, clock):
        store.enqueue(update("one"))
        await_wait(store, "one")
    clock.ahead += 60
    woken: list[str] = []
    one, other = (
        waiting.Waits(store._engine, lambda name, _: not woken.append(name), clock)
        for _ in range(2)
    )
    seen = other._due()
    assert [name for name, *_ in seen] == ["one"]
    assert one.look() == 1
    assert [other._wake(*row) for row in seen] == [False]
    assert woken == ["one"]
    clock.ahead += waiting.CLAIM
    assert other.look() == 1, "one that was claimed and not run is taken by another"


def test_a_wait_that_is_noted_twice_ends_the_same(
    url: str, store: Store, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash between the note and DBOS's record: the attempt is replayed to its end."""
    work = Away(store, {"east": GONE})
    monkeypatch.setattr(waiting, "LOOK", 60.0)  # else it may be woken before it is taken back
    with working(url, work, clock, Retry(3, 0.01)):
        store.enqueue(update("one"))
        await_wait(store, "one")
        tried = len(work.tried)
        wait_for(lambda: _status(url) == "ERROR", "DBOS to record its end", 20)
        with sql(url) as connection:
            connection.exec_driver_sql(_reopened(url))
        monkeypatch.undo()
    with working(url, work, clock, Retry(3, 5.0)):
        wait_for(lambda: store.get("one")[0].wait, "it to wait again", 20)
        assert len(work.tried) == tried, "its steps were recorded"
        work.meets.clear()
        clock.ahead += 600
        assert await_ends(store, "one")["one"].state == "published"


def _status(url: str) -> str:
    query = sa.select(WORKFLOWS.c.status).where(WORKFLOWS.c.workflow_uuid == "one")
    with sql(url) as connection:
        return str(connection.scalar(query))


def _reopened(url: str) -> str:
    """Give the statement that leaves a workflow as a crash before its end would."""
    table = "workflow_status" if url.startswith("sqlite") else "dbos.workflow_status"
    return f"UPDATE {table} SET status = 'PENDING', completed_at = NULL, error = NULL"  # noqa: S608


# --- what clients see -----------------------------------------------------------------------


def test_what_clients_do_not_see_is_looked_at_again_and_then_told(
    url: str, store: Store, clock: Time
) -> None:
    seen: list[str] = []

    def see(mirror: str, repomd: str, preview: int | None) -> None:
        assert (mirror, preview) == ("east", None)
        if repomd not in seen:
            raise NotVisible(mirror, "http://east/repo/", "503")

    def perform(work: Update, _: DurableStep) -> Outcome:
        done = Outcome("published", "done", warnings=("another",))
        return done.not_seen(Unseen(f"repomd of {work.id}", None, "503"))

    work = Away(store)
    begun = {"tell": work.tell, "clock": clock, "see": see}
    with worker(url, perform, None, Retry(1, 60.0, 24.0), EXECUTOR, **begun):  # type: ignore[arg-type]
        store.enqueue(update("one"))
        record = await_ends(store, "one")["one"]
        assert record.outcome
        assert record.outcome.warnings[1].startswith("clients may not see it yet")
        wait_for(lambda: looks_of(url) == {"one": 1}, "a first look", 20)
        clock.ahead += 60
        wait_for(lambda: looks_of(url) == {"one": 2}, "a second look", 20)
        assert work.told == [("one", "published")]
        seen.append("repomd of one")
        clock.ahead += 120
        wait_for(lambda: not looks_of(url), "the last look", 20)
        assert store.get("one")[0].outcome == Outcome("published", "done", warnings=("another",))
        assert work.told[1:] == [("one", "failed or waits")], "it is told as it is then"

        store.enqueue(update("two", number=2))
        await_ends(store, "two")
        store.enqueue(update("three", number=3))
        await_ends(store, "three")
        wait_for(lambda: set(looks_of(url)) == {"three"}, "the newer one to be served", 20)


def looks_of(url: str) -> dict[str, int]:
    with sql(url) as connection:
        rows = connection.execute(sa.select(UNSEEN.c.workflow_id, UNSEEN.c.looks))
        return {row.workflow_id: row.looks for row in rows}


# --- the database ---------------------------------------------------------------------------


def failing(times: int, act: Callable[..., object]) -> Callable[..., object]:
    left = [times]

    def sometimes(*arguments: object) -> object:
        if left[0]:
            left[0] -= 1
            raise OperationalError("SELECT", {}, Exception("server closed the connection"))
        return act(*arguments)

    return sometimes


@pytest.mark.parametrize("function", ["partition", "start", "end"])
def test_a_database_that_is_away_for_a_moment_ends_no_update(
    url: str, store: Store, clock: Time, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    monkeypatch.setattr(index, function, failing(1, getattr(index, function)))
    work = Away(store)
    with working(url, work, clock):
        store.enqueue(update("one"))
        assert await_ends(store, "one")["one"].state == "published"
    assert work.told == [("one", "published")]
    with sql(url) as connection:
        assert connection.scalar(sa.select(UPDATES.c.state)) == "published"


def test_an_error_of_the_database_in_the_middle_is_waited_for(
    url: str, store: Store, clock: Time
) -> None:
    work = Away(store, {"one": OperationalError("INSERT", {}, Exception("disk I/O error"))})
    with working(url, work, clock):
        store.enqueue(update("one"))
        record = await_wait(store, "one")
        assert record.wait
        assert record.wait.waits_for == "store"
        work.meets.clear()
        clock.ahead += 60
        assert await_ends(store, "one")["one"].state == "published"


# --- defects --------------------------------------------------------------------------------


def test_a_defect_is_logged_with_its_trace_told_and_noted(
    url: str, store: Store, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    work = Away(store, {"one": KeyError("repomd")})
    with working(url, work, clock):
        store.enqueue(update("one"))
        record = await_ends(store, "one")["one"]
    assert (record.state, record.message) == ("failed", "unexpected KeyError: 'repomd'")
    assert work.told == [("one", "failed or waits")]
    said = [found for found in caplog.records if "update one: failed" in found.getMessage()]
    assert [found.exc_info is not None for found in said] == [True]
    assert "in manifest" in caplog.text
    with sql(url) as connection:
        assert connection.scalar(sa.select(UPDATES.c.ended_at)) is not None


def test_an_error_of_ours_needs_no_trace(
    url: str, store: Store, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    work = Away(store, {"one": LockHeld("east", "x")})
    with working(url, work, clock, Retry(1, 60.0, 0)):
        store.enqueue(update("one"))
        await_ends(store, "one")
    assert "Traceback" not in caplog.text
