"""What intake and feedback need: a store of updates, and a forge to speak on."""

from __future__ import annotations

from typing import Literal, Protocol

from gm_analytics.updates.model import Record, Update

CommitState = Literal["pending", "success", "failure", "error"]


class Updates(Protocol):
    """The durable store, as far as pull requests go."""

    def enqueue(self, update: Update) -> bool:
        """Store an update; tell whether it will be performed because of this call."""
        ...

    def enqueue_feedback(self, update: Update, *, ended: bool) -> None:
        """Have the pull request told how the update fares: now, or once it has `ended`."""
        ...

    def of_pull_request(self, pull_request: str) -> list[Record]:
        """Give a pull request's updates, the newest first, without steps and outcomes."""
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
