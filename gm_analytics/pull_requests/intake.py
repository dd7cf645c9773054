"""The intake of events: what they cause is stored before a delivery of them is answered."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from gm_analytics import measures
from gm_analytics.errors import AnotherRepository, ConfigError, DeliveryError, StoreUnavailable
from gm_analytics.events import Delivery, Event, Identity, PullRequestEvent, QueueEvent
from gm_analytics.log_context import carried, concerning
from gm_analytics.measures import DELIVERIES
from gm_analytics.pull_requests.ports import Updates
from gm_analytics.pull_requests.rules import Rules, is_followed
from gm_analytics.updates.model import Aim, Update
from gm_analytics.updates.taken import Taken

STORE_DEADLINE = 8.0
"""Seconds; GitHub takes a delivery for failed after 10."""
THREADS = 8

T = TypeVar("T")
log = logging.getLogger(__name__)
Read = Callable[[Mapping[str, str], bytes], Delivery]
"""Checks and reads a webhook call, as a forge's room does it."""


class Tell(Protocol):
    """Has pull requests told of their updates."""

    def began(self, update: Update) -> None:
        """Have it told that an update waits."""
        ...

    def ended(self, update: Update, outcome: None) -> None:
        """Have it told how an update ended, once it has."""
        ...

    def ignored(self, event: PullRequestEvent, reason: str) -> None:
        """Have it told why it causes no update; never fail for it."""
        ...


def threads(database_url: str) -> ThreadPoolExecutor:
    """Give the threads that store deliveries."""
    # SQLite has one writer at a time; more would only wait for each other in growing pauses.
    writers = 1 if database_url.startswith("sqlite") else THREADS
    return ThreadPoolExecutor(writers, thread_name_prefix="intake")


@dataclass(frozen=True)
class Reply:
    """What a caller gets."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Intake:
    """Takes events, however they are told: `receive` for webhook calls, `take` for all of them."""

    read: Read
    rules: Rules
    mirrors_of: Callable[[str], list[str]]
    """Names the mirrors that a repository's pull requests change."""
    updates: Callable[[], Updates]
    """Opens the store, which may be away for a while."""
    tell: Tell | None
    """None where nobody can be told."""
    page: Callable[[str], str]
    """Gives the address of an update's page."""
    threads: ThreadPoolExecutor

    def receive(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Take a webhook call; `headers` with lower-case names.

        The signature comes before anything else is looked at, and an update is on disk before
        this returns.
        """
        with concerning(delivery=headers.get("x-github-delivery", "?")):
            return self._receive(headers, body)

    def _receive(self, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            return self._answer(self.read(headers, body))
        except DeliveryError as error:
            measures.delivery_refused(error)
            log.warning("delivery %s: %s", headers.get("x-github-delivery", "?"), error)
            return Reply(error.status, {"command_return": "refused", "reason": error.public})
        except (StoreUnavailable, ConfigError) as error:
            measures.delivery_refused(error)
            log.error("delivery %s: %s", headers.get("x-github-delivery", "?"), error)
            return Reply(503, {"command_return": "unavailable", "reason": error.public})

    def _answer(self, delivery: Delivery) -> Reply:
        if delivery.name == "ping":
            DELIVERIES.add(result="ping")
            return Reply(200, {"command_return": "pong"})
        if delivery.event is None:
            said = delivery.reason or f"event {delivery.name}"
            return _ignored(delivery, f"{said} causes no update")
        taken = self.take(delivery.event, delivery)
        if not taken.update_id:
            return _ignored(delivery, taken.reason)
        DELIVERIES.add(result="accepted" if taken.begun else "known")
        key, commit = delivery.event.key, delivery.event.commit
        log.info(
            "delivery %s: accepted %s at %s: update %s%s",
            delivery.id,
            key,
            commit,
            taken.update_id,
            "" if taken.begun else ", which is known",
        )
        page = self.page(taken.update_id)
        answer = {"update_id": taken.update_id, "status_url": page}
        known = {"reason": taken.reason} if taken.reason else {}
        return Reply(202, {"command_return": "accepted", **answer, **known})

    def take(self, event: Event, delivery: Delivery | None = None) -> Taken:
        """Take an event: the update that it causes is stored when this returns, once.

        Deliveries and what a look at the forge finds enter here alike. Whoever looks gives no
        delivery, and as events what is so there now:

        - of each open pull request one with `happened="pushed"`, of one that was closed since it
          was last looked at `closed` or `merged` (`github.payload.read_listed` makes all three);
        - of the followed branch a `PushEvent` with `forced=True`, since how it came there is not
          known.

        Give `repository_id`, and times by the forge's clock, of the same answer as the commit: a
        pull request's own `updated_at`; of a branch the `merged_at` of what was merged, or when
        it was pushed to. What is known, from a delivery or an earlier look, stores nothing, and
        is not tried again if it failed. What is older than what is known is not done.

        Raises:
            DeliveryReused: the delivery's id stands for another payload.
            StoreUnavailable: it could not be stored.

        """
        listed = self._as_listed(event)
        if isinstance(listed, QueueEvent) and listed.happened == "dequeued":
            return self._withdraw(listed)
        aim, mirrors = self.rules.decide(listed), self.mirrors_of(listed.repository)
        if isinstance(aim, str):
            self._tell_why(listed, aim)
            return Taken(reason=aim)
        if not mirrors:
            return Taken(reason="no mirror is configured for this repository")
        identity, update = _identity(event, listed.repository, aim), _update(listed, aim)
        again = delivery is not None
        try:
            taken = self._stored(
                lambda: self.updates().take(
                    identity, update, mirrors, delivery=delivery, again=again
                )
            )
        except AnotherRepository as error:
            log.warning("%s: ignored: %s; %s", event.key, error, error.hint)
            return Taken(reason=f"{error.public}. {error.hint}")
        self._tell(taken)
        if listed.happened == "retargeted" and not taken.update_id:
            # Who looks at the forge sees that its base is another one, however it came to be.
            self._tell_why(replace(listed, happened="pushed"), is_followed(listed, self.rules))
        return taken

    def _withdraw(self, event: QueueEvent) -> Taken:
        """End the trial of a merge group that is no more, so that no mirror works for it."""
        queued = replace(event, happened="queued")
        aim, said = self.rules.decide(queued), f"merge_group {event.action} causes no update"
        if isinstance(aim, str):
            return Taken(reason=aim)
        identity = _identity(queued, event.repository, aim)
        ended = self._stored(lambda: self.updates().withdraw(identity, "the merge queue"))
        return Taken(reason="; ".join([said, *(f"{name} is cancelled" for name in ended)]))

    def _as_listed(self, event: Event) -> Event:
        """Give the event under the name that is configured, if its repository was renamed."""
        if not event.repository_id or self.rules.listed_name(event.repository):
            return event
        known = self._stored(lambda: self.updates().listed_as(event.repository_id))
        name = self.rules.listed_name(known) if known else None
        if not name:
            return event
        log.warning(
            "repository %s is called %s now: change webhook.repositories", name, event.repository
        )
        return replace(event, repository=name)

    def _stored(self, work: Callable[[], T]) -> T:
        """Work with the store within the time that GitHub waits; twice is harmless."""
        try:
            return self.threads.submit(carried(work)).result(STORE_DEADLINE)
        except FutureTimeoutError as error:
            said = f"no answer within {STORE_DEADLINE:g} s"
            raise StoreUnavailable("storing an event", said) from error

    def _tell(self, taken: Taken) -> None:
        """Have it told. GitHub does not wait for it; what is lost is said at the end."""
        if self.tell is None:
            return
        for update in taken.begun:
            self.threads.submit(carried(self.tell.began), update)
        for update in taken.learned:
            self.threads.submit(carried(self.tell.ended), update, None)

    def _tell_why(self, event: Event, reason: str) -> None:
        """Have a pull request told that it is ignored, if it is one that waits for something."""
        if self.tell and isinstance(event, PullRequestEvent) and self.rules.tells(event):
            self.threads.submit(carried(self.tell.ignored), event, reason)


def _ignored(delivery: Delivery, reason: str) -> Reply:
    DELIVERIES.add(result="ignored")
    log.info("delivery %s: ignored: %s", delivery.id, reason)
    return Reply(200, {"command_return": "ignored", "reason": reason})


def _identity(event: Event, listed: str, aim: Aim) -> Identity:
    return Identity(
        repository_id=event.repository_id,
        repository=listed,
        called=event.repository,
        thread=_thread(event, aim),
        kind=aim.word,
        commit=event.commit,
        base=event.base_ref,
        at=event.at,
        happened=event.happened,
        order=event.order,
        number=event.number,
        outside=isinstance(event, PullRequestEvent) and event.fork,
    )


def _thread(event: Event, aim: Aim) -> str:
    """Name what an event is ordered with; merge groups are apart, and each has its commit."""
    if aim.cause == "merge_group":
        return f"queue {event.commit}"
    return f"branch {event.base_ref}" if aim.cause == "merge" else f"#{event.number}"


def _update(event: Event, aim: Aim) -> Update:
    """Describe the work, but for its id and mirror."""
    merge = aim.cause == "merge"
    changed = event.updated_at if isinstance(event, PullRequestEvent) else event.at
    return Update(
        "",
        "",
        event.repository,
        event.number,
        event.head_sha,
        time.time(),
        aim=aim,
        merge_sha=event.commit if merge else "",
        merged_at=event.at if merge else "",
        updated_at=changed,
        base_ref=event.base_ref,
        author=event.author if isinstance(event, PullRequestEvent) else "",
    )
