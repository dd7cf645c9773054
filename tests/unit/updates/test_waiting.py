"""Waiting is not failing: what is waited for, how long, and what a pull request is told of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import get_args

import pytest

from gm_analytics import errors
from gm_analytics.errors import GmError
from gm_analytics.updates import waiting
from gm_analytics.updates.waiting import Briefly, Patiently, Retry, Wait, after

AWAY = errors.MirrorUnreachable("m", "connection refused")
LIMITED = errors.GitHubUnavailable("reading", "429", 1800.0)
RETRY = Retry(6, 2.0, 24.0)
DAY = 24 * 3600.0


def waited(failure: GmError, retry: Retry = RETRY) -> list[Wait]:
    """Give each wait of an update that meets the same at each try."""
    found: list[Wait] = []
    now = 1000.0
    while len(found) < 1000 and (wait := after(failure, found[-1] if found else None, now, retry)):
        found.append(wait)
        now = wait.next_try
    return found


def test_what_time_or_a_person_may_bring_back_is_waited_for() -> None:
    named = {cls.__name__ for cls in subclasses(GmError) if cls.waits_for}
    assert named == {
        "MirrorUnreachable", "LockHeld", "CommandTimedOut", "UpstreamUnavailable", "NotVisible",
        "GitHubUnavailable", "StoreUnavailable", "Overtaken", "CommitUnknown", "LockLost",
        "CommandStopped", "KeyNotAccepted",
    }  # fmt: skip
    transient = {cls for cls in subclasses(GmError)[1:] if cls.transient}
    assert {cls.__name__ for cls in transient if not cls.waits_for} == {
        "TransientError", "TooManyDeliveries", "NoTunnel",
    }  # fmt: skip
    for final in (
        errors.HostKeyRefused("m", "changed"),
        errors.UnknownPackages("m", ["nope"]),
        errors.DiskFull("m", "/", 2, 1),
        errors.Unexpected("KeyError", "x"),
    ):
        assert after(final, None, 0.0, RETRY) is None


def subclasses(cls: type[GmError]) -> list[type[GmError]]:
    return [cls, *(deeper for child in cls.__subclasses__() for deeper in subclasses(child))]


def test_each_thing_that_is_waited_for_has_words() -> None:
    for what in get_args(errors.WaitsFor):
        assert waiting.known(what) == what
        assert Wait(what, "r", 0.0, 1.0, 1).what("east")
    assert waiting.known("of a newer version") is None


def test_pauses_grow_to_ten_minutes_and_last_a_day() -> None:
    waits = waited(AWAY)
    pauses = [b.next_try - a.next_try for a, b in pairwise(waits)]
    assert waits[0].next_try == 1000.0 + 64, "the attempt before had the shorter ones"
    assert pauses[:4] == [128, 256, 512, 600]
    assert max(pauses) == waiting.MAX_PAUSE
    assert waits[-1].next_try == 1000.0 + DAY, "the last try is at the end, and none is after it"
    assert {wait.since for wait in waits} == {1000.0}


def test_what_an_attempt_does_not_try_again_itself_begins_with_short_pauses() -> None:
    unlucky = waited(errors.GitHubUnavailable("reading", "502"))
    assert [wait.next_try - 1000.0 for wait in unlucky[:3]] == [2, 6, 14]


def test_github_is_not_called_before_the_time_that_it_asked_for() -> None:
    wait = after(LIMITED, None, 0.0, RETRY)
    assert wait is not None
    assert (wait.next_try, wait.not_before) == (1800.0, 1800.0)
    assert after(LIMITED, None, 0.0, replace(RETRY, hours=0.5)) == wait, "at the limit"
    assert after(LIMITED, None, 1.0, replace(RETRY, hours=0.5)) is not None
    assert after(LIMITED, wait, 1.0, replace(RETRY, hours=0.5)) is None, "one past it"


def test_another_thing_that_is_away_begins_again_and_the_day_does_not() -> None:
    before = waited(AWAY)[8]
    now = before.next_try
    other = after(errors.UpstreamUnavailable("m", "resolving", "503"), before, now, RETRY)
    assert other is not None
    assert (other.tries, other.next_try, other.since) == (1, now + 2, before.since)
    assert after(errors.LockHeld("m", "x"), before, before.since + DAY, RETRY) is None


def test_a_command_that_is_too_slow_each_time_fails_in_the_end() -> None:
    assert len(waited(errors.CommandTimedOut("m", "resolving", 1800))) == 6


def test_with_no_hours_nothing_is_waited_for() -> None:
    assert waited(AWAY, Retry(6, 2.0, 0)) == []


@pytest.mark.parametrize(
    ("wait", "worth"),
    [
        (Wait("mirror", "r", 0.0, 9.9, 1), False),
        (Wait("mirror", "r", 0.0, 10.0, 1), True),
        (Wait("mirror", "r", 0.0, 10.0, 2, told=True), True),
        (Wait("github", "r", 0.0, 10.0, 1), True),
        (Wait("github", "r", 0.0, 600.0, 2, told=True), False),
    ],
)
def test_a_pull_request_is_told_of_no_moments_and_github_once_that_it_is_away(
    wait: Wait, worth: bool
) -> None:
    assert waiting.is_worth_telling(wait, 0.0) is worth


def test_within_an_attempt_only_the_mirror_and_the_store_are_tried_again() -> None:
    pauses = Briefly(6, 2.0)
    assert [pauses.pause(AWAY, n, 0.0) for n in (1, 2, 5, 6)] == [2.0, 4.0, 32.0, None]
    for other in (LIMITED, errors.UpstreamUnavailable("m", "x", "503"), errors.NotVisible(*"mux")):
        assert pauses.pause(other, 1, 0.0) is None, "it would hold the mirror for nothing"


def test_feedback_is_tried_for_hours() -> None:
    pauses, slept, found = Patiently(2.0, 24.0), 0.0, 0
    gone = errors.GitHubUnavailable("commenting", "503")
    while (pause := pauses.pause(gone, found + 1, slept)) is not None:
        slept, found = slept + pause, found + 1
    assert DAY - waiting.MAX_PAUSE < slept <= DAY
    assert pauses.pause(LIMITED, 1, 0.0) == 1800.0
    assert pauses.pause(LIMITED, 20, 0.0) == 1800.0
