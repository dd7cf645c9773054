"""An update and how it went, as values. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gm_analytics.errors import GmError
from gm_analytics.plan import Change

State = Literal[
    "waiting", "running", "published", "unchanged", "superseded", "failed", "cancelled"
]


@dataclass(frozen=True)
class Update:
    """The durable work that an accepted delivery causes on one mirror."""

    id: str
    mirror: str
    repository: str = ""
    number: int = 0
    head_sha: str = ""
    requested_at: float = 0.0
    """Seconds since the epoch."""
    kind: Literal["add", "preview", "merge", "close"] = "add"
    """`add` adds to what is live; the others are a pull request's life under `on_merge`."""
    merge_sha: str = ""

    @property
    def sha(self) -> str:
        """The commit whose manifest counts."""
        return self.merge_sha if self.kind == "merge" else self.head_sha

    @property
    def pull_request(self) -> str:
        """`owner/name#number`, empty for an update that a person applied."""
        return f"{self.repository}#{self.number}" if self.repository else ""


@dataclass(frozen=True)
class Outcome:
    """How an update ended, unless it failed with an error."""

    state: Literal["published", "unchanged", "superseded"]
    message: str
    publication: str = ""
    added: tuple[str, ...] = ()
    """NEVRAs that clients see now and did not before."""
    size: int = 0
    """Bytes of the packages that were added."""
    warnings: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    preview: str = ""
    """Where clients can try it."""


@dataclass(frozen=True)
class StepRecord:
    """One finished step; times in seconds since the epoch."""

    name: str
    started_at: float
    completed_at: float
    error: str | None = None


@dataclass(frozen=True)
class Record:
    """An update as the store knows it; times in seconds since the epoch."""

    update: Update
    state: State
    message: str
    accepted_at: float
    started_at: float | None
    completed_at: float | None
    outcome: Outcome | None = None
    error: GmError | None = None
    steps: tuple[StepRecord, ...] = ()
