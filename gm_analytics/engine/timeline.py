"""Whether an event is one that is known, told again or told late. No I/O.

A thread (a pull request, a branch) is a row of events in the order in which they happened, by the
forge's signed times; within a second, in the order in which they came. See `events.Identity`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gm_analytics.events import Identity


@dataclass(frozen=True)
class Known:
    """An event that is kept."""

    update_id: str
    kind: str
    commit: str
    base: str
    """Empty where an earlier version did not keep it: any."""
    at: str
    happened: str
    order: str
    number: int
    mirrors: frozenset[str]
    """Where it has an update; none if it was only noted."""

    def aims_at(self, event: Identity) -> bool:
        """Tell whether it aims at the same as an event."""
        same_base = self.base in ("", event.base)
        return (self.kind, self.commit) == (event.kind, event.commit) and same_base


@dataclass(frozen=True)
class Place:
    """Where an event belongs in its thread."""

    same: Known | None
    """The event that it is, if it is known."""
    late: bool
    """Whether something newer of its thread is known."""


def place(thread: Sequence[Known], event: Identity) -> Place:
    """Find an event in its thread, whose events are in order."""
    before = [known for known in thread if known.at <= event.at]
    after = thread[len(before) :]
    same = _the_very_same(thread, event) or _beside(before, after, event)
    if same is None and event.order == "once":
        same = _entered(thread, event)
    if same is None and not event.at:  # in no order: what is known is known
        same = next((k for k in reversed(thread) if k.aims_at(event)), None)
    return Place(same, late=bool(event.at and after))


def _the_very_same(thread: Sequence[Known], event: Identity) -> Known | None:
    # Who looked at the forge saw the same moment, and not how it came about.
    told = {event.happened, "pushed"}
    found = [k for k in thread if k.aims_at(event) and k.at == event.at and k.happened in told]
    return found[-1] if found else None


def _beside(before: Sequence[Known], after: Sequence[Known], event: Identity) -> Known | None:
    """Find it told later, or seen by who looked at the forge, which is later than it happened."""
    if not event.at:
        return None
    beside = after[:1] if event.order == "each" else [*before[-1:], *after[:1]]
    return next((k for k in beside if k.aims_at(event)), None)


def _entered(thread: Sequence[Known], event: Identity) -> Known | None:
    """Find how a commit came into its branch, since the last force-push if there was one."""
    forced = [n for n, known in enumerate(thread) if known.order == "turn"]
    recent = thread[forced[-1] :] if forced else thread
    return next((k for k in reversed(recent) if k.aims_at(event)), None)


NOTHING_TO_CLOSE = "the pull request has no preview"


def may_have_preview(thread: Sequence[Known]) -> bool:
    """Tell whether an update of a pull request could have made a preview."""
    return any(known.kind == "preview" for known in thread)


def why_not(thread: Sequence[Known], place: Place, event: Identity, horizon: str) -> str:
    """Say why an event that is not known is not to be done, or nothing.

    A late merge is looked at all the same: it is compared with what is live.
    """
    if horizon and event.at <= horizon:
        return f"it happened {event.at or 'at an unknown time'}: older than what is remembered"
    if place.late and event.kind != "merge":
        newest = thread[-1]
        return f"it happened {event.at}; newer is known: {newest.commit}, {newest.at}"
    return ""
