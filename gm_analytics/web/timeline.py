"""An update as a timeline: the steps that ended, the one that runs, those to come. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gm_analytics.updates.model import Record, StepRecord, Update
from gm_analytics.updates.progress import Now

StepState = Literal["done", "failed", "running", "pending"]
_TITLES = {
    "supersede": "See whether a newer one replaces it",
    "fetch manifest": "Read packages.json",
    "compare manifest": "See whether packages.json changed",
    "find pull request": "Find the merged pull request",
    "await end": "Wait for the update before",
    "survey": "Look at the mirror",
    "ask upstream": "Ask upstream for newer packages",
    "look for preview": "Look for a preview",
    "look at preview": "Look at the reviewed preview",
    "take preview": "Take what was reviewed",
    "look back": "Find the older publication",
    "recall": "Recall its packages",
    "obtain": "Fetch the locked packages",
    "download": "Resolve and download",
    "inspect": "Check each package",
    "compare": "Compare with what is live",
    "compare commits": "Compare commits",
    "compare base": "Compare with the base branch",
    "add": "Add to the pool",
    "createrepo": "Write the metadata",
    "sign": "Sign the metadata",
    "prove": "Prove that an empty system installs it",
    "switch": "Switch clients to it",
    "see": "See what clients are served",
    "remember": "Note that it is live",
    "compare previews": "Compare with open previews",
    "drop preview": "Take the preview away",
    "retain": "Remove what is not kept",
    "sweep": "Sweep staging",
}
"""What steps do, in the words of pages; another version's is called by its name."""
_BEGINS = ("supersede", "fetch manifest", "survey")
_ENDS = ("compare", "add", "createrepo", "prove", "switch", "see")
_TO_COME: dict[str, tuple[str, ...]] = {
    "solved": (*_BEGINS, "download", "inspect", *_ENDS),
    "reviewed": (*_BEGINS, "look at preview", "take preview", *_ENDS),
    "older": ("supersede", "survey", "look back", "recall", "compare", *_ENDS[2:]),
    "lock": (*_BEGINS, "obtain", *_ENDS),
    "nothing": ("supersede", "survey", "drop preview"),
}
"""By the source of its packages, what an update does if nothing comes between."""
_QUIET = frozenset({"sweep"})
"""What nobody asked for: shown only if it failed."""
_ICONS = {"done": "good", "failed": "bad", "running": "running", "pending": "pending"}


@dataclass(frozen=True)
class Step:
    """One line of a timeline; times in seconds since the epoch, sizes in bytes."""

    title: str
    state: StepState
    seconds: float | None = None
    """How long it took; None while it runs."""
    since: float = 0.0
    done: int = 0
    total: int = 0
    came: int = 0
    size: int = 0
    error: str = ""

    @property
    def icon(self) -> str:
        """Name its picture."""
        return _ICONS[self.state]


def steps(record: Record, now: Now | None) -> list[Step]:
    """Give what an update did, does, and is to do."""
    shown = [step for step in record.steps if step.error or step.name not in _QUIET]
    found = [_ended(step) for step in shown]
    if record.ended or record.wait:
        return found
    runs = now.step if now else ""
    if now and runs:
        found.append(
            Step(title(runs), "running", None, now.since, now.done, now.total, now.came, now.size)
        )
    names = [step.name for step in record.steps] + ([runs] if runs else [])
    return [*found, *(Step(title(name), "pending") for name in _to_come(record.update, names))]


def _ended(step: StepRecord) -> Step:
    seconds = max(0.0, step.completed_at - step.started_at)
    state: StepState = "failed" if step.error else "done"
    return Step(title(step.name), state, seconds, error=step.error or "")


def _to_come(update: Update, names: Sequence[str]) -> Iterator[str]:
    """Give the steps behind the last one that is known of; a retry begins at the first again."""
    planned = _TO_COME.get(update.aim.source, ())
    reached = [planned.index(name) for name in names if name in planned]
    for name in planned[max(reached) + 1 if reached else 0 :]:
        if name not in _left_out(update):
            yield name


def _left_out(update: Update) -> frozenset[str]:
    return frozenset({"switch", "see"} if update.aim.target == "trial" else ())


def title(name: str) -> str:
    """Say what a step does."""
    return _TITLES.get(name, name)
