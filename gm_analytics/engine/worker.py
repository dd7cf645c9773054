"""The worker: performs updates and reports on them, until it is stopped.

The steps of `updates.perform` are the workflow's steps, so a worker that is killed goes on at the
first step that it had not finished.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from dbos import DBOS, DBOSConfig, error
from dbos._utils import GlobalParams

from gm_analytics.engine import draining, given_up, housekeeping, index, unseen, waiting
from gm_analytics.engine.attempts import Attempts, Perform, Tell
from gm_analytics.engine.beside import Beside, Look, looking
from gm_analytics.engine.client import APPLICATION_VERSION, QUEUE
from gm_analytics.engine.database import NAME, connect, engine_options, guarded, locked
from gm_analytics.engine.given_up import GivenUp
from gm_analytics.engine.handover import FEEDBACK, NOTICE
from gm_analytics.engine.holding import Holding
from gm_analytics.engine.housekeeping import Keep
from gm_analytics.engine.leases import Timing
from gm_analytics.engine.pulse import Pulse
from gm_analytics.engine.queries import POLL
from gm_analytics.engine.run import LeaseLost
from gm_analytics.engine.serializer import JSON, refuse_pickles
from gm_analytics.engine.steps import DurableStep
from gm_analytics.errors import GmError, Malformed
from gm_analytics.log_context import concerning
from gm_analytics.supervisor import NOBODY, Supervisor
from gm_analytics.updates.model import Update
from gm_analytics.updates.waiting import (
    Patiently,
    Retry,
)

FEEDBACK_POLL = 0.5
"""Seconds between two looks for something to say; each takes the processor for some
milliseconds."""
log = logging.getLogger(__name__)


class Report(Protocol):
    """Says on pull requests what they cause."""

    def __call__(self, update: Update, ended: bool, step: DurableStep, /) -> None:
        """Say how an update fares, which may have ended."""
        ...

    def ignored(self, notice: object, step: DurableStep, /) -> None:
        """Say, of what was stored, why it causes no update."""
        ...


@contextmanager
def worker(
    url: str,
    perform: Perform,
    report: Report | None,
    retry: Retry,
    executor_id: str | None,
    *,
    tell: Tell = lambda *_: None,
    see: unseen.See = lambda *_: None,
    clock: waiting.Clock = time.time,
    timing: Timing = Timing(),  # noqa: B008  # frozen
    keep: Keep | None = None,
    more: Sequence[Beside] = (),
    supervisor: Supervisor = NOBODY,
    drain: float = 0.0,
) -> Iterator[None]:
    """Perform updates and report on them in threads of this process, until the block ends.

    `tell` has a pull request told how an update ended, or that it waits. `clock` says when what
    waits is due, `see` whether clients see what is published. Without `keep` all updates are kept.
    `more` gives what else is looked at beside them.

    What a worker left unfinished that ended, or died, goes on here or in another. `executor_id`
    begins the id that this one gets.

    Where the block ends by SystemExit, what runs has `drain` seconds to end, too.

    Raises:
        StoreUnavailable: the database cannot be opened.

    """
    refuse_pickles()
    with guarded("starting the worker"):
        engine, stopped, pulse = connect(url), threading.Event(), Pulse(supervisor)
        lease = (executor_id, APPLICATION_VERSION, timing, _take_name)
        holding = Holding(engine, *lease, turned=pulse.turn)
        dbos = DBOS(config=_config(url, holding.executor))
        attempts = Attempts(engine, perform, tell, retry, clock, stopped, holding)
        _register(attempts, report, retry)
        watch = unseen.Watch(engine, see, tell, retry, clock)
        with locked(url, "migration", block=True):
            index.repair(engine)
            DBOS.launch()
        pulse.listen(dbos)
        holding.start()
        logging.getLogger("dbos").addFilter(_is_not_a_trace)
        try:
            for queue, pause in ((QUEUE, POLL), (FEEDBACK, FEEDBACK_POLL)):
                DBOS.register_queue(queue, partition_concurrency=1, polling_interval_sec=pause)
            log.info("worker %s takes updates", holding.executor)
            beside = [
                Look("what clients see", watch.look, unseen.LOOK),
                Look("who waits", waiting.Waits(engine, _rewind, clock).look, waiting.LOOK),
                Look("what was given up", GivenUp(engine, tell).look, given_up.LOOK),
            ]
            beside.extend(one(engine) for one in more)
            if keep:
                tidy = partial(housekeeping.once, engine, keep, stopped)
                look = Look("housekeeping", tidy, housekeeping.EVERY, housekeeping.FIRST)
                beside.append(look)
            with looking(beside, stopped):
                pulse.show(())
                yield
        except SystemExit:
            draining.drain(dbos, drain, supervisor)
            raise
        finally:
            stopped.set()
            holding.stop()
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=0)
            holding.give_back()
            engine.dispose()


def _take_name(executor: str) -> None:
    """Have DBOS take updates under this id from now on; it has no other way to change it."""
    GlobalParams.executor_id = executor


def _rewind(workflow_id: str, mirror: str | None) -> bool:
    """Run an update again, in its mirror's turn; tell whether that was to be done."""
    try:
        DBOS.rewind_workflow(
            workflow_id,
            application_version=APPLICATION_VERSION,
            queue_name=QUEUE,
            queue_partition_key=mirror,
        )
    except error.DBOSException as failure:  # it was retried or cancelled meanwhile
        log.info("update %s: not run again: %s", workflow_id, failure)
        return False
    return True


def _config(url: str, executor: str) -> DBOSConfig:
    return {
        "name": NAME,
        "system_database_url": url,
        "application_version": APPLICATION_VERSION,
        "executor_id": executor,
        "serializer": JSON,
        "db_engine_kwargs": engine_options(url),
        "log_level": "WARNING",
    }


def _register(attempts: Attempts, report: Report | None, retry: Retry) -> None:
    @DBOS.workflow(name=index.WORKFLOW)
    def update(values: dict[str, Any]) -> dict[str, Any]:
        return attempts.take(str(DBOS.workflow_id), values).to_json()

    @DBOS.workflow(name=FEEDBACK)
    def feedback(values: dict[str, Any], ended: bool) -> None:
        what = _what_to_say(values, ended, report)
        if what is None:
            return
        subject, say = what
        try:
            with attempts.holding.running(str(DBOS.workflow_id), "gives feedback") as run:
                pauses = Patiently(retry.seconds, retry.hours)
                say(DurableStep(subject, pauses, run=run))
        except LeaseLost as lost:
            log.warning("%s: stopped: %s", subject, lost)
            raise
        except GmError:
            raise  # it was logged where it was met
        except Exception:
            log.exception("%s: failed", subject)  # a defect, and DBOS's trace is dropped
            raise


def _what_to_say(
    values: Any, ended: bool, report: Report | None
) -> tuple[str, Callable[[DurableStep], None]] | None:
    """Name what a workflow says, and give what says it."""
    if report is None:  # the token went since it was stored
        return None
    if isinstance(values, dict) and NOTICE in values:
        return "feedback", partial(report.ignored, values[NOTICE])
    try:
        work = Update.read(values)
    except Malformed as error:
        log.warning("feedback: ignored: the stored update is not one: %s", error)
        return None
    about = concerning(update=work.id, mirror=work.mirror)
    return f"feedback on update {work.id}", about(partial(report, work, ended))


def _is_not_a_trace(record: logging.LogRecord) -> bool:
    """Drop DBOS's traces of updates that failed: each was logged as what it says of itself."""
    return not str(record.msg).startswith("Exception encountered in background workflow")
