"""What a worker does with a stored update: decide whether it may, perform it, have it told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from gm_analytics.engine.steps import DurableStep
from gm_analytics.errors import Cancelled, GmError, LockHeld, StoreUnavailable
from gm_analytics.events import PullRequestEvent
from gm_analytics.pull_requests import admission
from gm_analytics.pull_requests.ports import Updates
from gm_analytics.pull_requests.reporter import ask_for_feedback, is_worth_telling
from gm_analytics.remote.stop import Stop
from gm_analytics.settings import Settings
from gm_analytics.updates.model import Outcome, Update
from gm_analytics.updates.ports import World
from gm_analytics.updates.story import perform

log = logging.getLogger(__name__)
LOCKINGS = 5
"""How often the lock is asked for, of two seconds each: what runs has five to end by itself."""


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


@dataclass(frozen=True)
class Performer:
    """Performs updates that the configuration allows."""

    config: Settings
    world: World
    number_of: Callable[[Update], int]
    """Finds the pull request whose merge a push was."""

    def __call__(self, update: Update, step: DurableStep) -> Outcome:
        """Give how an update ended.

        Raises:
            GmError: why it failed.

        """
        # Not a step: updates that an earlier version began have none here.
        if reason := admission.reason_to_ignore(update, self.config):
            return Outcome("ignored", reason)
        if update.aim.cause == "merge" and not update.number:
            number = step("find pull request", self.number_of, update)
            update = replace(update, number=number)
        stop = Stop()
        step.run.when_stopped(stop.ask)
        heard = self.world.mirrors.heard_by(step.telling.line).stopped_by(stop)
        try:
            return perform(update, replace(self.world, mirrors=heard), step)
        except Cancelled:
            if stop.asked:  # what swept staging was stopped as well
                self._sweep(update)
            raise

    def _sweep(self, update: Update) -> None:
        """Leave nothing on the mirror. Its lock is had once what ran there has ended."""
        for left in reversed(range(LOCKINGS)):
            try:
                with self.world.mirrors.open(update.mirror) as mirror:
                    mirror.sweep(update.id)
            except LockHeld as error:  # what was stopped takes its time to end
                if left:
                    continue
                _log_unswept(update, error)
            except GmError as error:
                _log_unswept(update, error)
            return


def _log_unswept(update: Update, error: GmError) -> None:
    """Say what a later update removes."""
    log.warning("update %s: sweeping what is left of it: %s", update.id, error)
