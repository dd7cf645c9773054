"""Looking at updates: exact ids, by an index, and no more than is asked for."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from itertools import islice
from typing import Any

import sqlalchemy as sa

from gm_analytics.engine import identity, index, listing, records, unseen
from gm_analytics.engine.at_work import AtWork
from gm_analytics.engine.database import guarded
from gm_analytics.engine.event_tables import DELIVERIES
from gm_analytics.engine.schema import STEPS, UPDATES, WAITS, WORKFLOWS
from gm_analytics.errors import UnknownUpdate
from gm_analytics.updates.model import Record, StepRecord, Update
from gm_analytics.updates.states import State

POLL = 0.1
"""Seconds between two looks at what another process does."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(@[A-Za-z0-9_][A-Za-z0-9._:+-]{0,99})?")
"""An update's id or a delivery's, and `@` with a mirror's name where it has updates on several."""
SUMMARY = sa.select(
    *UPDATES.c,
    WORKFLOWS.c.status,
    WORKFLOWS.c.started_at_epoch_ms,
    WORKFLOWS.c.completed_at,
    *(column for column in WAITS.c if column.name not in UPDATES.c),
).select_from(
    sa.outerjoin(
        sa.outerjoin(UPDATES, WORKFLOWS, WORKFLOWS.c.workflow_uuid == UPDATES.c.workflow_id),
        WAITS,
        WAITS.c.workflow_id == UPDATES.c.workflow_id,
    )
)
_WAITS = (WORKFLOWS.c.status == records.WAITS) & WAITS.c.workflow_id.is_not(None)
_MAY_PREVIEW = ("waiting", "running", "previewed", "failed", "cancelled", "closed")
_LIVE_OR_DONE = [*records.UNDER_WAY, "SUCCESS"]


class Queries(AtWork):
    """What can be read of a store. Lists have neither outcomes, errors nor steps: see `whole`."""

    def get(self, update_id: str) -> list[Record]:
        """Give an update with its steps, one record a mirror; also by a delivery's id.

        Raises:
            UnknownUpdate: no update has this id.
            StoreUnavailable: the store did not answer.

        """
        if not _ID.fullmatch(update_id):
            raise UnknownUpdate(update_id)
        found = self._whole_update(update_id)
        if not found and (caused := self._caused_by(update_id)):
            found = self._whole_update(caused)
        if not found:
            raise UnknownUpdate(update_id)
        return found

    def _caused_by(self, delivery_id: str) -> str | None:
        """Give the id of the update that a delivery caused."""
        this = DELIVERIES.c.delivery_id == delivery_id
        query = sa.select(DELIVERIES.c.update_id).where(this)
        found: str | None = self._scalar(f"reading delivery {delivery_id}", query)
        return found

    def _whole_update(self, update_id: str) -> list[Record]:
        one_mirror = index.PARTITION_SEPARATOR in update_id
        column = UPDATES.c.workflow_id if one_mirror else UPDATES.c.update_id
        query = SUMMARY.where(column == update_id).order_by(UPDATES.c.workflow_id)
        with guarded(f"reading update {update_id}"), self._engine.connect() as connection:
            return [self._whole(connection, row) for row in connection.execute(query).all()]

    def whole(self, record: Record) -> Record:
        """Give a listed record with its steps and with its outcome or error.

        Raises:
            UnknownUpdate: it is there no longer.
            StoreUnavailable: the store did not answer.

        """
        workflow_id = record.update.id
        query = SUMMARY.where(UPDATES.c.workflow_id == workflow_id)
        with guarded(f"reading update {workflow_id}"), self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                raise UnknownUpdate(workflow_id)
            return self._whole(connection, row)

    def meant(self, given: str) -> str:
        """Give the id of the update that is meant, as `listing.meant`; may raise the same."""
        with guarded(f"looking for update {given}"), self._engine.connect() as connection:
            return listing.meant(connection, given)

    def recent(
        self, limit: int = 20, *, state: State | None = None, mirror: str | None = None
    ) -> list[Record]:
        """Give the newest updates first, of one state or on one mirror where that is given.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        newest = (UPDATES.c.accepted_at.desc(), UPDATES.c.workflow_id.desc())
        query = SUMMARY.where(*listing.conditions(state, mirror)).order_by(*newest)
        if state is None:
            return self._list("listing updates", query.limit(limit))
        with guarded("listing updates"), self._engine.connect() as connection:
            rows = connection.execution_options(yield_per=listing.BATCH).execute(query)
            found = (self._summary(connection, row) for row in rows)
            return list(islice((one for one in found if one.state == state), limit))

    def of_pull_request(self, pull_request: str) -> list[Record]:
        """Give the updates of `owner/name#number`, the newest first; 0 is all of none.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        query = SUMMARY.where(*_is_of(pull_request))
        found = self._list(f"looking for updates of {pull_request}", query)
        return sorted(found, key=lambda record: record.update.order, reverse=True)

    def is_superseded(self, update: Update) -> bool:
        """Tell whether a newer update of the same pull request is there for this mirror.

        One that has ended well counts too: within a second SQLite keeps no order, so the newer
        one may have been performed first, and an older head must not be applied after it. A merge
        looks at what is live instead: another pull request's may be the newer one.
        """
        if not update.number or update.aim.cause == "merge":
            return False
        # DBOS keeps whole seconds on SQLite, so the updates' own times are compared.
        query = (
            sa.select(UPDATES.c.changed_at, UPDATES.c.requested_at)
            .join(WORKFLOWS, WORKFLOWS.c.workflow_uuid == UPDATES.c.workflow_id)
            .outerjoin(WAITS, WAITS.c.workflow_id == UPDATES.c.workflow_id)
            .where(*_is_of(update.pull_request), UPDATES.c.mirror == update.mirror)
            .where(WORKFLOWS.c.status.in_(_LIVE_OR_DONE) | _WAITS)
        )
        doing = f"looking for updates of {update.pull_request}"
        with guarded(doing), self._engine.connect() as connection:
            found = connection.execute(query).all()
        return any((str(at), records.moment(asked)) > update.order for at, asked in found)

    def may_have_preview(self, update: Update) -> bool:
        """Tell whether an earlier update may have left a preview of the same pull request.

        One that failed may have; what took the preview away, or published it, left none.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        query = (
            sa.select(UPDATES.c.state)
            .where(*_is_of(update.pull_request), UPDATES.c.mirror == update.mirror)
            .where(UPDATES.c.workflow_id != update.id, UPDATES.c.state.in_(_MAY_PREVIEW))
            .order_by(UPDATES.c.accepted_at.desc())
        )
        doing = f"looking for a preview of {update.pull_request}"
        with guarded(doing), self._engine.connect() as connection:
            newest = connection.scalar(query.limit(1))
        return newest not in {None, "closed"}

    def await_end(self, update_id: str) -> None:
        """Wait until the update of one mirror has ended, however it did."""
        query = sa.select(WORKFLOWS.c.status).where(WORKFLOWS.c.workflow_uuid == update_id)
        while (
            self._scalar(f"waiting for the end of update {update_id}", query) in records.UNDER_WAY
        ):
            time.sleep(POLL)

    def check(self) -> str:
        """Ask the database for anything, of our tables and of DBOS's; name it.

        Raises:
            StoreUnavailable: it does not answer.

        """
        for column in (UPDATES.c.workflow_id, WORKFLOWS.c.workflow_uuid):
            self._scalar("asking the database", sa.select(column).limit(1))
        return self._name

    def identity(self) -> str:
        """Give the id of the service whose database this is.

        Raises:
            StoreUnavailable: it does not answer.

        """
        return identity.of(self._engine)

    def _list(self, doing: str, query: sa.Select[Any]) -> list[Record]:
        with guarded(doing), self._engine.connect() as connection:
            return [self._summary(connection, row) for row in connection.execute(query).all()]

    def _summary(self, connection: sa.Connection, row: records.Row) -> Record:
        """Give a row as the index has it; the few that it has no end of are looked up."""
        if records.settled(row):
            return records.summary(row)
        return records.summary(row, _ending(connection, row))

    def _whole(self, connection: sa.Connection, row: records.Row) -> Record:
        under_way = row.status is None or row.status in records.UNDER_WAY
        record = records.summary(row, None if under_way else _ending(connection, row))
        record = replace(record, steps=_steps(connection, row.workflow_id))
        return unseen.as_seen(connection, record)


def _ending(connection: sa.Connection, row: records.Row) -> records.Ending:
    return records.ending(index.payload(connection, row.workflow_id))


def _steps(connection: sa.Connection, workflow_id: str) -> tuple[StepRecord, ...]:
    query = sa.select(*STEPS.c).where(STEPS.c.workflow_uuid == workflow_id)
    return records.steps_of(connection.execute(query.order_by(STEPS.c.function_id)))


def _is_of(pull_request: str) -> tuple[sa.ColumnElement[bool], ...]:
    repository, _, number = pull_request.rpartition("#")
    return UPDATES.c.repository == repository, UPDATES.c.number == int(number)
