"""One attempt at an update: performed, and noted to have ended, failed, or to wait."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import sqlalchemy as sa
from dbos import error
from sqlalchemy.exc import SQLAlchemyError

from gm_analytics import measures
from gm_analytics.engine import audit, cancelling, index, sights, unseen, waiting
from gm_analytics.engine.database import is_away
from gm_analytics.engine.holding import Holding
from gm_analytics.engine.progress import Kept, Logged
from gm_analytics.engine.run import LeaseLost
from gm_analytics.engine.steps import DurableStep
from gm_analytics.errors import (
    Cancelled,
    GmError,
    Malformed,
    NewerFormat,
    StoreUnavailable,
    Unexpected,
)
from gm_analytics.log_context import concerning
from gm_analytics.stored import MAX_SHOWN
from gm_analytics.updates.audit import made_by, of_cancel, of_end
from gm_analytics.updates.model import Outcome, Update
from gm_analytics.updates.progress import Telling
from gm_analytics.updates.states import State
from gm_analytics.updates.waiting import Briefly, Retry, Wait, after, is_worth_telling

log = logging.getLogger(__name__)
Perform = Callable[[Update, DurableStep], Outcome]
Tell = Callable[[Update, "Outcome | None"], None]
"""Has that said, once an attempt has ended; without an outcome it failed, or waits."""
T = TypeVar("T")
AWAY = 30.0
"""Seconds at most between two looks at a database that is away."""
SEARCHED = 20
"""Packages that were added by whose names an update is found."""
SHOWN = 8
"""Characters of an update's id that are told to everybody on this machine; the whole one opens
its page."""
_CHANGED_WHAT_IS_SERVED = {"published", "previewed", "closed"}
_FOUND_THE_MIRROR = {*_CHANGED_WHAT_IS_SERVED, "unchanged"}


@dataclass(frozen=True)
class Attempts:
    """Performs updates, and keeps the index; DBOS keeps the rest."""

    engine: sa.Engine
    perform: Perform
    tell: Tell
    retry: Retry
    clock: waiting.Clock
    stopped: threading.Event
    """Set when the worker ends."""
    holding: Holding

    def take(self, workflow_id: str, values: object) -> Outcome:
        """Perform what is stored, unless it is not an update or not this workflow's.

        Raises:
            NewerFormat: it can be performed once that version is back.

        """
        try:
            work = Update.read(values)
            self._see_that_it_is_of(workflow_id, work)
        except NewerFormat as error:
            log.error("update %s: failed: %s; hint: %s", workflow_id, error, error.hint)
            self._note(index.end, workflow_id, "failed", str(error))
            _count_broken(measures.OTHER, error)
            raise
        except Malformed as error:
            return self.ignore(workflow_id, error)
        with concerning(update=work.id, mirror=work.mirror):
            return self.run(work)

    def _see_that_it_is_of(self, workflow_id: str, work: Update) -> None:
        """See that no other update's records, and no other mirror's turn, are taken."""
        if work.id != workflow_id:
            raise Malformed(
                f"the id of its workflow, {workflow_id[:MAX_SHOWN]!a}",
                f"id {work.id[:MAX_SHOWN]!a}",
            )
        # Not by DBOS's own function: that would be a step, and updates that run have none here.
        mirror = self._lasting(
            "reading whose turn it has", work, lambda at: index.partition(at, workflow_id)
        )
        if mirror is not None and work.mirror != mirror:
            expected = f"the mirror of its partition, {mirror[:MAX_SHOWN]!a}"
            raise Malformed(expected, f"mirror {work.mirror[:MAX_SHOWN]!a}")

    def run(self, work: Update) -> Outcome:
        """Perform an update, or go on with it."""
        log.info("update %s: started for mirror %s", work.id, work.mirror)
        before = self._lasting("starting", work, lambda at: _begin(at, work))
        try:
            outcome = self._told(work, before)
        except LeaseLost as lost:
            log.warning("update %s: stopped, to go on in another worker: %s", work.id, lost)
            raise
        except Exception as failure:
            error = _known(failure)
            self._broke(work, failure, error, before)
            raise error from failure
        now = self.clock()
        self._lasting("ending", work, lambda at: _end(at, work, outcome, now))
        _count(work, outcome.state, now)
        log.info("update %s: %s: %s", work.id, outcome.state, outcome.message)
        if outcome.state in _FOUND_THE_MIRROR:
            self._note(sights.after, work, outcome)
        self._tell(work, outcome)
        return outcome

    def _broke(
        self, work: Update, failure: Exception, error: GmError, before: Wait | None
    ) -> None:
        """Have an update wait for what time may cure; else it has failed."""
        now = self.clock()
        wait = after(error, before, now, self.retry)
        if wait is None:
            self._lasting("ending", work, lambda at: _fail(at, work, error))
            _count_broken(work.mirror, error)
            if isinstance(error, Unexpected):  # a defect, and DBOS's trace is dropped
                log.error("update %s: failed: %s", work.id, error, exc_info=failure)
            else:
                log.error("update %s: failed: %s; hint: %s", work.id, error, error.hint)
            self._tell(work, None)
            return
        telling = is_worth_telling(wait, now)
        wait = replace(wait, told=wait.told or telling)
        self._lasting("waiting", work, lambda at: waiting.park(at, work, wait))
        log.warning("update %s: %s", work.id, wait.says(work.mirror, str(error)))
        if telling:
            self._tell(work, None)

    def _tell(self, work: Update, outcome: Outcome | None) -> None:
        """Have the pull request told, however long the database is away."""
        self._lasting("telling", work, lambda _: self.tell(work, outcome))

    def _lasting(self, doing: str, work: Update, act: Callable[[sa.Connection], T]) -> T:
        """Do something with the database, however long that is away.

        DBOS waits for it in the same way: nothing could be recorded meanwhile, and nothing that
        was accepted is lost.
        """
        pause = 1.0
        while True:
            try:
                with self.engine.begin() as connection:
                    return act(connection)
            except (SQLAlchemyError, StoreUnavailable) as failure:
                if not is_away(failure):
                    raise
                said = str(failure).partition("\n")[0]
                log.warning("update %s: %s: %s; trying again", work.id, doing, said)
            if self.stopped.wait(pause):
                sys.exit(0)  # of this thread: nothing is recorded, and the next worker goes on
            pause = min(2 * pause, AWAY)

    def ignore(self, workflow_id: str, error: Malformed) -> Outcome:
        """End what nobody of this service stored: it has not the form of an update."""
        outcome = Outcome("ignored", f"the stored update is not one: {error}")
        log.error("update %s: ignored: %s", workflow_id, outcome.message)
        self._note(index.end, workflow_id, outcome.state, outcome.message)
        return outcome

    def _told(self, work: Update, before: Wait | None) -> Outcome:
        """Perform an update, and have it told."""
        subject = f"update {work.id}"
        kept = Kept(self.engine, work.id)
        what = f"runs {work.id[:SHOWN]}… for {work.mirror}"
        with (
            self.holding.running(work.id, what) as run,
            Telling((Logged(subject), kept)) as telling,
        ):
            # What was waited for is tried once: a first attempt alone is patient with a mirror.
            attempts = 1 if before and before.woken else self.retry.attempts
            step = DurableStep(subject, Briefly(attempts, self.retry.seconds), telling, run)
            return telling.of(lambda: self.perform(work, step))

    def _note(self, write: Callable[..., None], *values: Any) -> None:
        """Write the index; reading is right without it, so that no update fails for it."""
        try:
            with self.engine.begin() as connection:
                write(connection, *values)
        except (SQLAlchemyError, ValueError, OverflowError) as error:
            log.warning("index of updates: %s", str(error).partition("\n")[0])


def _begin(connection: sa.Connection, work: Update) -> Wait | None:
    """Note that an update runs, and give what it waited for; older ones of its kind may end."""
    index.start(connection, work)
    unseen.forget(connection, work.id)
    waiting.wake_others(connection, work)
    return waiting.read(connection, work.id)


def _end(connection: sa.Connection, work: Update, outcome: Outcome, at: float) -> None:
    """Note how an update ended; what it waited for is there again for others, too."""
    waiting.forget(connection, work.id)
    cancelling.forget(connection, work.id)
    added = " ".join(outcome.added[:SEARCHED])
    index.end(connection, work.id, outcome.state, outcome.message, added)
    audit.write(connection, of_end(work, outcome.state, outcome.message, made_by(outcome)))
    if outcome.state in _FOUND_THE_MIRROR:
        waiting.wake_after(connection, work)
    if outcome.state in _CHANGED_WHAT_IS_SERVED:
        unseen.replaced(connection, work, at)
    if outcome.unseen:
        unseen.store(connection, work, outcome.unseen, at)


def _fail(connection: sa.Connection, work: Update, error: GmError) -> None:
    waiting.forget(connection, work.id)
    cancelling.forget(connection, work.id)
    state = _broken(error)
    index.end(connection, work.id, state, str(error))
    if isinstance(error, Cancelled):
        audit.write(connection, of_cancel(work, error.asked_by))
    else:
        audit.write(connection, of_end(work, state, str(error)))


def _count(work: Update, state: State, now: float) -> None:
    measures.UPDATES.add(mirror=work.mirror, state=state, fault=measures.NONE)
    if state in {"published", "previewed"}:
        measures.UPDATE_SECONDS.add(max(0.0, now - work.requested_at), mirror=work.mirror)


def _count_broken(mirror: str, error: GmError) -> None:
    state = _broken(error)
    fault = error.fault if state == "failed" else measures.NONE
    measures.UPDATES.add(mirror=mirror, state=state, fault=fault)


def _broken(error: GmError) -> State:
    return "cancelled" if isinstance(error, Cancelled) else "failed"


def _known(failure: Exception) -> GmError:
    """Give an error as one of the service's; the database's, and DBOS's, are of its store.

    Among them is a recording that does not fit any more: the steps are safe to repeat.
    """
    if isinstance(failure, SQLAlchemyError | error.DBOSException):
        return StoreUnavailable("recording an update", str(failure).partition("\n")[0])
    return GmError.wrap(failure)
