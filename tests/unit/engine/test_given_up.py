"""What DBOS begins no more is told, noted, and told again if that failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from gm_analytics.engine import records, waiting
from gm_analytics.engine.client import Store
from gm_analytics.engine.given_up import GivenUp
from gm_analytics.engine.index import repair
from gm_analytics.engine.schema import UPDATES, WAITS, WORKFLOWS
from gm_analytics.errors import StoreUnavailable, TakenTooOften
from gm_analytics.updates.model import Outcome, Update
from gm_analytics.updates.waiting import Wait

ONE, OTHER = (Update(name, "east", "o/r", 7, "a" * 40, 5.0) for name in ("one", "other"))


class Told(list[Update]):
    """Who was told, unless that is out of order."""

    failing = False

    def __call__(self, update: Update, outcome: Outcome | None) -> None:
        assert outcome is None
        if self.failing:
            raise StoreUnavailable("storing feedback", "it is away")
        self.append(update)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Have two updates in the store, of which one is given up while it had waited before."""
    with closing(Store(f"sqlite:///{tmp_path}/store.sqlite")) as found:
        for update in (ONE, OTHER):
            found.enqueue(update)
        with found._engine.begin() as connection:
            waiting.park(connection, ONE, Wait("mirror", "gone", 1.0, 2.0, 1))
            this = WORKFLOWS.c.workflow_uuid == ONE.id
            connection.execute(WORKFLOWS.update().where(this).values(status=records.GIVEN_UP))
        yield found


def ended(store: Store) -> dict[str, str]:
    """Give the messages of those whose end the index has."""
    query = sa.select(UPDATES.c.workflow_id, UPDATES.c.message)
    with store._engine.connect() as connection:
        rows = connection.execute(query.where(UPDATES.c.ended_at.is_not(None)))
        return {row.workflow_id: row.message for row in rows}


def test_it_is_told_once_and_waits_for_nothing_any_more(store: Store, told: Told) -> None:
    look = GivenUp(store._engine, told).look
    assert (look(), look()) == (1, 0)
    assert told == [ONE]
    assert ended(store) == {"one": str(TakenTooOften())}
    found = store.get("one")[0]
    assert (found.state, type(found.error)) == ("failed", TakenTooOften)
    with store._engine.connect() as connection:
        assert not connection.execute(sa.select(WAITS)).all()
    assert store.retry("one"), "as its hint says"
    assert store.get("one")[0].state == "waiting"


def test_it_is_noted_by_who_has_it_told_and_nobody_before(store: Store, told: Told) -> None:
    with store._engine.begin() as connection:
        waiting.forget(connection, ONE.id)
    repair(store._engine)
    assert not ended(store), "a worker that starts leaves it to be told"
    told.failing = True
    with pytest.raises(StoreUnavailable):
        GivenUp(store._engine, told).look()
    assert not ended(store)
    told.failing = False
    assert GivenUp(store._engine, told).look() == 1
    assert told == [ONE]


def test_values_that_cannot_be_read_are_noted_and_nobody_is_told(store: Store, told: Told) -> None:
    with store._engine.begin() as connection:
        connection.execute(UPDATES.update().values(update_values="{"))
    assert GivenUp(store._engine, told).look() == 1
    assert not told
    assert set(ended(store)) == {"one"}
