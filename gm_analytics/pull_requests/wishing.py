"""What a worker does of what pages ask for: run an update again, end one, go back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from gm_analytics.engine.cancelling import Answer
from gm_analytics.engine.wishes import update_of
from gm_analytics.pull_requests import admission
from gm_analytics.settings import Settings
from gm_analytics.updates.model import ROLLBACK, Outcome, Record, Update
from gm_analytics.updates.wishes import Fate, Wish


class Updates(Protocol):
    """The store, as far as requests go."""

    def get(self, update_id: str) -> list[Record]:
        """Give an update on each of its mirrors."""
        ...

    def retry(self, update_id: str, mirror: str | None = None, asked_by: str = "") -> bool:
        """Run it again where it failed; tell whether it did."""
        ...

    def cancel(self, update_id: str, asked_by: str) -> Answer:
        """End it on one mirror, or ask its worker to."""
        ...

    def enqueue(self, update: Update) -> bool:
        """Store an update, unless it is there."""
        ...


@dataclass(frozen=True)
class Carrier:
    """Carries requests out; each may come twice."""

    config: Settings
    updates: Updates
    tell: Callable[[Update, Outcome | None], object]
    """Has a pull request told how its update ended."""

    def __call__(self, wish: Wish) -> tuple[Fate, str]:
        """Carry one out; may raise `GmError`."""
        return {"retry": self._retry, "cancel": self._cancel, "rollback": self._roll_back}[
            wish.wanted
        ](wish)

    def _retry(self, wish: Wish) -> tuple[Fate, str]:
        if self.updates.retry(wish.update_id, wish.mirror or None, wish.asked_by):
            return "done", "it waits to be run again"
        states = [record.state for record in self.updates.get(wish.update_id)]
        if any(state in {"waiting", "running"} for state in states):  # this came before
            return "done", "it is being run again"
        return "refused", f"it has not failed, but is {', '.join(states)}"

    def _cancel(self, wish: Wish) -> tuple[Fate, str]:
        found = self._on_its_mirror(wish)
        answers = [(one, self.updates.cancel(one.update.id, wish.asked_by)) for one in found]
        for record, answer in answers:
            if answer == "cancelled":
                self.tell(record.update, None)
        said = {answer for _, answer in answers}
        if "asked" in said:
            return "done", "its worker was asked to stop it"
        if "cancelled" in said:
            return "done", "it is cancelled"
        known = self._on_its_mirror(wish)
        fate: Fate = "done" if all(one.state == "cancelled" for one in known) else "refused"
        return fate, f"it has ended: {', '.join(one.state for one in known)}"

    def _on_its_mirror(self, wish: Wish) -> list[Record]:
        return [
            record
            for record in self.updates.get(wish.update_id)
            if wish.mirror in {"", record.update.mirror}
        ]

    def _roll_back(self, wish: Wish) -> tuple[Fate, str]:
        update = replace(
            Update(update_of(wish), wish.mirror, aim=ROLLBACK),
            author=wish.asked_by,
            back_to=wish.publication,
            expected=wish.expected,
            requested_at=wish.asked_at or time.time(),
        )
        if reason := admission.reason_to_ignore(update, self.config):
            return "refused", reason
        self.updates.enqueue(update)
        return "done", f"it waits for its turn, as update {update.id}"
