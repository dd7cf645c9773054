"""Stored rows as values: tolerant of what other versions wrote, and never believed too early."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gm_analytics.engine import codec, records
from gm_analytics.errors import Cancelled, ForeignFormat, LockHeld, TakenTooOften
from gm_analytics.updates.model import NOTHING, Update


def row(status: str | None, output: str | None = None, error: str | None = None) -> Any:
    return SimpleNamespace(
        status=status, output=output, error=error, serialization=codec.FORMAT, inputs=None
    )


def test_fields_of_another_version_are_ignored_and_missing_ones_are_the_defaults() -> None:
    values = {"repository": "o/r", "number": 3, "colour": "red"}
    assert records.update_of(values, "u@m", "m") == Update("u@m", "m", "o/r", 3)
    assert records.update_of(None, "u@m", "m") == Update("u@m", "m", aim=NOTHING)


@pytest.mark.parametrize("inputs", [None, "null", "[]", '{"args": []}', "{", "[" * 100_000])
def test_a_call_that_cannot_be_read_is_none(inputs: str | None) -> None:
    found = row("SUCCESS")
    found.inputs = inputs
    assert records.first_argument(found) is None


@pytest.mark.parametrize(
    ("status", "state", "ended_at", "expected"),
    [
        ("ENQUEUED", "published", 1.0, "waiting"),
        ("DELAYED", "waiting", None, "waiting"),
        ("PENDING", "failed", 1.0, "running"),
        ("SUCCESS", "previewed", 1.0, "previewed"),
        ("SUCCESS", "running", None, None),
        ("SUCCESS", "failed", 1.0, None),
        ("ERROR", "failed", 1.0, "failed"),
        ("ERROR", "published", 1.0, None),
        ("CANCELLED", "running", None, None),
        ("CANCELLED", "cancelled", 1.0, "cancelled"),
        ("MAX_RECOVERY_ATTEMPTS_EXCEEDED", "failed", 1.0, "failed"),
        (None, "published", 1.0, "published"),
    ],
)
def test_dbos_says_whether_an_update_has_ended_and_the_index_how(
    status: str | None, state: str, ended_at: float | None, expected: str | None
) -> None:
    indexed = SimpleNamespace(status=status, state=state, ended_at=ended_at, waits_for=None)
    assert records.settled(indexed) == expected


def test_an_outcome_of_a_newer_version_is_read() -> None:
    stored = '{"state": "published", "message": "m", "colour": "red"}'
    end = records.ending(row("SUCCESS", stored))
    assert (end.state, end.message) == ("published", "m")


@pytest.mark.parametrize(
    "stored", ["{", "null", "[]", "1", '{"state": "exploded", "message": ""}', "[" * 100_000]
)
def test_an_outcome_that_is_none_is_a_failure_that_says_so(stored: str) -> None:
    end = records.ending(row("SUCCESS", stored))
    assert (end.state, type(end.error)) == ("failed", ForeignFormat)
    assert "damaged JSON" in end.message


@pytest.mark.parametrize("stored", ["{", "7", '{"__error__": 7}', '{"error": "x"}'])
def test_an_error_that_is_none_is_a_failure_that_says_so(stored: str) -> None:
    end = records.ending(row("ERROR", error=stored))
    assert (end.state, type(end.error)) == ("failed", ForeignFormat)


def test_an_error_comes_back_as_it_was() -> None:
    error = LockHeld("m", "/var/repo/.lock")
    end = records.ending(row("ERROR", error=codec.serialize(error)))
    assert (end.state, end.message, type(end.error)) == ("failed", str(error), LockHeld)


def test_an_end_without_words_is_its_state() -> None:
    assert records.ending(row("CANCELLED")).message == "cancelled"
    assert records.ending(row("ERROR")).message == "failed"
    given_up = records.ending(row("MAX_RECOVERY_ATTEMPTS_EXCEEDED"))
    assert (given_up.state, type(given_up.error)) == ("failed", TakenTooOften)


@pytest.mark.parametrize("status", ["ERROR", "CANCELLED"])
def test_an_update_that_was_cancelled_says_who_asked(status: str) -> None:
    end = records.ending(row(status, error=codec.serialize(Cancelled("ana"))))
    assert (end.state, end.message) == ("cancelled", "cancelled by ana")
    assert end.error is not None
    assert "ana" not in end.error.public
