"""Events of an update: what listeners are told, and that none of them is in its way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from gm_analytics.errors import StoreUnavailable
from gm_analytics.operations.by_hand import DirectStep
from gm_analytics.updates.model import Outcome
from gm_analytics.updates.progress import (
    KEPT,
    WAITING,
    Event,
    Now,
    OutputLine,
    PackagesDone,
    StepEnded,
    StepStarted,
    Telling,
    UpdateEnded,
)

PATIENCE = 30


class Heard:
    def __init__(self, pause: float = 0.0) -> None:
        self.pause = pause
        self.batches: list[list[Event]] = []

    def hear(self, events: Sequence[Event]) -> None:
        self.batches.append(list(events))

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch]


def told(tell: Callable[[Telling], object], pause: float = 0.0) -> Heard:
    listener = Heard(pause)
    with Telling([listener], PATIENCE) as telling:
        tell(telling)
    return listener


def test_a_step_tells_when_it_begins_and_ends_and_what_is_said_in_it() -> None:
    def tell(telling: Telling) -> None:
        def download(name: str) -> str:
            telling.line(f"(1/2): {name}.rpm   1 MB")
            return name

        assert DirectStep(telling)("download", download, "tree") == "tree"

    started, line, done, ended = told(tell).events
    assert isinstance(started, StepStarted)
    assert (started.step, line) == ("download", OutputLine("(1/2): tree.rpm   1 MB"))
    assert done == PackagesDone(1, 2)
    assert isinstance(ended, StepEnded)
    assert (ended.step, ended.error) == ("download", None)


def test_a_step_that_fails_says_why() -> None:
    def tell(telling: Telling) -> None:
        with pytest.raises(ZeroDivisionError):
            DirectStep(telling)("divide", divmod, 1, 0)

    *_, ended = told(tell).events
    assert isinstance(ended, StepEnded)
    assert ended.error
    assert "zero" in ended.error


def test_a_step_that_is_broken_off_has_not_ended() -> None:
    def tell(telling: Telling) -> None:
        with pytest.raises(KeyboardInterrupt), telling.step("download"):
            raise KeyboardInterrupt

    assert [type(event) for event in told(tell).events] == [StepStarted]


def test_the_end_of_an_update_is_told() -> None:
    good = told(lambda telling: telling.of(lambda: Outcome("published", "1 package")))
    assert good.events == [UpdateEnded("published", "1 package")]

    def tell(telling: Telling) -> None:
        def fail() -> Outcome:
            raise error

        with pytest.raises(StoreUnavailable):
            telling.of(fail)

    error = StoreUnavailable("reading", "no luck")
    assert told(tell).events == [UpdateEnded("failed", str(error))]


def test_events_gather_during_a_listeners_pause() -> None:
    def tell(telling: Telling) -> None:
        for number in range(5):
            telling.line(str(number))

    assert len(told(tell, pause=3600).batches) == 1, "the end of the block ends the pause, too"


def test_a_listener_that_fails_fails_nothing_and_is_told_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(Heard):
        def hear(self, events: Sequence[Event]) -> None:
            super().hear(events)
            raise RuntimeError("deaf")

    failing, listener = Failing(), Heard()
    with caplog.at_level(logging.WARNING), Telling([failing, listener], PATIENCE) as telling:
        for name in ("one", "two"):
            DirectStep(telling)(name, int)
    assert failing.events == listener.events
    assert "Failing: RuntimeError: deaf" in caplog.text


def test_a_listener_that_hangs_holds_up_nothing_and_its_queue_is_bounded() -> None:
    stuck, entered = threading.Event(), threading.Event()

    class Hanging(Heard):
        def hear(self, events: Sequence[Event]) -> None:
            super().hear(events)
            entered.set()
            stuck.wait(PATIENCE)

    hanging, listener = Hanging(), Heard()
    began = time.monotonic()
    with Telling([hanging, listener]) as telling:
        telling.line("first")
        assert entered.wait(PATIENCE)
        for _ in range(WAITING + 1):
            telling.line("x")
        telling.of(lambda: Outcome("published", "done"))
    assert time.monotonic() - began < PATIENCE / 2
    (ear, _) = telling._ears
    assert len(ear._waiting) == WAITING + 1, "all lines but one, and the end"
    assert isinstance(ear._waiting[-1], UpdateEnded)
    stuck.set()
    ear.await_end(PATIENCE)
    assert isinstance(hanging.events[-1], UpdateEnded)


def test_now_is_what_the_events_say() -> None:
    now = Now()
    for event in (
        StepStarted("download", 5.0),
        *(OutputLine(str(number)) for number in range(KEPT + 1)),
        PackagesDone(1, 3),
    ):
        now = now.after(event)
    assert (now.step, now.since, now.done, now.total) == ("download", 5.0, 1, 3)
    assert (now.lines[0], now.lines[-1], len(now.lines)) == ("1", str(KEPT), KEPT)
    assert now.said == KEPT + 1
    after = now.after(StepEnded("download", 1.0))
    assert (after.step, after.total, after.lines) == ("", 0, now.lines)
