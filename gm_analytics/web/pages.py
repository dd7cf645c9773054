"""What a person or a program is shown of an update: values in, HTML or JSON out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, Template

from gm_analytics.errors import ManifestError, UnknownPackages, redact
from gm_analytics.updates.model import Outcome, Record
from gm_analytics.web.protection import POLICY

STYLE = (files("gm_analytics.web") / "templates" / "update.css").read_text(encoding="utf-8")
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
PAGE_POLICY = f"{POLICY}; style-src 'sha256-{_DIGEST}'"
"""The page's own style, and nothing else."""
_TELLING = (ManifestError, UnknownPackages)
"""Errors all of whose data is the author's own, or upstream's names."""


def update_page(update_id: str, records: Sequence[Record]) -> str:
    """Give the status page of an update."""
    values = {"update_id": update_id, "records": [_public(one) for one in records]}
    return _template("update.html").render(style=STYLE, **values)


def update_json(update_id: str, records: Sequence[Record]) -> dict[str, Any]:
    """Give an update as JSON."""
    return {"update_id": update_id, "mirrors": [_as_json(_public(one)) for one in records]}


def _public(record: Record) -> Record:
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
    )


def _as_json(record: Record) -> dict[str, Any]:
    update = record.update
    return {
        "update_id": update.id,
        "mirror": update.mirror,
        "pull_request": update.pull_request,
        "head_sha": update.head_sha,
        "state": record.state,
        "message": record.message,
        "accepted_at": record.accepted_at,
        "started_at": record.started_at,
        "completed_at": record.completed_at,
        "outcome": asdict(record.outcome) if record.outcome else None,
        "error": _error(record),
        "steps": [
            {
                "name": step.name,
                "started_at": step.started_at,
                "completed_at": step.completed_at,
                "error": step.error,
            }
            for step in record.steps
        ],
    }


def _error(record: Record) -> dict[str, Any] | None:
    error = record.error
    if error is None:
        return None
    told = error.to_json() if isinstance(error, _TELLING) else {"error": type(error).__name__}
    return {**told, "message": error.public}


@lru_cache
def _template(name: str) -> Template:
    environment = Environment(loader=PackageLoader("gm_analytics.web"), autoescape=True)
    environment.filters["when"] = _when
    return environment.get_template(name)


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
