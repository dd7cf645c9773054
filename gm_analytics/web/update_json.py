"""The one JSON of an update, as HTTP and `gm-analytics updates --json` give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from gm_analytics.errors import GmError, ManifestError, UnknownPackages
from gm_analytics.updates.model import Outcome, Record, StepRecord
from gm_analytics.wording import redact

_TELLING = (ManifestError, UnknownPackages)
"""Errors all of whose data is the author's own, or upstream's names."""


def update_json(
    update_id: str, records: Sequence[Record], *, private: bool = False
) -> dict[str, Any]:
    """Give an update on all its mirrors; `private` is for the operator alone.

    It has its own id, also if it was asked for by a delivery's.
    """
    known = records[0].update.id if records else update_id
    return {
        "update_id": update_id if known.startswith(update_id) else known.partition("@")[0],
        "mirrors": [record_json(record, private=private) for record in records],
    }


def record_json(record: Record, *, private: bool = False) -> dict[str, Any]:
    """Give an update on one mirror."""
    update, told = record.update, record if private else public(record)
    return {
        "update_id": update.id,
        "mirror": update.mirror,
        "pull_request": update.pull_request,
        "head_sha": update.head_sha,
        "commit": update.commit,
        "cause": update.aim.cause,
        "mode": update.aim.mode,
        "target": update.aim.target,
        "state": record.state,
        "message": told.message,
        "accepted_at": record.accepted_at,
        "started_at": record.started_at,
        "completed_at": record.completed_at,
        "outcome": asdict(told.outcome) if told.outcome else None,
        "waiting": _waiting(record, private),
        "error": _error(record.error, private) if record.error else None,
        "steps": [_step(step) for step in told.steps],
    }


def public(record: Record) -> Record:
    """Take out what is for the operator alone."""
    return replace(
        record,
        message=record.public_message,
        outcome=_redacted(record.outcome) if record.outcome else None,
        steps=tuple(
            replace(step, error=step.public_error if step.error else None, public_error="")
            for step in record.steps
        ),
    )


def _redacted(outcome: Outcome) -> Outcome:
    return replace(
        outcome,
        message=redact(outcome.message),
        warnings=tuple(map(redact, outcome.warnings)),
        unseen=None,
        others=(),  # what other pull requests would do is theirs to say
    )


def _error(error: GmError, private: bool) -> dict[str, Any]:
    if private:
        said = {"message": str(error), "hint": error.hint}
    else:
        said = {"message": error.public, "hint": error.public_hint}
    whole = private or isinstance(error, _TELLING)
    data = error.to_json() if whole else {"error": type(error).__name__}
    return {**data, "fault": error.fault, **said}


def _waiting(record: Record, private: bool) -> dict[str, Any] | None:
    """Give what an update waits for; `next_try` is 0 where that is now."""
    wait, error = record.wait, record.error
    if wait is None:
        return None
    reason = wait.reason if private else error.public if error else redact(wait.reason)
    return {
        "waits_for": wait.waits_for,
        "reason": reason,
        "since": wait.since,
        "next_try": wait.next_try,
        "tries": wait.tries,
    }


def _step(step: StepRecord) -> dict[str, Any]:
    return {
        "name": step.name,
        "started_at": step.started_at,
        "completed_at": step.completed_at,
        "error": step.error,
    }
