"""What intake and feedback need: a store of updates, and a forge to speak on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from gm_analytics.events import Delivery, Identity, Look, PullRequestEvent, PushEvent
from gm_analytics.mirror.publication import Standing
from gm_analytics.updates import ports
from gm_analytics.updates.model import Record, Update
from gm_analytics.updates.taken import Taken

CommitState = Literal["pending", "success", "failure", "error", "neutral"]
"""The last is none of a commit status: an app says it by a check run, and others say `error`."""


class Updates(Protocol):
    """The durable store, as far as pull requests go."""

    def take(
        self,
        event: Identity,
        update: Update,
        mirrors: Sequence[str],
        *,
        delivery: Delivery | None = None,
        again: bool = True,
    ) -> Taken:
        """Store what an event causes on each of the mirrors, unless the event is known."""
        ...

    def withdraw(self, event: Identity, asked_by: str) -> list[str]:
        """Cancel what an event caused and has not ended; give the ids of that."""
        ...

    def listed_as(self, repository_id: int) -> str | None:
        """Give the configured name of a repository whose id is known, in lower case."""
        ...

    def number_of(self, update_id: str) -> int:
        """Give the pull request that an update is known to be of, else 0."""
        ...

    def name_pull_request(self, update_id: str, number: int) -> None:
        """Note which pull request an update is of, once that is known."""
        ...

    def enqueue_feedback(self, update: Update, *, ended: bool) -> None:
        """Have the pull request told how the update fares: now, or once it has `ended`."""
        ...

    def enqueue_notice(self, event: PullRequestEvent, reason: str) -> None:
        """Have a pull request told, once a commit and reason, why it causes no update."""
        ...

    def note_standing(self, mirror: str, standing: Standing) -> Update | None:
        """Note what merging a pull request would change by now; give its preview's update."""
        ...

    def of_pull_request(self, pull_request: str) -> list[Record]:
        """Give the updates of a thread, the newest first, without steps and outcomes."""
        ...

    def whole(self, record: Record) -> Record:
        """Give a record with how it ended."""
        ...

    def is_superseded(self, update: Update) -> bool:
        """Tell whether a newer update of the same pull request is there for this mirror."""
        ...

    def may_have_preview(self, update: Update) -> bool:
        """Tell whether an earlier update may have left a preview of the same pull request."""
        ...

    def await_end(self, update_id: str) -> None:
        """Wait until an update has ended, however it did."""
        ...


class Forge(ports.Forge, Protocol):
    """What is asked of a forge."""

    def merged_as(self, repository: str, commit: str) -> int:
        """Give the number of the pull request whose merge made a commit, 0 if none did."""
        ...


class Page(Protocol):
    """Some pull requests, those that changed last first."""

    @property
    def pulls(self) -> tuple[PullRequestEvent, ...]:
        """What each is at."""
        ...

    @property
    def oldest(self) -> str:
        """When the one that is listed last changed."""
        ...

    @property
    def following(self) -> str:
        """Where the next page is, empty after the last one."""
        ...


class Watch(Protocol):
    """What the reconciler asks of a forge."""

    def pull_requests(self, repository: str, state: str, page: str = "") -> Page:
        """List pull requests, `open` or `all`; `page` is what the page before names."""
        ...

    def head(self, repository: str, branch: str | None) -> str:
        """Give the newest commit of a branch, by default the repository's own; or nothing."""
        ...

    def pushed(self, repository: str, branch: str | None, head: str) -> PushEvent:
        """Give a branch's head, for which was asked before, as an event."""
        ...


class Looks(Protocol):
    """Whose turn it is to look, and what the last look saw."""

    def begin(self, repository: str, pause: float) -> Look | None:
        """Begin a look if none is under way, and the last one began `pause` seconds ago."""
        ...

    def end(self, repository: str, look: Look) -> bool:
        """End a look, and remember what it saw; tell whether it was still this worker's."""
        ...


class Voice(Protocol):
    """Where feedback is said."""

    def set_status(
        self,
        repository: str,
        sha: str,
        state: CommitState,
        *,
        description: str,
        url: str,
        context: str,
    ) -> None:
        """Say of a commit how it fares in a context."""
        ...

    def put_comment(
        self, repository: str, number: int, marker: str, body: str, *, begin: bool
    ) -> None:
        """Make `body`, which begins with `marker`, the one comment on a pull request.

        Without `begin`, only one that is there is edited.
        """
        ...
