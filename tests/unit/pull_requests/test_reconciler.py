"""What a look at the forge gives to the intake, and in which order; and how a look is bounded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gm_analytics import settings
from gm_analytics.errors import GitHubError, GitHubUnavailable, StoreUnavailable
from gm_analytics.events import Event, Look, PullRequestEvent, PushEvent
from gm_analytics.github.watch import Page
from gm_analytics.pull_requests import reconciler as module
from gm_analytics.pull_requests.reconciler import MAX_PAGES, Reconciler, Seen, missed, pause
from gm_analytics.pull_requests.rules import Rules
from gm_analytics.updates.taken import Taken

NAME = "team/packages"
BEFORE, AFTER = "2026-11-26T09:00:00Z", "2026-11-26T10:00:00Z"
A, B, C = "a" * 40, "b" * 40, "c" * 40
RULES = Rules(frozenset({NAME}), publish="on_merge")
OPEN = PullRequestEvent(
    "pushed", "synchronize", 1, NAME, A, "main", "ana", "MEMBER", False, False,
    updated_at=AFTER, default_branch="main", repository_id=7,
)  # fmt: skip
MERGED = replace(OPEN, happened="merged", action="closed", merge_commit_sha=B, merged_at=AFTER)
CLOSED = replace(OPEN, happened="closed", action="closed")
PUSH = PushEvent(NAME, "main", C, AFTER, "main", 7, forced=True)
FIRST = Look("me", "", "")
LATER = Look("me", "2026-11-26T09:30:00Z", A, "2026-11-26T09:00:00Z")


def told(
    *pulls: PullRequestEvent,
    look: Look = LATER,
    rules: Rules = RULES,
    push: PushEvent | None = None,
    polls: bool = False,
) -> list[str]:
    """Give in words what was missed."""
    found = missed(Seen(pulls, push=push), look, rules, polls=polls)
    return [f"{event.happened} {event.number or event.base_ref}" for event in found]


# --- the decision ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pull", "first", "later"),
    [
        pytest.param(OPEN, ["pushed 1"], ["pushed 1"], id="open"),
        pytest.param(replace(OPEN, draft=True), ["pushed 1"], ["pushed 1"], id="a draft"),
        pytest.param(replace(OPEN, fork=True), ["pushed 1"], ["pushed 1"], id="a fork"),
        pytest.param(replace(OPEN, base_ref="next"), [], ["retargeted 1"], id="another base"),
        pytest.param(CLOSED, [], ["closed 1"], id="closed"),
        pytest.param(MERGED, [], ["merged 1"], id="merged"),
        pytest.param(replace(MERGED, merged_at=BEFORE), [], [], id="merged before the first look"),
    ],
)
def test_a_pull_request_is_told_as_what_it_is_at(
    pull: PullRequestEvent, first: list[str], later: list[str]
) -> None:
    """The rules and the intake decide on drafts, forks, authors, and on what is known."""
    assert told(pull, look=FIRST) == first
    assert told(pull) == later


def test_where_nothing_is_taken_away_another_base_is_no_end() -> None:
    rules = replace(RULES, publish="on_pull_request")
    assert told(replace(OPEN, base_ref="next"), rules=rules, look=FIRST) == ["pushed 1"]


@pytest.mark.parametrize(
    ("look", "polls", "expected"),
    [
        (FIRST, False, []),  # what was there before is no merge that a delivery would have told
        (FIRST, True, ["advanced main"]),
        (LATER, False, ["advanced main"]),
        (replace(FIRST, head=A), False, ["advanced main"]),  # an earlier version knew a merge
    ],
)
def test_another_head_of_the_branch_was_missed(
    look: Look, polls: bool, expected: list[str]
) -> None:
    assert told(look=look, polls=polls, push=PUSH) == expected


def test_a_head_that_a_merge_tells_of_is_told_once() -> None:
    assert told(MERGED, push=replace(PUSH, head_sha=B)) == ["merged 1"]
    assert told(MERGED, push=replace(PUSH, head_sha=B, branch="next")) == [
        "merged 1", "advanced next",
    ]  # fmt: skip


def test_what_was_missed_is_told_in_the_order_in_which_it_happened() -> None:
    def at(number: int, minute: int, event: PullRequestEvent) -> PullRequestEvent:
        when = f"2026-11-26T10:{minute:02}:00Z"
        merged = when if event.happened == "merged" else ""
        return replace(event, number=number, updated_at=when, merged_at=merged)

    pulls = [at(5, 9, OPEN), at(2, 3, CLOSED), at(9, 1, MERGED), at(4, 2, MERGED)]
    expected = ["merged 9", "merged 4", "closed 2", "pushed 5", "advanced main"]
    assert told(*pulls, push=PUSH) == expected
    # A comment moves `updated_at`, and not when it was merged.
    late = replace(at(9, 1, MERGED), updated_at="2026-11-26T11:00:00Z")
    assert told(*pulls[:2], late, pulls[3], push=PUSH) == expected


def test_of_a_pull_request_that_is_seen_twice_the_newer_look_counts() -> None:
    closed = replace(CLOSED, updated_at="2026-11-26T10:00:01Z")
    assert told(closed, OPEN) == told(OPEN, closed) == ["closed 1"]


# --- how often ------------------------------------------------------------------------------


def config(**more: Any) -> settings.Settings:
    mirror = {
        "name": "m", "identity_file": "/k", "known_hosts": "/h", "url": "http://m/repo/",
        "upstream": {"releasever": "9"},
    }  # fmt: skip
    webhook = {"secret": "s" * 16, "repositories": more.pop("repositories", [NAME])}
    values = {"webhook": webhook, "mirrors": [mirror], "publish": "on_merge", **more}
    return settings.Settings.model_validate(values)


def test_without_a_token_half_of_githubs_requests_are_left_to_updates() -> None:
    token = {"github": {"token": "t"}}
    assert pause(config(**token)) == 300.0
    assert pause(config(**token, reconcile_seconds=5)) == 5.0
    assert pause(config()) == 300.0
    assert pause(config(reconcile_seconds=5)) == 240.0, "two requests each, thirty an hour"
    many = [f"team/{number}" for number in range(5)]
    assert pause(config(publish="on_pull_request", repositories=many)) == 600.0


# --- looking --------------------------------------------------------------------------------


@dataclass
class Forge:
    """Gives pages, and writes down what it was asked."""

    pages: list[Page] = field(default_factory=lambda: [Page((OPEN,), AFTER)])
    asked: list[str] = field(default_factory=list)
    error: Exception | None = None
    newest: str = A

    def pull_requests(self, repository: str, state: str, page: str = "") -> Page:
        self.asked.append(f"{state} {page or 0}")
        if self.error:
            raise self.error
        number = int(page or 0)
        following = str(number + 1) if number + 1 < len(self.pages) else ""
        return replace(self.pages[number], following=following)

    def head(self, repository: str, branch: str | None) -> str:
        self.asked.append("head")
        return self.newest

    def pushed(self, repository: str, branch: str | None, head: str) -> PushEvent:
        self.asked.append("pushed")
        return replace(PUSH, head_sha=head)


@dataclass
class Looks:
    """Remembers, as the database does."""

    kept: Look = LATER
    busy: bool = False
    pauses: list[float] = field(default_factory=list)

    def begin(self, repository: str, pause: float) -> Look | None:
        self.pauses.append(pause)
        return None if self.busy else self.kept

    def end(self, repository: str, look: Look) -> bool:
        self.kept = look
        return True


@dataclass
class Taker:
    """The intake: a failing one fails from the second event on."""

    fails: bool = False
    took: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> Taken:
        self.took.append(event)
        if self.fails and len(self.took) > 1:
            raise StoreUnavailable("storing an event", "away")
        return Taken("u1")


def made(
    forge: Forge, looks: Looks | None = None, taker: Taker | None = None, **more: Any
) -> Reconciler:
    values = {"github": {"token": "t"}, **more}
    return Reconciler(config(**values), forge, looks or Looks(), taker or Taker())


def test_a_look_costs_two_requests_and_remembers_what_it_saw() -> None:
    forge, looks = Forge(), Looks()
    assert made(forge, looks).look(NAME)
    assert forge.asked == ["all 0", "head"]
    assert looks.kept == replace(LATER, since=AFTER)
    assert looks.pauses == [270.0]


def test_a_repository_that_was_renamed_is_asked_for_under_its_name_of_today() -> None:
    asked: list[str] = []

    class Named(Forge):
        def pull_requests(self, repository: str, state: str, page: str = "") -> Page:
            asked.append(repository)
            return super().pull_requests(repository, state, page)

        def head(self, repository: str, branch: str | None) -> str:
            asked.append(repository)
            return A

    values = config(github={"token": "t"})
    called = {NAME: "team/renamed"}.__getitem__
    assert Reconciler(values, Named(), Looks(), Taker(), called).look(NAME)
    assert asked == ["team/renamed"] * 2


def test_only_another_head_costs_one_more() -> None:
    forge, looks = Forge(newest=C), Looks()
    made(forge, looks).look(NAME)
    assert forge.asked == ["all 0", "head", "pushed"]
    assert looks.kept.head == C


def test_additions_do_not_follow_a_branch() -> None:
    forge = Forge()
    made(forge, publish="on_pull_request").look(NAME)
    assert forge.asked == ["all 0"]


def test_the_first_look_of_a_process_sees_every_open_pull_request_and_is_not_put_off() -> None:
    forge, looks, old = Forge(), Looks(), replace(OPEN, updated_at="2020-01-01T00:00:00Z")
    forge.pages = [Page((OPEN, old), old.updated_at)]
    taker = Taker()
    made(forge, looks, taker).look(NAME, first=True)
    assert forge.asked == ["all 0", "open 0", "head"]
    assert looks.pauses == [0.0]
    assert len(taker.took) == 1, "one pull request is told once"


def test_a_repository_that_was_never_looked_at_has_no_ends(caplog: Any) -> None:
    forge, looks, taker = Forge(), Looks(FIRST), Taker()
    forge.pages = [Page((CLOSED, MERGED, replace(OPEN, number=2)), BEFORE)] * 2
    made(forge, looks, taker).look(NAME)
    assert [event.number for event in taker.took] == [2]
    assert looks.kept.since == AFTER
    assert "not all" not in caplog.text


def test_one_without_pull_requests_counts_from_then_on() -> None:
    forge, looks = Forge([Page(())]), Looks(FIRST)
    made(forge, looks).look(NAME)
    assert looks.kept.since == module.BEGINNING


@pytest.mark.parametrize("pages", [MAX_PAGES, MAX_PAGES + 1])
def test_pages_are_bounded_and_the_log_says_so(pages: int, caplog: Any) -> None:
    forge = Forge([Page((OPEN,), AFTER)] * pages)
    made(forge).look(NAME)
    assert len(forge.asked) == MAX_PAGES + 1
    assert ("not all all pull requests" in caplog.text) == (pages > MAX_PAGES)


def test_pages_end_at_what_was_seen_before() -> None:
    forge = Forge([Page((OPEN,), BEFORE)] * 3)
    made(forge).look(NAME)
    assert forge.asked == ["all 0", "head"]


def test_a_look_that_takes_too_long_asks_for_no_more_pages(monkeypatch: Any) -> None:
    forge = Forge([Page((OPEN,), AFTER)] * 3)
    monkeypatch.setattr(module, "MAX_SECONDS", -1.0)
    made(forge).look(NAME)
    assert forge.asked == ["all 0", "head"]


@pytest.mark.parametrize("where", ["github", "store"])
def test_what_breaks_off_begins_again_where_it_began(where: str) -> None:
    forge, looks, taker = Forge(), Looks(), Taker(fails=where == "store")
    forge.pages = [Page((OPEN, replace(OPEN, number=2)), AFTER)]
    forge.error = GitHubUnavailable("listing", "502") if where == "github" else None
    with pytest.raises((GitHubUnavailable, StoreUnavailable)):
        made(forge, looks, taker).look(NAME)
    assert looks.kept == LATER


def test_another_worker_s_look_is_left_alone() -> None:
    forge = Forge()
    assert not made(forge, Looks(busy=True)).look(NAME)
    assert forge.asked == []


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (GitHubUnavailable("listing", "429", 1800.0), 1800.0),
        (GitHubUnavailable("listing", "502"), 300.0),
        (GitHubError("listing", 404, "Not Found"), 300.0),
        (KeyError("a defect"), 300.0),
    ],
)
def test_nothing_that_goes_wrong_ends_it_and_rate_limits_are_obeyed(
    error: Exception, seconds: float, caplog: Any
) -> None:
    reconciler = made(Forge(error=error))
    assert reconciler._try(NAME, first=False) == (True, seconds)
    assert "reconciler: team/packages: " in caplog.text
    assert ("Traceback" in caplog.text) == isinstance(error, KeyError)


def test_at_its_start_a_worker_tries_soon_again_where_another_one_looks() -> None:
    reconciler = made(Forge(), Looks(busy=True))
    assert reconciler._try(NAME, first=True) == (False, module.BUSY)
    assert reconciler._try(NAME, first=False) == (False, 300.0)


@pytest.fixture
def running() -> Iterator[threading.Event]:
    stopped = threading.Event()
    yield stopped
    stopped.set()


def test_every_repository_is_looked_at_in_turn_and_the_log_says_how_often(
    running: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    forge, names = Forge(), [NAME, "team/other"]
    enough = threading.Event()

    class Counting(Looks):
        def begin(self, repository: str, pause: float) -> Look | None:
            seen.append((repository, pause))
            if len(seen) >= 4:
                enough.set()
            return super().begin(repository, pause)

    seen: list[tuple[str, float]] = []
    caplog.set_level(logging.INFO)
    reconciler = made(
        forge, Counting(), repositories=names, reconcile_seconds=0.01, publish="on_pull_request"
    )
    thread = threading.Thread(target=reconciler.run, args=[running], daemon=True)
    thread.start()
    assert enough.wait(10)
    running.set()
    thread.join(10)
    assert seen[:2] == [(NAME, 0.0), ("team/other", 0.0)]
    assert dict(seen[2:]) == dict.fromkeys(names, pytest.approx(0.009))
    assert "reconciler: 2 repositories, every 0.01 s" in caplog.text
    assert "without a token" not in caplog.text
