"""What a person sees of an update that runs: on a terminal, in a pipe, from another process."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gm_analytics.cli.progress import Screen, _Followed
from gm_analytics.updates.model import Record, StepRecord, Update
from gm_analytics.updates.progress import (
    Event,
    Now,
    OutputLine,
    PackagesDone,
    StepEnded,
    StepStarted,
    Telling,
    UpdateEnded,
)

EVENTS: list[Event] = [
    StepStarted("download", 5.0),
    OutputLine("(1/3): tree.rpm"),
    PackagesDone(1, 3),
    StepEnded("download", 1.5),
    UpdateEnded("published", "1 package"),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_pipe_each_event_is_a_line() -> None:
    out = io.StringIO()
    Screen(out).hear(EVENTS)
    assert out.getvalue() == "download …\n  (1/3): tree.rpm\ndownload: 1.50 s\n"


def test_on_a_terminal_one_line_is_rewritten_and_ended_steps_stay() -> None:
    out = Terminal()
    screen = Screen(out)
    screen.hear(EVENTS[:3])
    assert out.getvalue() == "\r\x1b[Kdownload … 1 of 3 packages: (1/3): tree.rpm"
    screen.hear(EVENTS[3:])
    assert out.getvalue().endswith("\r\x1b[Kdownload: 1.50 s\n\r\x1b[K")


def test_a_long_line_stays_one_line_of_the_terminal() -> None:
    out = Terminal()
    Screen(out).hear([StepStarted("download", 5.0), OutputLine("x" * 500)])
    assert len(out.getvalue().removeprefix("\r\x1b[K")) < 500
    assert "\n" not in out.getvalue()


def test_who_follows_sees_the_same_of_what_the_store_has() -> None:
    out = io.StringIO()
    followed = _Followed(Screen(out))
    record = Record(Update("u", "m"), "running", "running", 1.0, 1.0, None)
    now = Now("download", 5.0, 1, 3, ("(1/3): tree.rpm",), 1)
    followed.show(record, None)
    followed.show(record, now)
    followed.show(record, now)
    now = replace(now, lines=("(1/3): tree.rpm", "(2/3): nmap.rpm"), said=2)
    followed.show(record, now)
    ended = replace(record, steps=(StepRecord("download", 5.0, 6.5),))
    followed.show(ended, now)  # the store is a moment late
    followed.show(replace(ended, state="published"), None)
    assert out.getvalue().splitlines() == [
        "download …",
        "  (1/3): tree.rpm",
        "  (2/3): nmap.rpm",
        "download: 1.50 s",
    ]


def test_a_retry_is_followed_from_its_beginning() -> None:
    out = io.StringIO()
    followed = _Followed(Screen(out))
    record = Record(Update("u", "m"), "running", "running", 1.0, 1.0, None)
    followed.show(record, Now("prove", 5.0, lines=("a", "b", "c"), said=3))
    followed.show(record, Now("download", 9.0, lines=("d",), said=1))
    assert out.getvalue().splitlines() == ["prove …", "  a", "  b", "  c", "download …", "  d"]


class Listener:
    pause = 0.0

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def hear(self, events: Sequence[Event]) -> None:
        self.heard += events


def test_a_download_shows_what_came_of_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    listener, out = Listener(), Terminal()
    with Telling((listener,), patience=10) as telling:
        with telling.step("download"):
            telling.line("Total download size: 10 M")
            telling.line("(1/3): tree-1.8.0-10.el9.x86_64.rpm   1.2 MB/s | 512 kB     00:00")
            telling.line("(2/3): nmap-7.92-1.el9.x86_64.rpm     1.2 MB/s | 2.0 MB     00:00")
        with telling.step("download"):
            telling.line("(1/3): tree-1.8.0-10.el9.x86_64.rpm   1.2 MB/s | 512 kB     00:00")
    counts = [event for event in listener.heard if isinstance(event, PackagesDone)]
    assert counts == [
        PackagesDone(1, 3, 524_288, 10_485_760),
        PackagesDone(2, 3, 2_621_440, 10_485_760),
        PackagesDone(1, 3),
    ]
    Screen(out).hear([StepStarted("download", 1.0), counts[1]])
    assert out.getvalue().endswith("download … 2 of 3 packages, 2.62 MB of 10.5 MB")
    Screen(out).hear([StepStarted("download", 1.0), PackagesDone(1, 1)])
    assert out.getvalue().endswith("download … 1 of 1 package")


def test_what_is_silenced_shows_no_more_and_holds_up_nobody() -> None:
    out = Terminal()
    screen = Screen(out)
    screen.hear(EVENTS[:2])
    before = out.getvalue()
    screen.silence()
    screen.hear(EVENTS[2:])
    assert out.getvalue() == before
    screen = Screen(out)
    with screen._writing:  # a terminal that takes nothing, say
        thread = threading.Thread(target=screen.silence)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
