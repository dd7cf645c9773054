"""What a pull request says of its updates: a commit status, and one comment. No I/O.

What others wrote (a manifest, yum, upstream) appears in code alone, spans or blocks: GitHub
takes nothing there for markup, mentions, references or HTML comments.
Source: https://github.github.com/gfm/
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gm_analytics.errors import GmError, ManifestError, UnknownPackages, entry_at
from gm_analytics.mirror.publication import Standing
from gm_analytics.pull_requests import advisories, trial
from gm_analytics.pull_requests.markdown import (
    Room,
    block,
    cell,
    code,
    count,
    fold,
    shorten,
    words,
)
from gm_analytics.pull_requests.ports import CommitState
from gm_analytics.rpm.changes import Change, Plan, size_text
from gm_analytics.updates import states
from gm_analytics.updates.model import Outcome, Record, Update
from gm_analytics.updates.untouched import UNTOUCHED
from gm_analytics.updates.waiting import Wait
from gm_analytics.wording import redact, when

MARKER = "<!-- gm-analytics: one comment, edited in place -->"
"""How the comment begins; GitHub does not show it."""
MAX_DESCRIPTION = 140
"""Characters of a status's description that GitHub takes."""
MAX_COMMENT = 65_536
"""Characters of a comment that GitHub takes."""
AGAIN = "Merging plans again."
NAMES = 5
"""Packages that are named after the entry that pulled them in."""


ROOMS = (Room(1000, 4000), Room(200, 2000), Room(50, 1000), Room(10, 500), Room(2, 200))
"""The first in which a comment keeps within `MAX_COMMENT` is taken."""


@dataclass(frozen=True)
class Status:
    """A commit status: GitHub's state, and a sentence of at most `MAX_DESCRIPTION` characters."""

    state: CommitState
    description: str


# --- status ---------------------------------------------------------------------------------


def context(mirror: str) -> str:
    """Name what a status is about."""
    return f"gm-analytics/{mirror}"


def status(record: Record) -> Status:
    """Word an update as a commit status: a failure is its author's to mend, an error others'."""
    if record.wait:
        return Status("pending", _short(record.public_message))
    if not record.ended:
        return Status("pending", f"{record.state}: {_purpose(record.update)}")
    if record.state == "ignored":
        # Nothing was looked at, so a required check must not pass; there is no neutral state.
        return Status("error", _short(f"ignored: {record.public_message}"))
    since = _since(record.standing) if record.standing else ""
    return Status(_verdict(record), _short(record.public_message + since))


def why_ignored(reason: str, *, draft: bool, untouched: bool) -> Status:
    """Word why a pull request causes no update; one that keeps the manifest wants none."""
    if untouched:
        return Status("success", UNTOUCHED)
    # A draft is not over: marking it ready is what it waits for.
    said = f"waiting: {reason}" if draft else f"ignored: {reason}"
    return Status("pending" if draft else "neutral", _short(said))


def _verdict(record: Record) -> CommitState:
    if states.succeeded(record.state):
        return "success"
    return "failure" if record.error and record.error.fault == "author" else "error"


def _since(standing: Standing) -> str:
    """Say, behind what the preview showed, what merging would change by now."""
    return f"; since publication {standing.publication}: {standing.summary}; merging plans again"


def _short(text: str) -> str:
    return shorten(text, MAX_DESCRIPTION)


def _purpose(update: Update) -> str:
    if update.aim.source == "nothing":
        return f"its preview on {update.mirror} is to be removed"
    if update.aim.target == "trial":
        return f"what merging means on {update.mirror} is to be planned"
    if update.aim.target == "preview":
        return f"a preview on {update.mirror}"
    done = "published on" if update.exact else "added to"
    return f"its packages are to be {done} {update.mirror}"


# --- comment --------------------------------------------------------------------------------


def comment(records: Sequence[Record], page: Callable[[str], str]) -> str:
    """Word a pull request's newest updates, one a mirror, as its comment.

    `page` gives the address of an update's status page, or nothing. What is too long for GitHub
    is given with shorter lists, and if need be with fewer mirrors.
    """
    for room in ROOMS:
        sections = ["\n\n".join(_section(record, page, room)) for record in records]
        if len(text := _joined(sections, len(sections))) <= MAX_COMMENT:
            return text
    counts = range(1, len(sections))
    fitting = bisect_right(counts, MAX_COMMENT, key=lambda count: len(_joined(sections, count)))
    return _joined(sections, fitting)


def _joined(sections: Sequence[str], count: int) -> str:
    left = len(sections) - count
    more = [f"… and {left} more mirrors."] if left else []
    return "\n\n".join([MARKER, *sections[:count], *more]) + "\n"


def _section(record: Record, page: Callable[[str], str], room: Room) -> Iterator[str]:
    """Give the paragraphs on one mirror."""
    update, outcome = record.update, record.outcome
    yield f"### {words(update.mirror)}: {_headline(record)}"
    if record.error:
        yield from _failure(record.error, room)
        yield f"**What to do:** {record.public_hint}"  # the service's own words
    if record.wait:
        yield _next_try(record.wait)
    if outcome:
        if not outcome.changes and update.aim.source != "nothing":
            yield f"{words(redact(outcome.message[:1].upper() + outcome.message[1:]))}."
        if record.standing:
            now = f"publication {record.standing.publication}: {words(record.standing.summary)}"
            then = " When it was made:" if outcome.changes else ""
            yield f"**What merging would change now**, after {now}. {AGAIN}{then}"
        yield from _changes(outcome, room, future=update.aim.target == "preview")
        yield from (f"**Warning:** {words(redact(warning))}." for warning in outcome.warnings)
        if outcome.preview:
            yield from _trial(update, outcome, room)
    address = page(update.id)
    link = f" · [status and steps]({address})" if address else ""
    yield f"<sub>update {code(update.id)} at {words(update.commit)}{link}</sub>"


def _headline(record: Record) -> str:
    if record.wait:
        return f"waiting for {words(record.wait.what(record.update.mirror))}"
    return {
        "previewed": "a preview is ready",
        "closed": "the preview is gone",
        "unchanged": "nothing to change",
    }.get(record.state, record.state)


def _next_try(wait: Wait) -> str:
    """Say when it is tried again; what waits has not failed."""
    at = f" at {when(wait.next_try)}" if wait.next_try else " now"
    return f"It is tried again{at}, and goes on by itself once that is there."


# --- what changes ---------------------------------------------------------------------------


def _changes(outcome: Outcome, room: Room, *, future: bool) -> Iterator[str]:
    changes = outcome.changes
    if not changes:
        return
    plan = Plan(changes)
    summary = plan.summary + (f"; {size_text(plan.size)} new" if plan.added else "")
    if future and any(change.kind == "removed" for change in changes):
        # The branch may be older than what others merged since, which merging leaves alone.
        later = "Merging plans again: what others have merged since this branch began is kept."
        yield f"Compared with what is live: {summary}. {later}"
    else:
        yield f"If merged: {summary}." if future else f"{summary}."
    head = ["| | package | size | from |", "| --- | --- | ---: | --- |"]
    rows = [
        f"| {change.kind} | {cell(change.nevra)}{_before(change)} | {size_text(change.size)} "
        f"| {cell(change.source) if change.source else ''} |"
        for change in changes[: room.lines]
    ]
    yield fold(
        count(changes, "package"),
        len(changes),
        [*head, *rows, *room.rest(changes, "| | {} | | |")],
    )
    yield from advisories.told(outcome.advisories, room)
    brought = [change for change in changes if change.kind != "removed"]
    if entries := _entries(brought):
        lines = [f"- {_entry(spec, brought)}" for spec in entries[: room.lines]]
        rest = room.rest(entries, "- {}")
        yield "What each entry pulls in:"
        yield fold(count(entries, "entry", "entries"), len(entries), [*lines, *rest])


def _before(change: Change) -> str:
    return f" (was {cell(change.before)})" if change.before else ""


def _entries(brought: Iterable[Change]) -> list[str]:
    """Give the package specs that pulled something in."""
    return list(dict.fromkeys(spec for change in brought for spec in change.wanted))


def _entry(spec: str, changes: Iterable[Change]) -> str:
    theirs = [change for change in changes if spec in change.wanted]
    named = ", ".join(code(change.nevra) for change in theirs[:NAMES])
    size = size_text(Plan(tuple(theirs)).size)
    left = len(theirs) - NAMES
    more = f" and {left:,} more" if left > 0 else ""
    return f"{code(spec)}: {count(theirs, 'package')}, {size}: {named}{more}"


def _trial(update: Update, outcome: Outcome, room: Room) -> Iterator[str]:
    brought = [change for change in outcome.changes if change.kind != "removed"]
    names = _entries(brought) or [change.nevra for change in brought]
    yield from trial.told(update, outcome, names, room)


# --- what went wrong ------------------------------------------------------------------------


def _failure(error: GmError, room: Room) -> Iterator[str]:
    if isinstance(error, ManifestError):
        yield f"{code(error.source)} cannot be used:"
        lines = [
            f"- at {code(problem.where)}{_entry_of(problem.where, error.names)}: "
            f"found {code(problem.found)}; expected {code(problem.expected)}"
            for problem in error.problems
        ]
    elif isinstance(error, UnknownPackages):
        hidden = any(map(error.why_hidden, error.specs))
        yield (
            "These packages cannot be had:"
            if hidden
            else ("Upstream has no package of these names:")
        )
        lines = [
            f"- {code(spec)}{_at(error.places.get(spec))}{_why(error.why_hidden(spec))}"
            f"{_near(error.near.get(spec))}"
            for spec in error.specs
        ]
    else:
        yield block(error.public, room)
        return
    yield fold(
        count(lines, "problem"), len(lines), [*lines[: room.lines], *room.rest(lines, "- {}")]
    )


def _at(place: str | None) -> str:
    return f" at {code(place)}{_entry_of(place, {})}" if place else ""


def _entry_of(pointer: str, names: Mapping[str, str]) -> str:
    number, name = entry_at(pointer, names)
    return (f", entry {number}" + (f" ({code(name)})" if name else "")) if number else ""


def _why(hidden: str) -> str:
    return f": {words(hidden)}" if hidden else ""


def _near(names: Sequence[str] | None) -> str:
    return f": did you mean {' or '.join(map(code, names[:NAMES]))}?" if names else ""
