"""What a worker leaves on a mirror of an update that was cancelled while it ran there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Self

import pytest

from gm_analytics.errors import Cancelled, GmError, LockHeld, MirrorUnreachable
from gm_analytics.pull_requests import performer as module
from gm_analytics.pull_requests.performer import Performer
from gm_analytics.remote.stop import Stop
from gm_analytics.updates.model import Update

ONE = Update("one", "m", "team/packages", 7, "a" * 40)
HELD = LockHeld("m", "/var/repo/.lock")


@dataclass
class Mirrors:
    """One mirror, which cannot be opened as often as there are errors."""

    errors: list[GmError]
    swept: list[str] = field(default_factory=list)

    def heard_by(self, _: object) -> Self:
        return self

    def stopped_by(self, _: Stop) -> Self:
        return self

    @contextmanager
    def open(self, name: str) -> Iterator[Any]:
        assert name == "m"
        if self.errors:
            raise self.errors.pop(0)
        yield SimpleNamespace(sweep=self.swept.append)


@dataclass(frozen=True)
class World:
    mirrors: Mirrors


class Step:
    """Is stopped while it runs."""

    def __init__(self) -> None:
        self.run = self
        self.telling = SimpleNamespace(line=print)

    def when_stopped(self, stop: Any) -> None:
        stop("cancelled by ana")


def cancelled(*errors: GmError) -> Mirrors:
    mirrors = Mirrors(list(errors))
    world: Any = World(mirrors)
    step: Any = Step()
    config: Any = None
    with pytest.raises(Cancelled):
        Performer(config, world, lambda _: 0)(ONE, step)
    return mirrors


@pytest.fixture(autouse=True)
def runs_on_the_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    def perform(*_: object) -> None:
        raise Cancelled("ana")

    monkeypatch.setattr(module, "perform", perform)
    monkeypatch.setattr(module.admission, "reason_to_ignore", lambda *_: None)


@pytest.mark.parametrize("times", [0, 1, module.LOCKINGS - 1])
def test_what_takes_its_time_to_end_is_waited_for(times: int) -> None:
    assert cancelled(*[HELD] * times).swept == ["one"]


def test_it_is_not_waited_for_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    mirrors = cancelled(*[HELD] * (module.LOCKINGS + 1))
    assert (mirrors.swept, mirrors.errors) == ([], [HELD])
    assert "update one: sweeping what is left of it: mirror m: locking" in caplog.text


def test_a_mirror_that_is_away_is_asked_once(caplog: pytest.LogCaptureFixture) -> None:
    mirrors = cancelled(MirrorUnreachable("m", "no route", "ssh m"), HELD)
    assert (mirrors.swept, mirrors.errors) == ([], [HELD])
    assert "update one: sweeping what is left of it: mirror m" in caplog.text
