"""Which events are one, and which are meant again: pure, by their signed times."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from gm_analytics.engine.timeline import Known, may_have_preview, place, why_not
from gm_analytics.events import Identity

HEAD = Identity(
    repository_id=7,
    repository="icesi/packages",
    called="icesi/packages",
    thread="#1",
    kind="preview",
    commit="a",
    base="main",
    at="1",
    happened="opened",
    order="turn",
    number=1,
)
CLOSED = replace(HEAD, kind="close", happened="closed")
MERGED = replace(
    HEAD, thread="branch main", kind="merge", commit="m", happened="merged", order="once"
)


@dataclass
class Story:
    """Events as they are told, one behind the other; `tell` gives the update of each."""

    thread: list[Known] = field(default_factory=list)

    def tell(self, event: Identity) -> str:
        found = place(self.thread, event)
        if found.same:
            if event.at and event.at < found.same.at:
                self.thread.remove(found.same)
                self.add(event, found.same.update_id)
            return found.same.update_id
        if why_not(self.thread, found, event, ""):
            return "late"
        return self.add(event, f"u{len(self.thread) + 1}")

    def add(self, event: Identity, update_id: str) -> str:
        known = Known(
            update_id, event.kind, event.commit, event.base, event.at, event.happened,
            event.order, event.number, frozenset({"m"}),
        )  # fmt: skip
        self.thread.append(known)
        self.thread.sort(key=lambda one: one.at)
        return update_id


def head(commit: str, at: str, happened: str = "pushed", base: str = "main") -> Identity:
    order = "each" if happened == "reopened" else "turn"
    return replace(
        HEAD,
        commit=commit,
        at=at,
        happened=happened,
        base=base,
        order=order,  # type: ignore[arg-type]
    )


def told(*events: Identity) -> list[str]:
    story = Story()
    return [story.tell(event) for event in events]


def test_the_same_told_again_is_the_same_whatever_came_between() -> None:
    opened, pushed = head("a", "1", "opened"), head("b", "2")
    assert told(opened, opened, pushed, opened, pushed) == ["u1", "u1", "u2", "u1", "u2"]


def test_what_is_seen_later_is_what_was_told_and_the_other_way_round() -> None:
    """A comment moves `updated_at`; who looks sees the head at a later time."""
    assert told(head("a", "1", "opened"), head("a", "5")) == ["u1", "u1"]
    assert told(head("a", "5"), head("a", "1", "opened"), head("a", "1", "opened")) == ["u1"] * 3


def test_a_draft_that_is_ready_is_the_head_that_was_told() -> None:
    assert told(head("a", "1", "opened"), head("a", "3", "ready")) == ["u1", "u1"]


def test_a_force_push_back_to_an_earlier_head_is_meant_and_its_replay_is_known() -> None:
    first, second, back = head("a", "1", "opened"), head("b", "2"), head("a", "3")
    assert told(first, second, back, back, first, second) == ["u1", "u2", "u3", "u3", "u1", "u2"]


def test_another_base_and_back_are_three_events() -> None:
    away = replace(CLOSED, happened="retargeted", base="next", at="2")
    assert told(head("a", "1"), away, head("a", "3", "retargeted"), away) == [
        "u1", "u2", "u3", "u2",
    ]  # fmt: skip


def test_every_reopening_is_a_wish_and_every_closing_after_it() -> None:
    first, second = replace(CLOSED, at="2"), replace(CLOSED, at="4")
    again, once_more = head("a", "3", "reopened"), head("a", "5", "reopened")
    assert told(head("a", "1"), first, again, second, once_more) == ["u1", "u2", "u3", "u4", "u5"]
    assert told(head("a", "1"), first, again, second, first, again, second)[4:] == [
        "u2", "u3", "u4",
    ]  # fmt: skip


def test_a_reopening_is_a_wish_where_no_closing_was_told() -> None:
    assert told(head("a", "1"), head("a", "3", "reopened"), head("a", "3", "reopened")) == [
        "u1", "u2", "u2",
    ]  # fmt: skip


def test_a_reopening_that_was_seen_before_it_was_told_is_one() -> None:
    closed = replace(CLOSED, at="2")
    assert told(head("a", "1"), closed, head("a", "4"), head("a", "3", "reopened")) == [
        "u1", "u2", "u3", "u3",
    ]  # fmt: skip


def test_what_is_older_than_what_is_known_is_not_done() -> None:
    assert told(head("b", "2"), head("a", "1", "opened")) == ["u1", "late"]
    assert told(replace(CLOSED, at="2"), head("a", "1", "opened")) == ["u1", "late"]


def test_two_heads_of_one_second_are_in_the_order_in_which_they_came() -> None:
    assert told(head("a", "1"), head("b", "1"), head("a", "1"), head("a", "2")) == [
        "u1", "u2", "u1", "u3",
    ]  # fmt: skip


def test_what_has_no_time_is_told_once() -> None:
    assert told(head("a", ""), head("b", ""), head("a", "")) == ["u1", "u2", "u1"]
    assert told(head("a", "1"), head("b", "2"), head("a", "")) == ["u1", "u2", "u1"]


# --- branches -------------------------------------------------------------------------------


def push(commit: str, at: str, order: str = "once") -> Identity:
    return replace(MERGED, commit=commit, at=at, happened="advanced", order=order)  # type: ignore[arg-type]


def test_a_merge_and_its_push_are_one_whichever_is_first() -> None:
    merged = replace(MERGED, at="2")
    assert told(merged, push("m", "3"), merged) == ["u1"] * 3
    assert told(push("m", "3"), merged, push("m", "3")) == ["u1"] * 3


def test_merges_whose_times_cross_are_one_each() -> None:
    """GitHub says when the repository was pushed to last, which may be after the next merge."""
    events = [push("m", "9"), replace(MERGED, commit="n", at="7"), push("n", "10"),
              replace(MERGED, commit="m", at="5")]  # fmt: skip
    assert told(*events) == ["u1", "u2", "u2", "u1"]


def test_a_late_merge_is_not_refused_here_since_it_is_compared_with_what_is_live() -> None:
    assert told(push("n", "5"), push("m", "3")) == ["u1", "u2"]


def test_a_branch_that_is_forced_back_and_goes_on_is_followed() -> None:
    back = push("m", "5", "turn")
    events = [push("m", "1"), push("n", "3"), back, push("n", "7"), back, push("n", "3")]
    assert told(*events) == ["u1", "u2", "u3", "u4", "u3", "u2"]


@pytest.mark.parametrize("late", [push("m", "2"), replace(MERGED, at="2")])
def test_a_merge_that_a_look_found_is_told_late(late: Identity) -> None:
    seen = push("n", "5", "turn")
    assert told(replace(MERGED, at="1"), seen, late, push("n", "4"), seen) == [
        "u1", "u2", "u1", "u2", "u2",
    ]  # fmt: skip


# --- what an earlier version stored, what is not done -----------------------------------------


def test_what_an_earlier_version_stored_is_the_same_on_any_base() -> None:
    old = Known("d1", "preview", "a", "", "1", "", "turn", 1, frozenset({"m"}))
    assert place([old], head("a", "1", "opened")).same == old
    assert place([old], head("a", "3", "reopened")).same is None
    merge = Known("d2", "merge", "m", "", "1", "", "once", 1, frozenset({"m"}))
    assert place([merge], push("m", "2")).same == merge


def test_a_preview_can_be_there_only_if_one_was_asked_for() -> None:
    closed = Known("u1", "close", "a", "main", "1", "closed", "turn", 1, frozenset())
    assert not may_have_preview([])
    assert not may_have_preview([closed])
    assert not may_have_preview([replace(closed, kind="add")])
    assert may_have_preview([replace(closed, kind="preview"), closed])


@pytest.mark.parametrize(("at", "refused"), [("1", True), ("2", True), ("", True), ("3", False)])
def test_what_may_have_been_forgotten_is_refused(at: str, refused: bool) -> None:
    said = why_not([], place([], head("a", at)), head("a", at), "2")
    assert said.endswith("older than what is remembered") == refused
