"""What happened at a forge, as a neutral value. No I/O.

A room of a forge (`github/`) reads its own payloads into these values; `pull_requests/` decides
what each of them causes, and knows no forge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Happening = Literal[
    "opened", "reopened", "pushed", "ready", "retargeted", "merged", "closed", "other"
]
"""`ready`: a draft no more; `retargeted`: given another base branch; `other`: anything else."""


@dataclass(frozen=True)
class PullRequestEvent:
    """What happened to one pull request."""

    happened: Happening
    action: str
    """The forge's own word for it."""
    number: int
    repository: str
    """`owner/name` of the base repository."""
    head_sha: str
    base_ref: str
    author: str
    author_association: str
    fork: bool
    """Whether its head is in another repository; a deleted one counts as another."""
    draft: bool
    merge_commit_sha: str = ""
    """Of a pull request that was merged."""
    merged_at: str = ""
    """ISO 8601 in UTC, as is the next."""
    updated_at: str = ""
    default_branch: str = ""
    """Of the base repository."""

    @property
    def key(self) -> str:
        """`owner/name#number`."""
        return f"{self.repository}#{self.number}"


@dataclass(frozen=True)
class Delivery:
    """One webhook call whose signature was right."""

    id: str
    name: str
    """The forge's own name of what it tells: `pull_request`, `ping`, …"""
    event: PullRequestEvent | None
    """None if it is of another kind."""
