"""The worker: performs updates and reports on them, until it is stopped.

The steps of `updates.perform` are the workflow's steps, so a worker that is killed goes on at the
first step that it had not finished.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig
from sqlalchemy.exc import SQLAlchemyError

from gm_analytics.engine import index
from gm_analytics.engine.client import APPLICATION_VERSION, FEEDBACK, QUEUE
from gm_analytics.engine.codec import JSON, refuse_pickles
from gm_analytics.engine.database import NAME, connect, guarded, locked
from gm_analytics.engine.progress import Kept, Logged
from gm_analytics.engine.queries import POLL
from gm_analytics.engine.steps import MAX_FEEDBACK_WAIT, DurableStep, Retry
from gm_analytics.errors import GmError, Malformed, NewerFormat, StoreUnavailable
from gm_analytics.stored import MAX_SHOWN
from gm_analytics.updates.model import Outcome, Update
from gm_analytics.updates.progress import Telling

log = logging.getLogger(__name__)
Perform = Callable[[Update, DurableStep], Outcome]
Report = Callable[[Update, bool, DurableStep], None]
"""Says on a pull request how an update fares; the flag is whether it has ended."""


@contextmanager
def worker(
    url: str, perform: Perform, report: Report | None, retry: Retry, executor_id: str | None
) -> Iterator[None]:
    """Perform updates and report on them in threads of this process, until the block ends.

    Updates that an earlier worker of the same executor id left unfinished go on.

    Raises:
        StoreUnavailable: the database cannot be opened.

    """
    refuse_pickles()
    with guarded("starting the worker"), _executor(url, executor_id) as executor:
        DBOS(config=_config(url, executor))
        engine = connect(url)
        _register(_Updates(engine, perform, retry), report, retry)
        with locked(url, "migration", block=True):
            index.repair(engine)
            DBOS.launch()
        logging.getLogger("dbos").addFilter(_is_not_a_trace)
        try:
            for queue in (QUEUE, FEEDBACK):
                DBOS.register_queue(queue, partition_concurrency=1, polling_interval_sec=POLL)
            log.info("worker %s takes updates", executor)
            yield
        finally:
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=0)
            engine.dispose()


def _config(url: str, executor: str) -> DBOSConfig:
    return {
        "name": NAME,
        "system_database_url": url,
        "application_version": APPLICATION_VERSION,
        "executor_id": executor,
        "serializer": JSON,
        "log_level": "WARNING",
    }


def _register(updates: _Updates, report: Report | None, retry: Retry) -> None:
    @DBOS.workflow(name=index.WORKFLOW)
    def update(values: dict[str, Any]) -> dict[str, Any]:
        return updates.take(str(DBOS.workflow_id), values).to_json()

    @DBOS.workflow(name=FEEDBACK)
    def feedback(values: dict[str, Any], ended: bool) -> None:
        try:
            work = Update.read(values)
        except Malformed as error:
            log.warning("feedback: ignored: the stored update is not one: %s", error)
            return
        subject = f"feedback on update {work.id}"
        if report is None:  # the token went since it was stored
            return
        try:
            report(work, ended, DurableStep(subject, retry, MAX_FEEDBACK_WAIT))
        except GmError:
            raise  # it was logged where it was met
        except Exception:
            log.exception("%s: failed", subject)  # a defect, and DBOS's trace is dropped
            raise


class _Updates:
    """Performs updates, and keeps the index; DBOS keeps the rest."""

    def __init__(self, engine: sa.Engine, perform: Perform, retry: Retry) -> None:
        self._engine = engine
        self._perform = perform
        self._retry = retry

    def take(self, workflow_id: str, values: object) -> Outcome:
        """Perform what is stored, unless it is not an update or not this workflow's.

        Raises:
            NewerFormat: it can be performed once that version is back.

        """
        try:
            work = Update.read(values)
            self._see_that_it_is_of(workflow_id, work)
        except NewerFormat:
            raise
        except Malformed as error:
            return self.ignore(workflow_id, error)
        return self.run(work)

    def _see_that_it_is_of(self, workflow_id: str, work: Update) -> None:
        """See that no other update's records, and no other mirror's turn, are taken."""
        if work.id != workflow_id:
            raise Malformed(
                f"the id of its workflow, {workflow_id[:MAX_SHOWN]!a}",
                f"id {work.id[:MAX_SHOWN]!a}",
            )
        # Not by DBOS's own function: that would be a step, and updates that run have none here.
        doing = f"reading whose turn update {workflow_id} has"
        with guarded(doing), self._engine.connect() as connection:
            mirror = index.partition(connection, workflow_id)
        if mirror is not None and work.mirror != mirror:
            expected = f"the mirror of its partition, {mirror[:MAX_SHOWN]!a}"
            raise Malformed(expected, f"mirror {work.mirror[:MAX_SHOWN]!a}")

    def run(self, work: Update) -> Outcome:
        """Perform an update, or go on with it."""
        log.info("update %s: started for mirror %s", work.id, work.mirror)
        self._note(index.start, work)
        try:
            outcome = self._told(work)
        except Exception as failure:
            self._note(index.end, work.id, "failed", str(GmError.wrap(failure)))
            if isinstance(failure, GmError):  # which needs no trace
                log.error("update %s: failed: %s; hint: %s", work.id, failure, failure.hint)
            raise
        self._note(index.end, work.id, outcome.state, outcome.message)
        log.info("update %s: %s: %s", work.id, outcome.state, outcome.message)
        return outcome

    def ignore(self, workflow_id: str, error: Malformed) -> Outcome:
        """End what nobody of this service stored: it has not the form of an update."""
        outcome = Outcome("ignored", f"the stored update is not one: {error}")
        log.error("update %s: ignored: %s", workflow_id, outcome.message)
        self._note(index.end, workflow_id, outcome.state, outcome.message)
        return outcome

    def _told(self, work: Update) -> Outcome:
        """Perform an update, and have it told."""
        subject = f"update {work.id}"
        with Telling((Logged(subject), Kept(self._engine, work.id))) as telling:
            step = DurableStep(subject, self._retry, telling=telling)
            return telling.of(lambda: self._perform(work, step))

    def _note(self, write: Callable[..., None], *values: Any) -> None:
        """Write the index; reading is right without it, so that no update fails for it."""
        try:
            with self._engine.begin() as connection:
                write(connection, *values)
        except (SQLAlchemyError, ValueError, OverflowError) as error:
            log.warning("index of updates: %s", str(error).partition("\n")[0])


def _is_not_a_trace(record: logging.LogRecord) -> bool:
    """Drop DBOS's traces of updates that failed: each was logged as what it says of itself."""
    return not str(record.msg).startswith("Exception encountered in background workflow")


@contextmanager
def _executor(url: str, configured: str | None) -> Iterator[str]:
    """Give an executor id that no live process of this machine has.

    A worker resumes what an earlier one with its id left, so the id must be the same after a
    restart and never be shared: the first free one of `HOST-0`, `HOST-1`, … is taken, and a lock
    file that dies with the process says which are taken.
    """
    base = configured or socket.gethostname()
    for number in range(1000):
        with locked(url, f"executor-{base}-{number}", block=False) as free:
            if free:
                yield f"{base}-{number}"
                return
    raise StoreUnavailable("choosing an executor id", f"a thousand of {base} are taken")
