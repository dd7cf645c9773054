"""An update and how it went, as values. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gm_analytics.errors import GmError, redact
from gm_analytics.rpm.changes import Change

Kind = Literal["add", "preview", "merge", "close", "rollback"]
"""What an update does: `add` the closure to what is live (`publish: on_pull_request`), or, with
`on_merge`, make a `preview`, make exactly the closure live (`merge`), or remove the preview. A
person may make an older publication live again (`rollback`)."""
Ended = Literal["published", "previewed", "closed", "unchanged", "superseded", "ignored"]
State = Literal[
    "waiting",
    "running",
    "published",
    "previewed",
    "closed",
    "unchanged",
    "superseded",
    "ignored",
    "failed",
    "cancelled",
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
    kind: Kind = "add"
    merge_sha: str = ""
    """The merge commit, of a `merge`."""
    merged_at: str = ""
    """When GitHub merged, ISO 8601 in UTC."""
    updated_at: str = ""
    """When GitHub last changed the pull request, ISO 8601 in UTC."""

    @property
    def pull_request(self) -> str:
        """`owner/name#number`, empty for an update that a person applied."""
        return f"{self.repository}#{self.number}" if self.repository else ""

    @property
    def commit(self) -> str:
        """The commit whose manifest counts, and which gets the status."""
        return self.merge_sha or self.head_sha

    @property
    def order(self) -> tuple[str, float]:
        """Orders a pull request's events as they happened, however late they were delivered."""
        return self.updated_at, self.requested_at

    @property
    def mark(self) -> str:
        """Names a merge, and orders it among others but for those of the same second."""
        return f"{self.merged_at} {self.merge_sha}" if self.merged_at else ""


@dataclass(frozen=True)
class Outcome:
    """How an update ended, unless it failed with an error."""

    state: Ended
    message: str
    publication: str = ""
    added: tuple[str, ...] = ()
    """NEVRAs that clients see now and did not before."""
    size: int = 0
    """Bytes of the packages that were added."""
    warnings: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    """What differs from what was live: what clients see now or, of a preview, would see."""
    preview: str = ""
    """The preview's address."""


@dataclass(frozen=True)
class StepRecord:
    """One finished step; times in seconds since the epoch."""

    name: str
    started_at: float
    completed_at: float
    error: str | None = None
    public_error: str = ""
    """What strangers may read of it."""


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

    @property
    def public_message(self) -> str:
        """What strangers may read of the message."""
        return self.error.public if self.error else redact(self.message)
