"""The one way into the store for events: each is one update, however often and by whom it is told.

Sources of events are deliveries and whoever looks at the forge. What is known is kept in `seen`;
where an event belongs among it, `timeline` says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import sqlalchemy as sa

from gm_analytics.engine import index, seen, timeline
from gm_analytics.engine.database import guarded
from gm_analytics.engine.event_tables import EVENTS, REPOSITORIES
from gm_analytics.engine.queries import Queries
from gm_analytics.engine.schema import UPDATES
from gm_analytics.engine.timeline import Known
from gm_analytics.events import Delivery, Identity
from gm_analytics.updates.model import Update
from gm_analytics.updates.taken import Taken


@dataclass(frozen=True)
class _Told:
    """One telling of an event."""

    event: Identity
    update: Update
    mirrors: Sequence[str]
    delivery: Delivery | None
    key: str
    """What stands for its repository."""


class Taking(Queries, ABC):
    """Takes events into the store; how an update is stored and run is `Store`'s."""

    def take(
        self,
        event: Identity,
        update: Update,
        mirrors: Sequence[str],
        *,
        delivery: Delivery | None = None,
        again: bool = True,
    ) -> Taken:
        """Store the update that an event causes on each of the mirrors, unless it is known.

        The update's id and mirror are filled in. A known event's update that failed is run again
        if `again` says so; whoever looks at the forge every few minutes must not.

        Raises:
            DeliveryReused: the delivery's id stands for another payload.
            AnotherRepository: the repository's name was another's when its id was learned.
            StoreUnavailable: it could not be stored.

        """
        with guarded(f"storing an event of {event.repository}"):
            # Before the transaction, since these may have to write themselves.
            self.prepare()
            _ = self._secret
            with self._engine.begin() as connection:
                taken = self._take(connection, event, update, mirrors, delivery)
            if again and taken.update_id and not taken.begun:
                return replace(taken, begun=self._run_again(taken.update_id, update))
        return taken

    def _take(
        self,
        connection: sa.Connection,
        event: Identity,
        update: Update,
        mirrors: Sequence[str],
        delivery: Delivery | None,
    ) -> Taken:
        seen.hold(connection, event)
        known = seen.around(connection, event, delivery)
        key = seen.repository(connection, event, known)
        told = _Told(event, update, mirrors, delivery, key)
        thread = seen.thread(connection, key, event)
        place = timeline.place(thread, event)
        stands_for = seen.stands_for(known, delivery, thread, event) if delivery else None
        if same := stands_for or place.same:
            if delivery and known.digest is None:
                seen.alias(connection, delivery, same.update_id)
            return self._known(connection, told, same, is_newest=same is thread[-1])
        if reason := timeline.why_not(thread, place, event, known.horizon):
            return Taken(reason=reason)
        return self._new(connection, told, thread)

    def _known(
        self, connection: sa.Connection, told: _Told, same: Known, *, is_newest: bool
    ) -> Taken:
        """Go on with what is known; on a mirror that came since, only if nothing came after it."""
        event = told.event
        if not same.mirrors:
            return Taken(reason=timeline.NOTHING_TO_CLOSE)
        more = [name for name in told.mirrors if is_newest and name not in same.mirrors]
        seen.told_again(connection, same, event, more)
        several = f"{same.update_id}{index.PARTITION_SEPARATOR}"
        begun = tuple(replace(told.update, id=several + name, mirror=name) for name in more)
        for update in begun:
            self._put(connection, update)
        learned: tuple[Update, ...] = ()
        if event.number and not same.number:
            index.name(connection, same.update_id, event.number)
            learned = tuple(_named(connection, same.update_id, told.update))
        reason = f"this is known; its update is {same.update_id}"
        return Taken(same.update_id, reason, begun, learned)

    def _new(self, connection: sa.Connection, told: _Told, thread: Sequence[Known]) -> Taken:
        event, mirrors = told.event, told.mirrors
        update_id = seen.id_for(self._secret, told.key, event)
        if event.kind == "close" and not timeline.may_have_preview(thread):
            if not event.outside:  # so that an opening that is delivered late is late
                seen.note(connection, told.key, event, update_id, ())
            return Taken(reason=timeline.NOTHING_TO_CLOSE)
        seen.note(connection, told.key, event, update_id, mirrors)
        if told.delivery:
            seen.find_by(connection, told.delivery, update_id)
        several = f"{index.PARTITION_SEPARATOR}{{}}" if len(mirrors) > 1 else ""
        begun = tuple(
            replace(told.update, id=update_id + several.format(name), mirror=name)
            for name in mirrors
        )
        for update in begun:
            self._put(connection, update)
        return Taken(update_id, begun=begun)

    @cached_property
    def _secret(self) -> str:
        return self.identity()

    def _run_again(self, update_id: str, update: Update) -> tuple[Update, ...]:
        """Run what failed of an update again; give it."""
        with self._engine.connect() as connection:
            found = list(_named(connection, update_id, update))
        return tuple(one for one in found if self._retry_if_failed(one.id))

    @abstractmethod
    def prepare(self) -> None:
        """Be ready to put updates in; may raise `StoreUnavailable`."""

    @abstractmethod
    def _put(self, connection: sa.Connection, update: Update) -> None:
        """Store an update in a transaction."""

    @abstractmethod
    def _retry_if_failed(self, workflow_id: str, asked_by: str = "") -> bool:
        """Run an update again if it failed; tell whether it did."""

    # --- what is known ---------------------------------------------------------------------

    def number_of(self, update_id: str) -> int:
        """Give the pull request that an update is known to be of, else 0.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        name = update_id.partition(index.PARTITION_SEPARATOR)[0]
        query = sa.select(EVENTS.c.number).where(EVENTS.c.update_id == name)
        return self._scalar(f"reading whose update {update_id} is", query) or 0

    def name_pull_request(self, update_id: str, number: int) -> None:
        """Note which pull request an update is of, once that is known.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        name = update_id.partition(index.PARTITION_SEPARATOR)[0]
        this = EVENTS.c.update_id == name
        with guarded(f"noting whose update {name} is"), self._engine.begin() as connection:
            connection.execute(EVENTS.update().where(this).values(number=number))
            index.name(connection, name, number)

    def listed_as(self, repository_id: int) -> str | None:
        """Give the configured name of a repository whose id is known, in lower case.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        this = REPOSITORIES.c.repository_id == repository_id
        query = sa.select(REPOSITORIES.c.listed).where(this)
        found: str | None = self._scalar(f"looking for repository {repository_id}", query)
        return found

    def called_now(self, name: str) -> str:
        """Give the name that a configured repository has at the forge now.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        this = REPOSITORIES.c.listed == name.lower()
        query = sa.select(REPOSITORIES.c.name).where(this)
        return self._scalar(f"looking for repository {name}", query) or name

    def renamed(self) -> dict[str, str]:
        """Give what configured repositories are called now, of those that have another name.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        both = (REPOSITORIES.c.listed, REPOSITORIES.c.name)
        query = sa.select(*both).where(sa.func.lower(both[1]) != both[0])
        with guarded("looking for renamed repositories"), self._engine.connect() as connection:
            return {str(old): str(new) for old, new in connection.execute(query)}

    def forget_repository(self, name: str) -> bool:
        """Let another repository have a configured name; tell whether one was known.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        this = REPOSITORIES.c.listed == name.lower()
        with guarded(f"forgetting repository {name}"), self._engine.begin() as connection:
            return connection.execute(REPOSITORIES.delete().where(this)).rowcount > 0

    def forget_events(self, before: float) -> int:
        """Drop what came before a time, in seconds since the epoch; say how much.

        Raises:
            StoreUnavailable: the store did not answer.

        """
        with guarded("forgetting old events"), self._engine.begin() as connection:
            return seen.forget(connection, before)


def _named(connection: sa.Connection, update_id: str, update: Update) -> Iterator[Update]:
    """Give an update as it is on each of its mirrors."""
    query = sa.select(UPDATES.c.workflow_id, UPDATES.c.mirror)
    for row in connection.execute(query.where(UPDATES.c.update_id == update_id)).all():
        yield replace(update, id=row.workflow_id, mirror=row.mirror)
