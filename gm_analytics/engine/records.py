"""Stored rows as values: what an update was, how it fares, how it ended. No I/O.

A row that cannot be read is a failed update whose message says why: it hides no other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from gm_analytics.engine.codec import DAMAGED, decode
from gm_analytics.errors import (
    Cancelled,
    ForeignFormat,
    GmError,
    Malformed,
    NewerFormat,
    TakenTooOften,
)
from gm_analytics.mirror.publication import Standing
from gm_analytics.updates import states
from gm_analytics.updates.model import MAX_TIME, NOTHING, Outcome, Record, StepRecord, Update
from gm_analytics.updates.states import State
from gm_analytics.updates.waiting import Wait, known
from gm_analytics.wording import clean

Row: TypeAlias = Any
"""SQLAlchemy's, with the columns of its query as attributes."""
GIVEN_UP = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
"""DBOS's status of what it begins no more: see `given_up`."""
_STATES: dict[str, State] = {
    "ENQUEUED": "waiting",
    "DELAYED": "waiting",
    "PENDING": "running",
    "ERROR": "failed",
    "CANCELLED": "cancelled",
    GIVEN_UP: "failed",
}
"""What DBOS's statuses mean; of SUCCESS the outcome tells."""
UNDER_WAY = {status: state for status, state in _STATES.items() if not states.ended(state)}
"""DBOS's statuses of what has not ended."""
RETRIABLE = frozenset(status for status, state in _STATES.items() if states.retriable(state))
"""DBOS's statuses of what ended otherwise than with an outcome."""
WAITS = "ERROR"
"""DBOS's status of what waits between two attempts, where `gm_waits` has a row of it."""
MAX_MESSAGE = 1000
"""Characters of a message that the index keeps; the whole is with the outcome or the error."""


def moment(value: object) -> float:
    """Give a stored time, in seconds since the epoch: 0 for what is none."""
    valid = isinstance(value, int | float) and 0 <= value <= MAX_TIME
    return float(value) if valid else 0.0  # type: ignore[arg-type]  # a number then


def moment_of_dbos(milliseconds: object) -> float:
    """Give a time as DBOS stores it."""
    return moment(milliseconds / 1000) if isinstance(milliseconds, int | float) else 0.0


def kept(message: object) -> str:
    """Give of a message what the index keeps."""
    return clean(str(message)[:MAX_MESSAGE])


def state_of(status: str | None) -> State:
    """Give the state of an update of which DBOS's status alone can be read."""
    return _STATES.get(str(status), "ignored")


@dataclass(frozen=True)
class Ending:
    """How an update ended."""

    state: State
    message: str
    outcome: Outcome | None = None
    error: GmError | None = None


def ending(row: Row) -> Ending:
    """Read an ending from DBOS's own record: `status`, `output`, `error`, `serialization`."""
    try:
        if row.status == "SUCCESS":
            outcome = _outcome(decode(row.output, row.serialization))
            return Ending(outcome.state, outcome.message, outcome)
        error = decode(row.error, row.serialization)
    except GmError as unreadable:
        return Ending("failed", str(unreadable), error=unreadable)
    state = "cancelled" if isinstance(error, Cancelled) else _STATES.get(row.status, "failed")
    if error is None and row.status == GIVEN_UP:
        error = TakenTooOften()
    if error is None:
        return Ending(state, state)
    wrapped = GmError.wrap(error) if isinstance(error, BaseException) else _damaged()
    return Ending(state, str(wrapped), error=wrapped)


def _outcome(value: Any) -> Outcome:
    try:
        return Outcome.read(value)
    except NewerFormat:
        raise
    except Malformed as error:
        raise _damaged() from error


def _damaged() -> ForeignFormat:
    return ForeignFormat(DAMAGED)


def wait_of(row: Row) -> Wait | None:
    """Read what an update waits for, or waited for; None if nothing is known of it."""
    what = known(row.waits_for)
    return what and Wait(
        what,
        str(row.reason),
        moment(row.since),
        moment(row.next_try),
        int(row.tries),
        moment(row.not_before),
        int(row.woken),
        bool(row.told),
    )


def waiting(row: Row) -> Wait | None:
    """Give what an update waits for whose last attempt has ended, and which has not."""
    return wait_of(row) if row.status == WAITS else None


def settled(row: Row) -> State | None:
    """Give the state of an indexed row, or None if only DBOS's own record can tell how it ended.

    DBOS's status is the truth. The index is written just before it, so a worker that was killed
    between the two left an ending of something that is still under way, or none.
    """
    if row.status is None:
        state: State = row.state  # DBOS's record has been removed since
        return state
    if row.status in UNDER_WAY:
        return UNDER_WAY[row.status]
    if waiting(row):
        return "waiting"
    failed = row.state in states.BROKEN
    agrees = row.ended_at is not None and failed == (row.status in RETRIABLE)
    return row.state if agrees else None


def summary(row: Row, end: Ending | None = None) -> Record:
    """Give an indexed row as a record, with an ending that was read where one is needed."""
    wait = waiting(row)
    state: State | None = "waiting" if wait else end.state if end else settled(row)
    assert state is not None  # noqa: S101  # the callers read an ending then
    update = indexed(row)
    if wait:
        message: object = wait.says(update.mirror, wait.reason)
    else:
        message = end.message if end else row.message if row.status not in UNDER_WAY else state
    return Record(
        update=update,
        state=state,
        message=str(message or state),
        accepted_at=moment(row.accepted_at),
        started_at=_started(row),
        completed_at=None if wait else _completed(row),
        outcome=end.outcome if end else None,
        error=end.error if end else None,
        wait=wait,
        standing=_standing(row.standing),
    )


def _standing(text: object) -> Standing | None:
    """Read what merging would change by now; of a row that is damaged, nothing."""
    try:
        return _STANDING.validate_json(str(text)) if text else None
    except ValidationError:
        return None


_STANDING = TypeAdapter(Standing)


def indexed(row: Row) -> Update:
    """Give the update of an indexed row."""
    return update_of(values_of(row.update_values), str(row.workflow_id), str(row.mirror))


def _started(row: Row) -> float | None:
    by_dbos = row.started_at_epoch_ms and moment_of_dbos(row.started_at_epoch_ms)
    return by_dbos or _unless_none(row.started_at)


def _completed(row: Row) -> float | None:
    if row.completed_at:
        return moment_of_dbos(row.completed_at)
    return None if row.status else _unless_none(row.ended_at)


def _unless_none(value: object) -> float | None:
    return None if value is None else moment(value)


def values_of(text: object) -> Any:
    """Give an update's stored values; None if they cannot be read."""
    try:
        return json.loads(text)  # type: ignore[arg-type]  # what it is not, it says
    except (TypeError, ValueError, RecursionError):
        return None


def update_of(values: Any, workflow_id: str, mirror: str) -> Update:
    """Make an update of stored values: unknown ones are ignored, missing ones are the defaults.

    The id and the mirror are the row's own, whatever the values say.
    Of values that cannot be read the id and the mirror are left: it hides no other update.
    """
    if not isinstance(values, dict):
        return Update(workflow_id, mirror, aim=NOTHING)
    try:
        return Update.read({**values, "id": workflow_id, "mirror": mirror})
    except Malformed:
        return Update(workflow_id, mirror, aim=NOTHING)


def first_argument(row: Row) -> Any:
    """Give what a workflow was enqueued with; None if that cannot be read."""
    try:
        return decode(row.inputs, row.serialization)["args"][0]
    except (GmError, LookupError, TypeError):
        return None


def steps_of(rows: Iterable[Row]) -> tuple[StepRecord, ...]:
    """Give an update's steps; DBOS has some of its own among them."""
    return tuple(_step(row) for row in rows if not str(row.function_name).startswith("DBOS."))


def _step(row: Row) -> StepRecord:
    try:
        error = decode(row.error, row.serialization)
    except GmError as unreadable:
        error = unreadable
    return StepRecord(
        str(row.function_name),
        moment_of_dbos(row.started_at_epoch_ms),
        moment_of_dbos(row.completed_at_epoch_ms),
        clean(str(error)) if error else None,
        GmError.wrap(error).public if error else "",
    )
