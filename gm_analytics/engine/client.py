"""The store from outside a worker: put updates in, look at them.

An update is a workflow, its id its event's. The queue is partitioned by mirror, one update at
a time in each. What is said on pull requests is a workflow of its own, on a queue that is
partitioned by pull request: one comment has one writer, and GitHub's rate limits hold up no
mirror. Source: https://docs.dbos.dev/python/reference
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING

import sqlalchemy as sa

from gm_analytics.engine import (
    audit,
    by_hand,
    cancelling,
    index,
    records,
    schema,
    seen,
    standings,
    waiting,
)
from gm_analytics.engine.database import connect, guarded, is_new, locked, prepare
from gm_analytics.engine.handover import FEEDBACK, NOTICE, QUEUES
from gm_analytics.engine.schema import UPDATES, WORKFLOWS
from gm_analytics.engine.taking import Taking
from gm_analytics.engine.views import Views
from gm_analytics.events import Identity, PullRequestEvent
from gm_analytics.mirror.publication import Standing
from gm_analytics.updates.audit import of_retry
from gm_analytics.updates.model import Record, Update

if TYPE_CHECKING:
    from dbos import DBOSClient, EnqueueOptions

QUEUE = QUEUES[index.WORKFLOW]
APPLICATION_VERSION = "1"
"""Fixed: DBOS would derive it from the code, and an upgrade would leave old updates behind.
Raise it when the order or the values of the steps change."""

log = logging.getLogger(__name__)


class Store(Taking):
    """The durable store of updates."""

    def __init__(self, url: str) -> None:
        """Open the store, and bring the engine's tables up to date.

        Raises:
            StoreUnavailable: it cannot be opened, or a newer version of the service has used it.

        """
        self._url = url
        name = sa.make_url(url).render_as_string(hide_password=True)
        super().__init__(connect(url), name)
        with ExitStack() as undo, guarded("opening the database"):
            undo.callback(self._engine.dispose)
            if not self._is_current():
                self.prepare()
            undo.pop_all()

    def _is_current(self) -> bool:
        if is_new(self._url):
            return False
        try:
            with self._engine.connect() as connection:
                return schema.version(connection) == len(schema.MIGRATIONS)
        except sa.exc.OperationalError:  # PostgreSQL may have to be asked for a database first
            return False

    def prepare(self) -> None:
        """Bring all tables up to date, and be ready to put something in.

        Who only reads does not wait for it: DBOS's own tables are those of the service that runs.

        Raises:
            StoreUnavailable: the tables cannot be brought up to date.

        """
        with guarded("opening the database"):
            _ = self._client

    @cached_property
    def _client(self) -> DBOSClient:
        durable = _durable()
        with locked(self._url, "migration", block=True):
            prepare(self._url)
            durable.migrate(self._url)
            with self._engine.connect() as connection:
                if schema.migrate(connection):
                    while index.adopt(connection) or seen.adopt(connection):
                        pass
                connection.commit()
        client: DBOSClient = durable.client(self._engine)
        return client

    @cached_property
    def views(self) -> Views:
        """What pages and the API read."""
        return Views(self._engine, self._summary, self.under_way)

    def close(self) -> None:
        """Close the connections."""
        if client := vars(self).get("_client"):
            client.destroy()
        self._engine.dispose()

    def enqueue(self, update: Update) -> bool:
        """Store an update; one that is there already is left alone, unless it failed.

        One that was ignored is decided on again.

        Tells whether it will be performed because of this call.

        Raises:
            StoreUnavailable: it could not be stored.

        """
        self.prepare()  # before the transaction, which it would wait for
        with guarded(f"storing update {update.id}"):
            try:
                with self._engine.begin() as connection:
                    self._put(connection, update)
            except _durable().InUse:
                return self._retry_if_failed(update.id)
        return True

    def _put(self, connection: sa.Connection, update: Update) -> None:
        options: EnqueueOptions = {
            "queue_name": QUEUE,
            "workflow_name": index.WORKFLOW,
            "workflow_id": update.id,
            "workflow_id_reuse_policy": "reject",
            "queue_partition_key": update.mirror,
            "app_version": APPLICATION_VERSION,
            "authenticated_user": update.thread,
        }
        self._client.enqueue_in_transaction(connection, options, update.to_json())
        index.store(connection, update)

    def enqueue_feedback(self, update: Update, *, ended: bool) -> None:
        """Have the pull request say how the update fares: now, or once it has `ended`.

        Of a push it is the one that turned out to be merged by it, if one did.

        Raises:
            StoreUnavailable: it could not be stored.

        """
        if not update.number:
            update = replace(update, number=self.number_of(update.id))
        options: EnqueueOptions = {
            "queue_name": FEEDBACK,
            "workflow_name": FEEDBACK,
            # Feedback says what is so when it runs; the same twice is harmless.
            "workflow_id": f"{FEEDBACK}-{uuid.uuid4()}",
            "queue_partition_key": update.thread,
            "app_version": APPLICATION_VERSION,
        }
        with guarded(f"storing feedback on update {update.id}"):
            self._client.enqueue(options, update.to_json(), ended)

    def enqueue_notice(self, event: PullRequestEvent, reason: str) -> None:
        """Have a pull request told why it causes no update: once a commit and a reason.

        Raises:
            StoreUnavailable: it could not be stored.

        """
        about = (event.key.lower(), event.head_sha, reason)
        digest = hashlib.sha256(json.dumps(about).encode()).hexdigest()
        options: EnqueueOptions = {
            "queue_name": FEEDBACK,
            "workflow_name": FEEDBACK,
            "workflow_id": f"{FEEDBACK}-{digest}",
            "queue_partition_key": event.key,
            "app_version": APPLICATION_VERSION,
        }
        with guarded(f"storing why {event.key} is ignored"):
            self._client.enqueue(options, {NOTICE: asdict(event)}, True)

    def note(self, record: Record) -> None:
        """List an update that was performed elsewhere, by hand; nothing runs it again.

        Raises:
            StoreUnavailable: it could not be stored.

        """
        update = record.update
        with guarded(f"storing update {update.id}"), self._engine.begin() as connection:
            by_hand.note(connection, record)

    def note_standing(self, mirror: str, standing: Standing) -> Update | None:
        """Note what merging a pull request would change by now; give the update that previewed it.

        Raises:
            StoreUnavailable: it could not be stored.

        """
        with guarded(f"noting {standing.pull_request}"), self._engine.begin() as connection:
            row = standings.note(connection, mirror, standing)
            return row and records.indexed(row)

    def retry(self, update_id: str, mirror: str | None = None, asked_by: str = "") -> bool:
        """Run an update again under its id where it failed; tell whether it did anywhere.

        Raises:
            UnknownUpdate: no update has this id.
            StoreUnavailable: the store did not answer.

        """
        found = self.get(update_id)
        with guarded(f"retrying update {update_id}"):
            retried = [
                self._retry_if_failed(record.update.id, asked_by)
                for record in found
                if mirror in {None, record.update.mirror}
            ]
        return any(retried)

    def cancel(self, update_id: str, asked_by: str) -> cancelling.Answer:
        """End the update of one mirror, or ask its worker to.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        with guarded(f"cancelling update {update_id}"), self._engine.begin() as connection:
            return cancelling.ask(connection, update_id, asked_by)

    def withdraw(self, event: Identity, asked_by: str) -> list[str]:
        """Cancel what an event caused, on each mirror where it has not ended; give those ids.

        Raises:
            AnotherRepository: the repository's name was another's when its id was learned.
            StoreUnavailable: the store did not answer.

        """
        with (
            guarded(f"cancelling an event of {event.repository}"),
            self._engine.begin() as connection,
        ):
            seen.hold(connection, event)
            key = seen.repository(connection, event, seen.around(connection, event, None))
            known = [one.update_id for one in seen.thread(connection, key, event)]
            query = sa.select(UPDATES.c.workflow_id).where(UPDATES.c.update_id.in_(known))
            ids = connection.scalars(query.order_by(UPDATES.c.workflow_id)).all()
            return [one for one in ids if cancelling.ask(connection, one, asked_by) != "ended"]

    def _retry_if_failed(self, workflow_id: str, asked_by: str = "") -> bool:
        both = sa.outerjoin(WORKFLOWS, UPDATES, UPDATES.c.workflow_id == WORKFLOWS.c.workflow_uuid)
        columns = (WORKFLOWS.c.status, WORKFLOWS.c.queue_partition_key)
        query = sa.select(*columns, *UPDATES.c).select_from(both)
        with self._engine.begin() as connection:
            this = WORKFLOWS.c.workflow_uuid == workflow_id
            found = connection.execute(query.where(this)).one_or_none()
            if found is None:  # it ended long ago, and is removed
                return False
            ignored = (found.status, found.state) == ("SUCCESS", "ignored")
            if found.status not in records.RETRIABLE and not ignored:
                return False
            waiting.forget(connection, workflow_id)
            cancelling.forget(connection, workflow_id)
            index.wait(connection, workflow_id)
            if found.workflow_id:
                audit.write(connection, of_retry(records.indexed(found), asked_by))
        try:
            # Without them it would leave its mirror's partition, and run beside another update.
            self._client.rewind_workflow(
                workflow_id,
                application_version=APPLICATION_VERSION,
                queue_name=QUEUE,
                queue_partition_key=found.queue_partition_key,
            )
        except _durable().Failed:
            # Another redelivery was quicker: it is active again.
            log.info("update %s is being retried already", workflow_id)
        return True


def _durable() -> ModuleType:
    """Import DBOS, which takes a third of a second."""
    from gm_analytics.engine import durable  # noqa: PLC0415

    return durable
