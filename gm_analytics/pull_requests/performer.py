"""What a worker does with a stored update: decide whether it may, perform it, have it told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from gm_analytics.engine.steps import DurableStep
from gm_analytics.errors import Cancelled, GmError, LockHeld
from gm_analytics.pull_requests import admission
from gm_analytics.remote.stop import Stop
from gm_analytics.settings import Settings
from gm_analytics.updates.model import Outcome, Update
from gm_analytics.updates.ports import World
from gm_analytics.updates.story import perform

log = logging.getLogger(__name__)
LOCKINGS = 5
"""How often the lock is asked for, of two seconds each: what runs has five to end by itself."""


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
