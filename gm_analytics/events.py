"""What happened at a forge, as a neutral value. No I/O.

A room of a forge (`github/`) reads its own payloads into these values; `pull_requests/` decides
what each of them causes, and knows no forge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Happening = Literal[
    "opened",
    "reopened",
    "pushed",
    "ready",
    "retargeted",
    "merged",
    "closed",
    "other",
    "advanced",
    "queued",
    "dequeued",
]
"""`ready`: a draft no more; `retargeted`: given another base branch; `other`: anything else;
`advanced`: a branch, not a pull request, was pushed to; `queued`: a merge group was made;
`dequeued`: it is no more."""


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
    """Empty where the forge does not tell."""
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
    repository_id: int = 0
    """The forge's number of it, which outlives its name; 0 where it is not told."""

    @property
    def key(self) -> str:
        """`owner/name#number`."""
        return f"{self.repository}#{self.number}"

    @property
    def commit(self) -> str:
        """The commit whose manifest counts."""
        return self.merge_commit_sha or self.head_sha

    @property
    def at(self) -> str:
        """When it happened by the forge's clock, empty where that is not told."""
        return self.merged_at or self.updated_at

    @property
    def order(self) -> Order:
        """How it is told from others that aim at the same; see `Identity`."""
        if self.happened == "reopened":
            return "each"
        return "once" if self.happened == "merged" else "turn"


@dataclass(frozen=True)
class _BranchEvent:
    """What push and queue have in common: a branch, and the commit that it has or may get."""

    repository: str
    branch: str
    """That has the commit, or that it is to be merged into."""
    head_sha: str

    @property
    def key(self) -> str:
        """`owner/name branch`."""
        return f"{self.repository} {self.branch}"

    @property
    def base_ref(self) -> str:
        """The branch that it is about, as a pull request's base."""
        return self.branch

    @property
    def commit(self) -> str:
        """The commit whose manifest counts."""
        return self.head_sha


@dataclass(frozen=True)
class PushEvent(_BranchEvent):
    """A branch has another head: somebody pushed, a pull request was merged, or it was seen."""

    pushed_at: str = ""
    """ISO 8601 in UTC; not before it happened, and seconds after it at most."""
    default_branch: str = ""
    repository_id: int = 0
    forced: bool = False
    """Whether the branch may have had this head before: a force-push, or one that was looked at
    and not told of."""
    happened: Literal["advanced"] = "advanced"
    number: int = 0
    """Of the pull request that was merged, where it is known."""

    @property
    def action(self) -> str:
        """The forge's own word for it."""
        return "push"

    @property
    def at(self) -> str:
        """When it happened by the forge's clock, empty where that is not told."""
        return self.pushed_at

    @property
    def order(self) -> Order:
        """How it is told from others that aim at the same; see `Identity`."""
        return "turn" if self.forced else "once"


@dataclass(frozen=True)
class QueueEvent(_BranchEvent):
    """Pull requests are to be merged together if the commit that they would become is good.

    Or they are not any more: merged, taken out of the queue, or put into another group.
    """

    queued_at: str = ""
    """ISO 8601 in UTC."""
    default_branch: str = ""
    repository_id: int = 0
    happened: Literal["queued", "dequeued"] = "queued"
    number: int = 0
    """None: a group may have several pull requests."""

    @property
    def action(self) -> str:
        """The forge's own word for it."""
        return "checks_requested" if self.happened == "queued" else "destroyed"

    @property
    def at(self) -> str:
        """When it happened by the forge's clock, empty where that is not told."""
        return self.queued_at

    @property
    def order(self) -> Order:
        """How it is told from others that aim at the same; see `Identity`."""
        return "once"


Event: TypeAlias = PullRequestEvent | PushEvent | QueueEvent


@dataclass(frozen=True)
class Delivery:
    """One webhook call whose signature was right."""

    id: str
    name: str
    """The forge's own name of what it tells: `pull_request`, `ping`, …"""
    event: Event | None
    """None if it is of another kind."""
    digest: str = ""
    """SHA-256 of the payload: its id is not signed."""
    reason: str = ""
    """Why there is no event, where its name alone does not say it."""


# --- what an event aims at -------------------------------------------------------------------

Order = Literal["turn", "once", "each"]


@dataclass(frozen=True)
class Identity:
    """What an event aims at: events of one identity are one update, however they were told.

    A forge tells one thing often (redelivered, polled, as a push beside the merge), and one aim
    may be meant again (a force-push back to an older head, a base that is changed back). The
    signed times and the order tell these apart. `order` says how:

    - `turn`: what aims at the same as the event before it in its thread is the same;
    - `once`: a commit enters a branch once, unless a force-push took it out;
    - `each`: each moment is a wish in its own right, as of `reopened`.
    """

    repository_id: int
    """0 where it is not told: the name stands for it then."""
    repository: str
    """`owner/name` as it is configured."""
    called: str
    """`owner/name` as the forge has it now; it may have been renamed."""
    thread: str
    """What it is ordered with: `#number`, its pull request, `branch NAME`, or `queue COMMIT`."""
    kind: str
    """What the update is for, in one word."""
    commit: str
    base: str
    at: str
    happened: str
    order: Order
    number: int
    """Of the pull request, where it is known."""
    outside: bool = False
    """Whether it comes from a fork."""


# --- what a look at a forge remembers --------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """A look at one repository of a forge, with what the one before it saw."""

    holder: str
    """Whose look it is."""
    since: str
    """When the newest change of a pull request was that was seen, ISO 8601 in UTC; empty before
    the first look."""
    head: str
    """The head that the followed branch had, empty where that is not known."""
    counts_from: str = ""
    """Since when ends count, as `since` was at the first look."""
