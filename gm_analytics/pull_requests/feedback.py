"""What a pull request says of its updates: a commit status, and one comment. No I/O.

What others wrote (a manifest, yum, upstream) appears in code alone, spans or blocks: GitHub
takes nothing there for markup, mentions, references or HTML comments.
Source: https://github.github.com/gfm/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Literal

from gm_analytics.errors import (
    BadPackages,
    BytesDiffer,
    GmError,
    ManifestError,
    NotInstallable,
    UnknownPackages,
    Unresolvable,
    redact,
)
from gm_analytics.rpm import grammar
from gm_analytics.rpm.changes import Change, Plan, size_text
from gm_analytics.updates.model import Outcome, Record, Update

MARKER = "<!-- gm-analytics: one comment, edited in place -->"
"""How the comment begins; GitHub does not show it."""
MAX_DESCRIPTION = 140
"""Characters of a status's description that GitHub takes."""
MAX_COMMENT = 65_536
"""Characters of a comment that GitHub takes."""
FOLD = 12
"""Longer lists are folded."""
NAMES = 5
"""Packages that are named after the entry that pulled them in."""
SPAN = 240
"""Characters of others' words in one line."""
FAULTS = (BadPackages, BytesDiffer, ManifestError, NotInstallable, UnknownPackages, Unresolvable)
"""What the pull request or its packages are to blame for; the rest is ours, or the network's."""

SUCCESSES = frozenset({"published", "previewed", "closed", "unchanged", "superseded"})

State = Literal["pending", "success", "failure", "error"]
_PLAIN = re.compile(r"[A-Za-z0-9 ,.;:()'%+-]+")
"""Text in which Markdown and GitHub see nothing but text; see `_words` for `www.`."""


@dataclass(frozen=True)
class Room:
    """How many lines a list may have, and how many characters a block."""

    lines: int
    characters: int

    def rest(self, items: Sized, line: str) -> list[str]:
        """Give a line that says how many items there is no room for, if there are any."""
        left = len(items) - self.lines
        return [line.format(f"… and {left:,} more")] if left > 0 else []


ROOMS = (Room(1000, 4000), Room(200, 2000), Room(50, 1000), Room(10, 500), Room(2, 200))
"""The first in which a comment keeps within `MAX_COMMENT` is taken."""


@dataclass(frozen=True)
class Status:
    """A commit status: GitHub's state, and a sentence of at most `MAX_DESCRIPTION` characters."""

    state: State
    description: str


# --- status ---------------------------------------------------------------------------------


def status(record: Record) -> Status:
    """Word an update as a commit status."""
    if record.state in {"waiting", "running"}:
        return Status("pending", f"{record.state}: {_purpose(record.update)}")
    state: State = "success" if record.state in SUCCESSES else "error"
    if isinstance(record.error, FAULTS):
        state = "failure"
    if record.state == "ignored":
        # Nothing was looked at, so a required check must not pass; there is no neutral state.
        return Status("failure", shorten(f"ignored: {record.public_message}"))
    return Status(state, shorten(record.public_message))


def shorten(text: str, limit: int = MAX_DESCRIPTION) -> str:
    """Make one line of a text, cut at a word with an ellipsis where it is too long."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    whole, _, _ = cut.rpartition(" ")
    return (whole if len(whole) > limit // 2 else cut).rstrip(" ,;:") + "…"


def _purpose(update: Update) -> str:
    if update.aim.source == "nothing":
        return f"its preview on {update.mirror} is to be removed"
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
    attempts = [(len(records), room) for room in ROOMS]
    attempts += [(count, ROOMS[-1]) for count in range(len(records) - 1, 0, -1)]
    texts = (_comment(records, count, page, room) for count, room in attempts)
    return next(text for text in texts if len(text) <= MAX_COMMENT)


def _comment(records: Sequence[Record], count: int, page: Callable[[str], str], room: Room) -> str:
    sections = ["\n\n".join(_section(record, page, room)) for record in records[:count]]
    left = len(records) - count
    more = [f"… and {left} more mirrors."] if left else []
    return "\n\n".join([MARKER, *sections, *more]) + "\n"


def _section(record: Record, page: Callable[[str], str], room: Room) -> Iterator[str]:
    """Give the paragraphs on one mirror."""
    update, outcome = record.update, record.outcome
    yield f"### {_words(update.mirror)}: {_headline(record)}"
    if record.error:
        yield from _failure(record.error, room)
    if outcome:
        if not outcome.changes and outcome.state != "closed":
            yield f"{_words(redact(outcome.message[:1].upper() + outcome.message[1:]))}."
        yield from _changes(outcome, room, future=update.aim.target == "preview")
        yield from (f"**Warning:** {_words(redact(warning))}." for warning in outcome.warnings)
        if outcome.preview:
            yield from _trial(update, outcome, room)
    address = page(update.id)
    link = f" · [status and steps]({address})" if address else ""
    yield f"<sub>update {_code(update.id)} at {_words(update.commit)}{link}</sub>"


def _headline(record: Record) -> str:
    return {
        "previewed": "a preview is ready",
        "closed": "the preview is gone",
        "unchanged": "nothing to change",
    }.get(record.state, record.state)


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
        f"| {change.kind} | {_cell(change.nevra)}{_before(change)} | {size_text(change.size)} "
        f"| {_cell(change.source) if change.source else ''} |"
        for change in changes[: room.lines]
    ]
    yield _fold(
        _count(changes, "package"),
        len(changes),
        [*head, *rows, *room.rest(changes, "| | {} | | |")],
    )
    brought = [change for change in changes if change.kind != "removed"]
    if entries := _entries(brought):
        lines = [f"- {_entry(spec, brought)}" for spec in entries[: room.lines]]
        rest = room.rest(entries, "- {}")
        yield "What each entry pulls in:"
        yield _fold(_count(entries, "entry", "entries"), len(entries), [*lines, *rest])


def _before(change: Change) -> str:
    return f" (was {_cell(change.before)})" if change.before else ""


def _entries(brought: Iterable[Change]) -> list[str]:
    """Give the package specs that pulled something in."""
    return list(dict.fromkeys(spec for change in brought for spec in change.wanted))


def _entry(spec: str, changes: Iterable[Change]) -> str:
    theirs = [change for change in changes if spec in change.wanted]
    named = ", ".join(_code(change.nevra) for change in theirs[:NAMES])
    size = size_text(Plan(tuple(theirs)).size)
    left = len(theirs) - NAMES
    more = f" and {left:,} more" if left > 0 else ""
    return f"{_code(spec)}: {_count(theirs, 'package')}, {size}: {named}{more}"


def _trial(update: Update, outcome: Outcome, room: Room) -> Iterator[str]:
    """Give the line that installs from the preview alone."""
    brought = [change for change in outcome.changes if change.kind != "removed"]
    names = _entries(brought) or [change.nevra for change in brought]
    # It will be pasted into a shell, so only what the manifest's grammar lets through.
    specs = [spec for spec in names if grammar.SPEC.fits(spec)][:FOLD] or ["PACKAGE"]
    name = f"pr-{update.number}"
    # `--refresh`: dnf would believe for two days what it read of the last push's preview.
    options = f"--repofrompath={name},{outcome.preview} --repo={name} --nogpgcheck --refresh"
    yield "Try it before it is merged:"
    yield _block(f"sudo dnf {options} install {' '.join(specs)}", room, "sh")


# --- what went wrong ------------------------------------------------------------------------


def _failure(error: GmError, room: Room) -> Iterator[str]:
    if isinstance(error, ManifestError):
        yield "`packages.json` cannot be used:"
        lines = [
            f"- at {_code(problem.where)}: found {_code(problem.found)}; "
            f"expected {_code(problem.expected)}"
            for problem in error.problems
        ]
    elif isinstance(error, UnknownPackages):
        yield "Upstream has no package of these names:"
        lines = [
            f"- {_code(spec)}{_at(error.places.get(spec))}{_near(error.near.get(spec))}"
            for spec in error.specs
        ]
    else:
        yield _block(error.public, room)
        return
    yield _fold(
        _count(lines, "problem"), len(lines), [*lines[: room.lines], *room.rest(lines, "- {}")]
    )


def _at(place: str | None) -> str:
    return f" at {_code(place)}" if place else ""


def _near(names: Sequence[str] | None) -> str:
    return f": did you mean {' or '.join(map(_code, names[:NAMES]))}?" if names else ""


# --- Markdown -------------------------------------------------------------------------------


def _count(items: Sized, one: str, many: str = "") -> str:
    return f"{len(items):,} {one if len(items) == 1 else many or one + 's'}"


def _fold(summary: str, count: int, lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    if count <= FOLD:
        return text
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def _words(text: str) -> str:
    """Give a line as text if nothing in it means anything to GitHub, else as code."""
    line = shorten(text, SPAN)
    plain = _PLAIN.fullmatch(line) and "www." not in line.lower()
    return line if plain else _code(line)


def _code(text: str, limit: int = SPAN) -> str:
    """Give one line as a code span: its fence is longer than any run of backticks in it."""
    line = shorten(_printable(text), limit) or "nothing"
    fence = "`" * (1 + _longest_run(line))
    pad = " " if "`" in line[:1] + line[-1:] else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _cell(text: str) -> str:
    """Give a code span for a table, where a bar would end the cell even in code."""
    return _code(text.translate({ord("|"): "¦", ord("\\"): "/"}))


def _block(text: str, room: Room, language: str = "") -> str:
    """Give lines as a block of code, fenced as `_code` is."""
    kept = text[: room.characters]
    lines = [_printable(line) for line in kept.splitlines()]
    if len(text) > len(kept):
        lines.append(f"… and {len(text) - len(kept):,} more characters")
    fence = "`" * max(3, 1 + _longest_run(kept))
    return "\n".join([f"{fence}{language}", *lines, fence])


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _printable(text: str) -> str:
    """Replace what is not shown, or shown in another direction; blanks stay."""
    return "".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in text)
