"""What a person does with a mirror is listed with the other updates, however it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from gm_analytics.errors import GmError, StoreUnavailable
from gm_analytics.updates.model import Outcome, Record, Update
from gm_analytics.updates.states import State

log = logging.getLogger(__name__)


class Listing(Protocol):
    """Lists updates."""

    def note(self, record: Record) -> None:
        """List how an update by hand ended, with the others; may raise `StoreUnavailable`."""
        ...


class Done(Protocol):
    """Is told how what a person asked for ended."""

    def __call__(self, state: State, message: str, outcome: Outcome | None = None) -> None:
        """Take it."""
        ...


class Book:
    """Lists what is done by hand; whether it is done does not depend on that."""

    def __init__(self, listing: Callable[[], Listing] | None = None) -> None:
        self._listing = listing
        self.last: Record | None = None
        """The last one, once it has ended."""

    @contextmanager
    def of(self, update: Update) -> Iterator[Done]:
        """List an update that the block performs, if it says how that ended, or fails."""
        began = time.time()
        ended: list[Record] = []

        def done(state: State, message: str, outcome: Outcome | None = None) -> None:
            ended.append(_record(update, began, state, message, outcome))

        try:
            yield done
        except BaseException as error:
            self._note(ended[-1] if ended else _failed(update, began, error))
            raise
        if ended:
            self._note(ended[-1])

    def _note(self, record: Record) -> None:
        self.last = record
        try:
            if self._listing:
                self._listing().note(record)
        except StoreUnavailable as error:
            log.warning("`updates` will not list it: %s", error)


def _record(
    update: Update, began: float, state: State, message: str, outcome: Outcome | None = None
) -> Record:
    told = replace(update, requested_at=began)
    return Record(told, state, message, began, began, time.time(), outcome)


def _failed(update: Update, began: float, error: BaseException) -> Record:
    if not isinstance(error, Exception):
        return _record(update, began, "cancelled", "interrupted")
    wrapped = GmError.wrap(error)
    return replace(_record(update, began, "failed", str(wrapped)), error=wrapped)
