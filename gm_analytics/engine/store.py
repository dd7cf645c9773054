"""The durable engine: DBOS over SQLite or PostgreSQL.

An update is a workflow, its id the delivery's. The queue is partitioned by mirror, one update
at a time in each; the steps of `updates.perform` are the workflow's steps, so a worker that is
killed goes on at the first step it had not finished. There is no other table: history, state
and timings are DBOS's own. What is said on pull requests is a workflow of its own, on a queue
that is partitioned by pull request: one comment has one writer, and GitHub's rate limits hold
up no mirror. Source: https://docs.dbos.dev/python/reference
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import socket
import sqlite3
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, get_type_hints

from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, Serializer, WorkflowStatus, error
from pydantic import TypeAdapter
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from gm_analytics.errors import (
    GitHubUnavailable,
    GmError,
    StoreUnavailable,
    TransientError,
    UnknownUpdate,
)
from gm_analytics.updates.model import Outcome, Record, State, StepRecord, Update
from gm_analytics.updates.story import P, R

NAME = "gm_analytics"
QUEUE = "updates"
WORKFLOW = "update"
FEEDBACK = "feedback"
"""The queue and the workflow."""
APPLICATION_VERSION = "1"
"""Fixed: DBOS would derive it from the code, and an upgrade would leave old updates behind.
Raise it when the order or the values of the steps change."""
POLL = 0.1
"""Seconds between two looks at the queue."""
MAX_WAIT = 900.0
"""Seconds; a rate limit that lasts longer than this fails the update."""
MAX_FEEDBACK_WAIT = 4000.0
"""Seconds; GitHub's limits are an hour's."""
PARTITION_SEPARATOR = "@"

log = logging.getLogger(__name__)
Perform = Callable[[Update, "DurableStep"], Outcome]
Report = Callable[[Update, bool, "DurableStep"], None]
"""Says on a pull request how an update fares; the flag is whether it has ended."""


_ENDED_WITHOUT_RESULT = (
    error.DBOSAwaitedWorkflowCancelledError,
    error.DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded,
)


class JsonSerializer(Serializer):
    """Everything that is stored is JSON, errors of ours included; DBOS's default pickles."""

    def name(self) -> str:
        """Name the format in the database."""
        return "gm_analytics_json"

    def serialize(self, data: Any) -> str:
        """Give JSON text."""
        if isinstance(data, BaseException):
            data = {"__error__": GmError.wrap(data).to_json()}
        return json.dumps(data)

    def deserialize(self, serialized_data: str) -> Any:
        """Read what `serialize` wrote."""
        data = json.loads(serialized_data)
        if isinstance(data, dict) and "__error__" in data:
            return GmError.from_json(data["__error__"])
        return data


@dataclass(frozen=True)
class Retry:
    """How often a transient error is tried again, and the first pause in seconds; it doubles."""

    attempts: int = 6
    seconds: float = 2.0


class Store:
    """The store from outside a worker: put updates in, look at them."""

    def __init__(self, url: str) -> None:
        """Open the store, and create its tables where they are missing.

        Raises:
            StoreUnavailable: it cannot be opened.

        """
        self._name = make_url(url).render_as_string(hide_password=True)
        with _guarded("opening the database"):
            with _locked(url, "migration", block=True):
                _share(url)
                DBOS.migrate(url)
                _write_ahead(url)
            self._client = DBOSClient(
                system_database_url=url,
                serializer=JsonSerializer(),
                retry_connection_errors=False,
                application_name=NAME,
            )

    def close(self) -> None:
        """Close the connections."""
        self._client.destroy()

    def enqueue(self, update: Update) -> bool:
        """Store an update; one that is there already is left alone, unless it failed.

        One that was ignored is decided on again.

        Tells whether it will be performed because of this call.

        Raises:
            StoreUnavailable: it could not be stored.

        """
        options: EnqueueOptions = {
            "queue_name": QUEUE,
            "workflow_name": WORKFLOW,
            "workflow_id": update.id,
            "workflow_id_reuse_policy": "reject",
            "queue_partition_key": update.mirror,
            "app_version": APPLICATION_VERSION,
            # DBOS finds updates by user on both databases, by attributes on PostgreSQL alone.
            "authenticated_user": update.pull_request,
        }
        with _guarded(f"storing update {update.id}"):
            try:
                self._client.enqueue(options, asdict(update))
            except error.DBOSWorkflowIDInUseError:
                return self._retry_if_failed(update.id)
        return True

    def enqueue_feedback(self, update: Update, *, ended: bool) -> None:
        """Have the pull request say how the update fares: now, or once it has `ended`.

        Raises:
            StoreUnavailable: it could not be stored.

        """
        options: EnqueueOptions = {
            "queue_name": FEEDBACK,
            "workflow_name": FEEDBACK,
            # Feedback says what is so when it runs; the same twice is harmless.
            "workflow_id": f"{FEEDBACK}-{uuid.uuid4()}",
            "queue_partition_key": update.pull_request,
            "app_version": APPLICATION_VERSION,
        }
        with _guarded(f"storing feedback on update {update.id}"):
            self._client.enqueue(options, asdict(update), ended)

    def retry(self, update_id: str) -> bool:
        """Run a failed update again under its id; tell whether it was one.

        Raises:
            UnknownUpdate: there is none of this id.
            StoreUnavailable: the store did not answer.

        """
        records = self.get(update_id)
        retried = [self._retry_if_failed(record.update.id) for record in records]
        return any(retried)

    def get(self, update_id: str) -> list[Record]:
        """Give an update with its steps: one record a mirror.

        Raises:
            UnknownUpdate: there is none of this id.
            StoreUnavailable: the store did not answer.

        """
        with _guarded(f"reading update {update_id}"):
            prefixes = [update_id, update_id + PARTITION_SEPARATOR]
            found = [
                status
                for status in self._client.list_workflows(
                    name=WORKFLOW, workflow_id_prefix=prefixes[0]
                )
                if status.workflow_id == update_id or status.workflow_id.startswith(prefixes[1])
            ]
            if not found:
                raise UnknownUpdate(update_id)
            return [_record(status, self._steps(status.workflow_id)) for status in found]

    def recent(self, limit: int = 20) -> list[Record]:
        """Give the newest updates first, without their steps."""
        with _guarded("listing updates"):
            found = self._client.list_workflows(name=WORKFLOW, limit=limit, sort_desc=True)
            return [_record(status, ()) for status in found]

    def await_end(self, update_id: str) -> None:
        """Wait until an update has ended, however it did."""
        with (
            _guarded(f"waiting for the end of update {update_id}"),
            suppress(GmError, *_ENDED_WITHOUT_RESULT),
        ):
            self._client.retrieve_workflow(update_id).get_result(polling_interval_sec=POLL)

    def of_pull_request(self, pull_request: str) -> list[Record]:
        """Give a pull request's updates, the newest first, without their steps."""
        with _guarded(f"looking for updates of {pull_request}"):
            found = self._client.list_workflows(name=WORKFLOW, user=pull_request)
            records = [_record(status, ()) for status in found]
        return sorted(records, key=lambda record: record.update.order, reverse=True)

    def is_superseded(self, update: Update) -> bool:
        """Tell whether a newer update of the same pull request is there for this mirror.

        One that has ended well counts too: within a second SQLite keeps no order, so the newer
        one may have been performed first, and an older head must not be applied after it. A merge
        looks at what is live instead: another pull request's may be the newer one.
        """
        if not update.pull_request or update.kind == "merge":
            return False
        with _guarded(f"looking for updates of {update.pull_request}"):
            found = self._client.list_workflows(
                name=WORKFLOW,
                status=["ENQUEUED", "PENDING", "SUCCESS"],
                user=update.pull_request,
                load_output=False,
            )
        # DBOS keeps whole seconds on SQLite, so the updates' own times are compared.
        others = [Update(**status.input["args"][0]) for status in found if status.input]
        return any(
            other.mirror == update.mirror and other.order > update.order for other in others
        )

    def check(self) -> str:
        """Ask the database for anything; name it.

        Raises:
            StoreUnavailable: it does not answer.

        """
        with _guarded("asking the database"):
            self._client.list_workflows(limit=1, load_input=False, load_output=False)
        return self._name

    def _retry_if_failed(self, workflow_id: str) -> bool:
        found = self._client.list_workflows(workflow_ids=[workflow_id], load_input=False)
        if _state(found[0]) not in {"failed", "cancelled", "ignored"}:
            return False
        try:
            # Without them it would leave its mirror's partition, and run beside another update.
            self._client.rewind_workflow(
                workflow_id,
                application_version=APPLICATION_VERSION,
                queue_name=QUEUE,
                queue_partition_key=found[0].queue_partition_key,
            )
        except error.DBOSException:
            # Another redelivery was quicker: it is active again.
            log.info("update %s is being retried already", workflow_id)
        return True

    def _steps(self, workflow_id: str) -> tuple[StepRecord, ...]:
        return tuple(
            StepRecord(
                step["function_name"],
                (step["started_at_epoch_ms"] or 0) / 1000,
                (step["completed_at_epoch_ms"] or 0) / 1000,
                str(step["error"]) if step["error"] else None,
            )
            for step in self._client.list_workflow_steps(workflow_id)
            if not step["function_name"].startswith("DBOS.")
        )


@contextmanager
def worker(
    url: str, perform: Perform, report: Report, retry: Retry, executor_id: str | None
) -> Iterator[None]:
    """Perform updates and report on them in threads of this process, until the block ends.

    Updates that an earlier worker of the same executor id left unfinished go on.

    Raises:
        StoreUnavailable: the database cannot be opened.

    """
    with _guarded("starting the worker"), _executor(url, executor_id) as executor:
        config: DBOSConfig = {
            "name": NAME,
            "system_database_url": url,
            "application_version": APPLICATION_VERSION,
            "executor_id": executor,
            "serializer": JsonSerializer(),
            "log_level": "WARNING",
        }
        DBOS(config=config)

        @DBOS.workflow(name=WORKFLOW)
        def update(values: dict[str, Any]) -> dict[str, Any]:
            work = Update(**values)
            log.info("update %s: started for mirror %s", work.id, work.mirror)
            try:
                outcome = perform(work, DurableStep(f"update {work.id}", retry))
            except GmError as failure:
                log.error("update %s: failed: %s", work.id, failure)  # ours: no trace
                raise
            log.info("update %s: %s: %s", work.id, outcome.state, outcome.message)
            return asdict(outcome)

        @DBOS.workflow(name=FEEDBACK)
        def feedback(values: dict[str, Any], ended: bool) -> None:
            work = Update(**values)
            subject = f"feedback on update {work.id}"
            try:
                report(work, ended, DurableStep(subject, retry, MAX_FEEDBACK_WAIT))
            except GmError:
                raise  # it was logged where it was met
            except Exception:
                log.exception("%s: failed", subject)  # a defect, and DBOS's trace is dropped
                raise

        with _locked(url, "migration", block=True):
            DBOS.launch()
        logging.getLogger("dbos").addFilter(_is_not_a_trace)
        try:
            for queue in (QUEUE, FEEDBACK):
                DBOS.register_queue(queue, partition_concurrency=1, polling_interval_sec=POLL)
            log.info("worker %s takes updates", executor)
            yield
        finally:
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=0)


def _is_not_a_trace(record: logging.LogRecord) -> bool:
    """Drop DBOS's traces of updates that failed: each was logged as what it says of itself."""
    return not str(record.msg).startswith("Exception encountered in background workflow")


class DurableStep:
    """Runs a function as a DBOS step and tries transient errors again, with growing pauses.

    Each attempt is a step of its own and each pause is durable, so a restart neither repeats
    nor forgets one. Values are stored as JSON and come back as the function's annotation says.
    """

    def __init__(self, subject: str, retry: Retry, max_wait: float = MAX_WAIT) -> None:
        """Name what the steps are of, for the log; `max_wait` in seconds bounds one pause."""
        self._subject = subject
        self._retry = retry
        self._max_wait = max_wait

    def __call__(
        self, name: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Give what the function returned, now or in an earlier life of the workflow."""
        adapter = _adapter(getattr(function, "__func__", function))

        def once() -> Any:
            return adapter.dump_python(function(*args, **kwargs), mode="json")

        for attempt in range(1, self._retry.attempts + 1):
            try:
                stored = DBOS.run_step({"name": name}, once)
            except TransientError as failure:
                pause = self._pause(failure, attempt)
                if attempt == self._retry.attempts or pause > self._max_wait:
                    raise
                log.warning(
                    "%s: %s: %s; trying again in %g s",
                    self._subject,
                    name,
                    failure,
                    pause,
                )
                DBOS.sleep(pause)
            else:
                value: R = adapter.validate_python(stored)
                return value
        raise AssertionError("unreachable")

    def _pause(self, failure: TransientError, attempt: int) -> float:
        backoff: float = self._retry.seconds * 2 ** (attempt - 1)
        asked = failure.retry_after if isinstance(failure, GitHubUnavailable) else None
        return max(backoff, asked or 0)


@lru_cache
def _adapter(function: Callable[..., Any]) -> TypeAdapter[Any]:
    return TypeAdapter(get_type_hints(function)["return"])


def _record(status: WorkflowStatus, steps: tuple[StepRecord, ...]) -> Record:
    update = Update(**status.input["args"][0]) if status.input else Update(status.workflow_id, "")
    outcome = TypeAdapter(Outcome).validate_python(status.output) if status.output else None
    failure = GmError.wrap(status.error) if status.error else None
    state = _state(status)
    return Record(
        update=update,
        state=state,
        message=str(failure or (outcome.message if outcome else state)),
        accepted_at=update.requested_at or (status.created_at or 0) / 1000,
        started_at=status.dequeued_at / 1000 if status.dequeued_at else None,
        completed_at=status.completed_at / 1000 if status.completed_at else None,
        outcome=outcome,
        error=failure,
        steps=steps,
    )


def _state(status: WorkflowStatus) -> State:
    if status.status == "SUCCESS" and isinstance(status.output, dict):
        state: State = status.output["state"]
        return state
    states: dict[str, State] = {
        "ENQUEUED": "waiting",
        "DELAYED": "waiting",
        "PENDING": "running",
        "CANCELLED": "cancelled",
    }
    return states.get(status.status, "failed")


def _write_ahead(url: str) -> None:
    """Have SQLite keep a write-ahead log: one fsync a commit, and readers do not wait.

    The mode stays with the file. DBOS leaves it at the default, a rollback journal.
    """
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)) as database:
            database.execute("PRAGMA journal_mode=WAL")


@contextmanager
def _guarded(doing: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, error.DBOSException, OSError) as failure:
        raise StoreUnavailable(doing, str(failure).partition("\n")[0]) from failure


@contextmanager
def _executor(url: str, configured: str | None) -> Iterator[str]:
    """Give an executor id that no live process of this machine has.

    A worker resumes what an earlier one with its id left, so the id must be the same after a
    restart and never be shared: the first free one of `HOST-0`, `HOST-1`, … is taken, and a lock
    file that dies with the process says which are taken.
    """
    base = configured or socket.gethostname()
    for number in range(1000):
        with _locked(url, f"executor-{base}-{number}", block=False) as free:
            if free:
                yield f"{base}-{number}"
                return
    raise StoreUnavailable("choosing an executor id", f"a thousand of {base} are taken")


@contextmanager
def _locked(url: str, name: str, *, block: bool) -> Iterator[bool]:
    """Hold a lock file of this machine that belongs to the database; tell whether it was had."""
    with _lock_file(url, name) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if block else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


def _lock_file(url: str, name: str) -> IO[str]:
    if url.startswith("sqlite:///"):
        database = Path(url.removeprefix("sqlite:///"))
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _open(database.with_name(f"{database.name}.{name}.lock"))
    directory = Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    return (directory / f"{digest}.{name}.lock").open("w")


def _share(url: str) -> None:
    """Make SQLite's file with the mode that its directory asks for; -wal and -shm take it over.

    A file that is there is not opened: closing it would drop the locks that SQLite holds on it
    elsewhere in this process.
    """
    if not url.startswith("sqlite:///"):
        return
    database = Path(url.removeprefix("sqlite:///"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with suppress(FileExistsError):
        os.close(os.open(database, flags, _mode(database)))
    for path in (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))):
        with suppress(FileNotFoundError):
            _set_mode(path)


def _open(path: Path) -> IO[str]:
    """Open a lock file of the store, with the mode that its directory asks for."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _mode(path))
    _set_mode(path)
    return os.fdopen(descriptor, "r+")


def _set_mode(path: Path) -> None:
    """Give a file of this account its mode, whatever the umask was when it was made."""
    if path.stat().st_uid == os.geteuid():
        path.chmod(_mode(path))


def _mode(path: Path) -> int:
    """Give the mode of a file of the store.

    A directory with the set-group-ID bit is one that a group shares, as web and worker do when
    they are two accounts. Anywhere else the file is its owner's alone.
    """
    return 0o660 if path.parent.stat().st_mode & stat.S_ISGID else 0o600
