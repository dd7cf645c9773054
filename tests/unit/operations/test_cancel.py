"""Cancelling: what the store answered, asked again until it is over, and who has it told."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from gm_analytics.engine.cancelling import Answer
from gm_analytics.operations import cancel
from gm_analytics.updates.model import Record, Update
from gm_analytics.updates.states import State

ONE = Update("one", "east", "o/r", 7)


def record(state: State) -> Record:
    return Record(ONE, state, state, 1.0, 2.0, None)


@dataclass
class Store:
    """Answers in turn, the last one on and on."""

    answers: list[Answer]
    state: State
    asked: list[str] = field(default_factory=list)

    def get(self, update_id: str) -> list[Record]:
        assert update_id == "one"
        return [record(self.state)]

    def cancel(self, update_id: str, asked_by: str) -> Answer:
        assert update_id == "one"
        self.asked.append(asked_by)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize(
    ("answers", "state", "expected", "told"),
    [
        (["cancelled"], "cancelled", "cancelled", 1),
        (["asked", "ended"], "cancelled", "cancelled", 0),
        (["asked", "asked", "cancelled"], "cancelled", "cancelled", 1),
        (["asked", "ended"], "published", "ended", 0),
        (["asked"], "running", "asked", 0),
        (["cancelled"], "waiting", "cancelled", 1),
    ],
)
def test_one_that_is_asked_for_is_asked_for_again_until_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
    answers: list[Answer],
    state: State,
    expected: Answer,
    told: int,
) -> None:
    """Its worker has it told; of what came to wait, or lost its worker, it is told here."""
    monkeypatch.setattr(cancel, "POLL", 0.001)
    store, heard = Store(answers, state), list[Update]()
    found = list(cancel.run(store, [record("running")], "ana", heard.append, patience=0.05))
    assert found == [(record(state), expected)]
    assert heard == [ONE] * told
    assert set(store.asked) == {"ana"}
