"""How pages tell of an update: its steps, its failure, what may be done, and where links lead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gm_analytics.errors import DiskFull, GmError, ManifestError, Obsoleted, Problem, Unresolvable
from gm_analytics.updates.model import (
    QUEUED,
    ROLLBACK,
    Aim,
    Outcome,
    Record,
    StepRecord,
    Update,
)
from gm_analytics.updates.progress import Now
from gm_analytics.updates.states import State
from gm_analytics.updates.waiting import Wait
from gm_analytics.updates.wishes import Wish
from gm_analytics.web import failure, rendering, timeline
from gm_analytics.web.links import Links
from gm_analytics.web.told import Told

LINKS = Links("https://github.com", {"east": "http://east/repo/"})
UPDATE = Update("one", "east", "icesi/packages", 8, "a" * 40)


def record(state: State = "running", *steps: str, aim: Aim | None = None, **more: Any) -> Record:
    done = tuple(StepRecord(name, 10.0, 12.5) for name in steps)
    update = replace(UPDATE, aim=aim) if aim else UPDATE
    return Record(update, state, "", 1.0, 10.0, None, steps=done, **more)


def states(found: Record, now: Now | None = None) -> list[tuple[str, str]]:
    return [(step.title, step.state) for step in timeline.steps(found, now)]


def test_a_timeline_has_what_was_what_is_and_what_is_to_come() -> None:
    found = states(record("running", "supersede", "fetch manifest", "survey"), Now("download"))
    assert [state for _, state in found[:4]] == ["done", "done", "done", "running"]
    assert found[3] == ("Resolve and download", "running")
    assert found[4:] == [
        (title, "pending")
        for title in ("Check each package", "Compare with what is live", "Add to the pool",
                      "Write the metadata", "Prove that an empty system installs it",
                      "Switch clients to it", "See what clients are served")
    ]  # fmt: skip


def test_nothing_is_to_come_of_what_has_ended_or_waits() -> None:
    assert states(record("published", "survey")) == [("Look at the mirror", "done")]
    wait = Wait("mirror", "away", 1.0, 2.0, 1)
    assert states(record("waiting", "survey", wait=wait)) == [("Look at the mirror", "done")]


def test_a_trial_switches_nothing_and_a_step_that_is_unknown_has_its_own_name() -> None:
    titles = [title for title, _ in states(record("running", "leap", aim=QUEUED))]
    assert titles[0] == "leap"
    assert "Switch clients to it" not in titles


def test_sweeping_is_shown_only_if_it_failed() -> None:
    found = record("published", "see", "sweep")
    assert len(states(found)) == 1
    failed = StepRecord("sweep", 1.0, 2.0, "no space")
    assert states(replace(found, steps=(failed,))) == [("Sweep staging", "failed")]


@pytest.mark.parametrize(
    ("error", "places"),
    [
        (ManifestError([Problem("/1/x", "a", "b"), Problem("", "c", "d")], {"/1": "Net"}),
         [("/1/x", "Net"), ("", "")]),
        (Obsoleted("east", {"old": "new"}, {"old": "/4"}), [("/4", "old")]),
        (Unresolvable("east", ["a"], "nothing provides b", {"a": "/0"}), [("/0", "a")]),
        (Unresolvable("east", ["a", "c"], "they conflict"), []),
        (DiskFull("east", "adding", 1, 2), []),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_manifest_is_said_thing_by_thing(
    error: GmError, places: list[tuple[str, str]]
) -> None:
    found = failure.of(error)
    assert [(one.place, one.entry) for one in found.problems] == places
    assert found.hint == error.hint


def test_what_may_be_done_depends_on_the_state_and_on_what_was_asked() -> None:
    def buttons(state: State, wish: Wish | None = None) -> list[str]:
        return [one.action for one in Told(record(state), LINKS, wish=wish).buttons]

    assert buttons("running") == buttons("waiting") == ["/updates/one/cancel"]
    assert buttons("failed") == buttons("cancelled") == ["/updates/one/retry"]
    assert buttons("published") == []
    asked = Wish("1", "retry", "east", "ana", "one")
    assert buttons("failed", asked) == []
    refused = replace(asked, fate="refused", said="no")
    assert buttons("failed", refused) == ["/updates/one/retry"]
    assert Told(record("failed"), LINKS, wish=refused).refused == refused
    assert Told(record("failed"), LINKS, may_write=False).buttons == ()


def test_links_lead_to_the_forge_and_to_nothing_that_is_not_there() -> None:
    told = Told(record(), LINKS)
    assert told.pull_url == "https://github.com/icesi/packages/pull/8"
    assert told.commit_url == f"https://github.com/icesi/packages/commit/{'a' * 40}"
    by_hand = Record(Update("r", "west", aim=ROLLBACK, author="ana"), "published", "", 1.0, 1, 2)
    told = Told(by_hand, LINKS)
    assert (told.pull_url, told.commit_url, told.mirror_url) == ("", "", "")
    assert (told.title, told.purpose) == ("By ana", "Roll back on west")


def test_changes_are_counted_and_a_message_fits_a_line() -> None:
    message = "mirror east: " + "x" * 500
    told = Told(replace(record("failed"), message=message), LINKS)
    assert told.brief == "x" * 159 + "…"
    assert Told(replace(record("failed"), outcome=Outcome("published", "")), LINKS).kinds == ()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0.00 s"), (9.994, "9.99 s"), (10.0, "10 s"), (61.0, "1 min 1 s"),
     (7260.0, "2 h 1 min")],
)  # fmt: skip
def test_lengths_of_time_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert rendering.took(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(4, "just now"), (5, "5 s ago"), (-90, "in 1 min"), (3600, "1 h ago"), (172_800, "2 d ago")],
)
def test_times_are_said_as_how_long_ago_they_were(seconds: float, said: str) -> None:
    assert rendering.ago(1_000_000.0 - seconds, 1_000_000.0) == said


def test_a_times_absolute_form_is_there_or_empty() -> None:
    assert rendering.iso(0.0) == "1970-01-01T00:00:00+00:00"
    assert rendering.iso(1e300) == ""


def test_a_name_that_is_no_nevra_stays_whole() -> None:
    assert rendering.split_nevra("nmap-3:7.92-1.el9.x86_64")["evr"] == "3:7.92-1.el9"
    assert rendering.split_nevra("<b>") == {"name": "<b>", "evr": "", "arch": ""}
