"""Who did what to what, when and why: one entry of the audit, as a value. No I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from gm_analytics.updates.model import Outcome, Update
from gm_analytics.updates.states import State

Actor = Literal["pull request", "merge queue", "merge", "person", "service"]
"""What had it done; a person is named in `who`."""
Action = Literal[
    "published",
    "previewed",
    "removed the preview of",
    "failed to update",
    "cancelled an update of",
    "rolled back",
    "removed packages from",
    "repaired",
    "accepted a change of",
    "adopted",
    "took over",
    "collected garbage of",
    "retried an update of",
    "asked to retry an update of",
    "asked to cancel an update of",
    "asked to roll back",
    "was refused by",
]
_ACTORS: dict[str, Actor] = {
    "pull_request": "pull request",
    "merge_group": "merge queue",
    "merge": "merge",
    "person": "person",
}
_BY_HAND: dict[str, Action] = {
    "rollback": "rolled back",
    "remove": "removed packages from",
    "repair": "repaired",
    "accept": "accepted a change of",
    "adopt": "adopted",
    "takeover": "took over",
    "gc": "collected garbage of",
}
"""What a person did, by the word that the id of the update begins with."""
_ENDS: dict[State, Action] = {
    "published": "published",
    "previewed": "previewed",
    "closed": "removed the preview of",
    "failed": "failed to update",
    "cancelled": "cancelled an update of",
}
"""Ends of updates that are deeds; the others changed nothing."""
MAX_REASON = 1000
"""Characters."""


@dataclass(frozen=True)
class Entry:
    """One entry; it is never changed, and never removed."""

    actor: Actor
    action: Action
    mirror: str
    who: str = ""
    """The person, or the pull request's author, where that is known."""
    update_id: str = ""
    origin: str = ""
    """The pull request, or the repository that was pushed to."""
    publication: int = 0
    """The one that was made, or is wanted; 0 for none."""
    reason: str = ""
    at: float = 0.0
    """Seconds since the epoch, by the database's clock."""
    number: int = 0
    """Counts entries, in the order in which they were written."""

    @property
    def tag(self) -> str:
        """Say it in three words: `pull request: published: mirror`."""
        return f"{self.actor}: {self.action}: {self.mirror}"

    def to_json(self) -> dict[str, Any]:
        """Give it as HTTP and `gm-analytics audit --json` do."""
        return {"tag": self.tag, **asdict(self)}


def of_cancel(update: Update, asked_by: str) -> Entry:
    """Give the entry of an update that somebody cancelled."""
    actor: Actor = "merge queue" if asked_by == "the merge queue" else "person"
    who = asked_by if actor == "person" else ""
    said = f"cancelled by {asked_by}"
    where = (update.mirror, who, update.id, update.origin)
    return Entry(actor, "cancelled an update of", *where, reason=said)


def of_retry(update: Update, asked_by: str) -> Entry:
    """Give the entry of an update that is run again: a person asked, or it was delivered again."""
    actor = "person" if asked_by else _ACTORS[update.aim.cause]
    where = (update.mirror, asked_by, update.id, update.origin)
    return Entry(actor, "retried an update of", *where)


def made_by(outcome: Outcome | None) -> int:
    """Give the number of the publication that an update made or found; 0 for none."""
    number = outcome.publication.rpartition("/")[2] if outcome else ""
    return int(number) if number.isascii() and number.isdigit() else 0


def of_end(update: Update, state: State, message: str, publication: int = 0) -> Entry | None:
    """Give the entry of an update's end; None of one that did nothing."""
    word = update.id.rpartition("-")[0].partition("-")[0]
    by_hand = _BY_HAND.get(word) if update.aim.cause == "person" else None
    broken = state in {"failed", "cancelled"}
    action = _ENDS.get(state) if broken or by_hand is None else by_hand
    if action is None:
        return None
    return Entry(
        _ACTORS[update.aim.cause],
        action,
        update.mirror,
        update.author,
        update.id,
        update.origin,
        publication,
        message[:MAX_REASON],
    )
