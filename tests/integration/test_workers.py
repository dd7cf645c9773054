"""Several workers on one store: what one leaves behind another has within its lease, once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gm_analytics.engine.client import Store
from gm_analytics.engine.lease_tables import LEASES
from gm_analytics.engine.schema import WORKFLOWS

from .crew import TIMING, Crew, Wire, crew
from .engine import await_ends, opened, sql, update, url

__all__ = ["url"]
LOAD = 8.0
"""Seconds that a busy machine may need beside what is measured."""


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with opened(url) as found:
        yield found


@pytest.fixture
def them(url: str, store: Store, tmp_path: Path) -> Iterator[Crew]:
    place = tmp_path / "mirror"
    place.mkdir()
    with crew(url, place) as found:
        yield found


def begin(store: Store, them: Crew, name: str = "one") -> None:
    """Have an update run in its first step."""
    store.enqueue(update(name))
    them.wait_for(lambda: any(line.startswith(f"{name} ") for line in them.lines("began")))


def taken_over(store: Store, them: Crew, most: float, name: str = "one") -> None:
    """See that another worker begins it within so many seconds, and publishes it once."""
    took = them.wait_for(lambda: len(them.lines("began")) == 2)
    assert took < most + LOAD
    them.let_go(name)
    assert await_ends(store, name)[name].state == "published"
    assert them.lines("published") == [name]
    first, second = (line.split()[1] for line in them.lines("began"))
    assert first != second


def test_an_orderly_end_leaves_its_work_to_the_other_at_once(store: Store, them: Crew) -> None:
    first = them.hire()
    begin(store, them)
    them.hire("there")
    first.terminate()
    taken_over(store, them, 1.0)
    assert first.wait(10) == 0
    assert them.lines("stopped") == ["the worker ends"]
    assert len(store.workforce().workers) == 1


def test_a_killed_worker_is_dead_at_once_for_others_on_its_machine(
    store: Store, them: Crew
) -> None:
    first = them.hire()
    begin(store, them)
    them.hire()
    first.kill()
    first.wait()
    taken_over(store, them, 2 * TIMING.beat)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_machine_that_is_gone_is_dead_when_its_lease_ends(store: Store, them: Crew) -> None:
    first = them.hire("there")
    begin(store, them)
    them.hire()
    first.kill()
    taken_over(store, them, TIMING.lasts + 2 * TIMING.beat)


def test_a_worker_that_was_only_stopped_does_no_harm_when_it_continues(
    store: Store, them: Crew
) -> None:
    first = them.hire("there")
    begin(store, them)
    them.hire()
    first.send_signal(signal.SIGSTOP)
    taken_over(store, them, TIMING.lasts + 2 * TIMING.beat)
    before = {worker.executor for worker in store.workforce().workers}
    first.send_signal(signal.SIGCONT)
    them.wait_for(lambda: len(store.workforce().workers) == 2)
    assert before < {worker.executor for worker in store.workforce().workers}, "it has another id"
    assert them.lines("published") == ["one"]
    assert [step.name for step in store.get("one")[0].steps] == ["download", "switch"]
    both_work_on(store, them)


def both_work_on(store: Store, them: Crew) -> None:
    """See that two mirrors are still served, and each update is published once."""
    for name, mirror in (("two", "east"), ("three", "west")):
        them.let_go(name)
        store.enqueue(update(name, mirror))
    await_ends(store, "two", "three")
    assert sorted(them.lines("published")) == ["one", "three", "two"]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_worker_whose_network_was_cut_stops_before_another_begins(
    store: Store, them: Crew
) -> None:
    address = sa.make_url(them.url)
    wire = Wire(address.port or 0)
    through = address.set(port=wire.port).render_as_string(hide_password=False)
    them.hire("there", through)
    begin(store, them)
    them.hire()
    wire.cut()
    them.wait_for(lambda: bool(them.lines("stopped")))
    assert len(them.lines("began")) == 1, "it stopped what it ran first"
    taken_over(store, them, TIMING.lasts + 2 * TIMING.beat)
    wire.heal()
    them.wait_for(lambda: len(store.workforce().workers) == 2)
    both_work_on(store, them)
    wire.close()


def test_a_worker_that_lost_its_lease_takes_another_and_goes_on(store: Store, them: Crew) -> None:
    them.hire()
    begin(store, them)
    with sql(them.url) as connection:
        connection.execute(LEASES.delete())
    them.wait_for(lambda: len(them.lines("began")) == 2)
    them.let_go("one")
    assert await_ends(store, "one")["one"].state == "published"
    assert them.lines("published") == ["one"]


# --- versions -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0", "2", None])
def test_what_another_version_stored_is_taken_over_where_no_worker_has_that_version(
    store: Store, them: Crew, version: str | None
) -> None:
    them.let_go("one")
    store.enqueue(update("one"))
    with sql(them.url) as connection:
        connection.execute(WORKFLOWS.update().values(application_version=version))
    them.hire()
    assert await_ends(store, "one")["one"].state == "published"


# --- cancelling -----------------------------------------------------------------------------


def test_what_waits_is_cancelled_at_once_and_retried_when_asked(store: Store, them: Crew) -> None:
    store.enqueue(update("one"))
    assert store.cancel("one", "ana") == "cancelled"
    assert store.cancel("one", "ana") == "ended"
    found = store.get("one")[0]
    assert (found.state, found.message) == ("cancelled", "cancelled by ana")
    assert (store.recent()[0].state, store.recent()[0].message) == (found.state, found.message)
    them.let_go("one")
    them.hire()
    assert store.retry("one")
    assert await_ends(store, "one")["one"].state == "published"
    assert store.cancel("one", "ana") == "ended"
    assert store.get("one")[0].state == "published"


def test_what_runs_is_stopped_before_the_mirror_s_next_update_begins(
    store: Store, them: Crew
) -> None:
    them.hire()
    begin(store, them)
    store.enqueue(update("two"))
    assert store.cancel("one", "ana") == "asked"
    found = await_ends(store, "one")["one"]
    assert (found.state, found.message) == ("cancelled", "cancelled by ana")
    assert them.lines("stopped") == ["cancelled by ana"]
    them.let_go("two")
    assert await_ends(store, "two")["two"].state == "published"
    them.let_go("one")
    assert store.retry("one"), "and the first wish is forgotten"
    assert await_ends(store, "one")["one"].state == "published"
    assert them.lines("published") == ["two", "one"]


def test_what_ran_on_a_worker_that_is_dead_is_cancelled_at_once(store: Store, them: Crew) -> None:
    first = them.hire("there")
    begin(store, them)
    first.kill()
    with sql(them.url) as connection:
        connection.execute(LEASES.update().values(ends_at=0.0))
    assert store.cancel("one", "ana") == "cancelled"
    them.let_go("one")
    them.hire()
    store.enqueue(update("two"))
    them.let_go("two")
    await_ends(store, "two")
    assert store.get("one")[0].state == "cancelled"
    assert them.lines("published") == ["two"]
