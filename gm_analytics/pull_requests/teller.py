"""Who has pull requests told of their updates, and of what is ignored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from gm_analytics.errors import StoreUnavailable
from gm_analytics.events import PullRequestEvent
from gm_analytics.pull_requests import admission
from gm_analytics.pull_requests.ports import Updates
from gm_analytics.pull_requests.reporter import ask_for_feedback, is_worth_telling
from gm_analytics.settings import Settings
from gm_analytics.updates.model import Outcome, Update

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Teller:
    """Has pull requests told of their updates, where a token is configured.

    The web need not be able to read the token.
    """

    config: Settings
    updates: Callable[[], Updates]
    """Opens the store, which may be away for a while."""

    def began(self, update: Update) -> None:
        """Have it told that an update waits; never fail for it."""
        if self._is_told(update, None, ended=False):
            ask_for_feedback(self.updates(), update, ended=False)

    def ended(self, update: Update, outcome: Outcome | None) -> None:
        """Have it told how an update ended; without an outcome it failed, or waits.

        Raises:
            StoreUnavailable: that could not be stored.

        """
        allowed = admission.reason_to_ignore(update, self.config) is None
        if allowed and self._is_told(update, outcome, ended=True):
            self.updates().enqueue_feedback(update, ended=True)
        if outcome:
            self.compared(update.mirror, outcome)

    def ignored(self, event: PullRequestEvent, reason: str) -> None:
        """Have a pull request told why it causes no update; never fail for it."""
        if not self.config.github.has_token:
            return
        try:
            self.updates().enqueue_notice(event, reason)
        except StoreUnavailable as error:
            log.error("%s: it is not told that it is ignored: %s", event.key, error)

    def compared(self, mirror: str, outcome: Outcome) -> None:
        """Have other open pull requests told what merging them would change after this.

        Raises:
            StoreUnavailable: that could not be stored.

        """
        for standing in outcome.others:
            other = self.updates().note_standing(mirror, standing)
            if other and self._is_told(other, None, ended=True):
                self.updates().enqueue_feedback(other, ended=True)

    def _is_told(self, update: Update, outcome: Outcome | None, *, ended: bool) -> bool:
        return self.config.github.has_token and is_worth_telling(update, outcome, ended=ended)
