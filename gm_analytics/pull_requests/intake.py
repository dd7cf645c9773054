"""The intake of deliveries: what they cause is stored before they are answered."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import Any

from gm_analytics.errors import ConfigError, DeliveryError, StoreUnavailable
from gm_analytics.events import Delivery, PullRequestEvent
from gm_analytics.pull_requests.ports import Updates
from gm_analytics.pull_requests.rules import Rules
from gm_analytics.updates.model import Aim, Update

STORE_DEADLINE = 8.0
"""Seconds; GitHub takes a delivery for failed after 10."""

log = logging.getLogger(__name__)
Read = Callable[[Mapping[str, str], bytes], Delivery]
"""Checks and reads a webhook call, as a forge's room does it."""


@dataclass(frozen=True)
class Reply:
    """What a caller gets."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Intake:
    """Takes deliveries."""

    read: Read
    rules: Rules
    mirrors_of: Callable[[str], list[str]]
    """Names the mirrors that a repository's pull requests change."""
    updates: Callable[[], Updates]
    """Opens the store, which may be away for a while."""
    tell: Callable[[Update], None]
    """Has the pull request told of a new update."""
    page: Callable[[str], str]
    """Gives the address of an update's page."""
    threads: ThreadPoolExecutor

    def receive(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Take a webhook call; `headers` with lower-case names.

        The signature comes before anything else is looked at, and an update is on disk before
        this returns.
        """
        try:
            return self._decide(self.read(headers, body))
        except DeliveryError as error:
            log.warning("delivery %s: %s", headers.get("x-github-delivery", "?"), error)
            return Reply(error.status, {"command_return": "refused", "reason": error.public})
        except StoreUnavailable as error:
            log.error("delivery %s: %s", headers.get("x-github-delivery", "?"), error)
            return Reply(503, {"command_return": "unavailable", "reason": error.public})
        except ConfigError as error:
            log.error("delivery %s: %s", headers.get("x-github-delivery", "?"), error)
            return Reply(503, {"command_return": "unavailable", "reason": error.public})

    def _decide(self, delivery: Delivery) -> Reply:
        if delivery.name == "ping":
            return Reply(200, {"command_return": "pong"})
        event = delivery.event
        if event is None:
            return _ignored(delivery, f"event {delivery.name} causes no update")
        aim, mirrors = self.rules.decide(event), self.mirrors_of(event.repository)
        if isinstance(aim, str):
            return _ignored(delivery, aim)
        if not mirrors:
            return _ignored(delivery, "no mirror is configured for this repository")
        for mirror in mirrors:
            name = delivery.id if len(mirrors) == 1 else f"{delivery.id}@{mirror}"
            self._store(_update(name, mirror, event, aim))
        log.info("delivery %s: accepted %s at %s", delivery.id, event.key, event.head_sha)
        page = self.page(delivery.id)
        accepted = {"command_return": "accepted", "update_id": delivery.id, "status_url": page}
        return Reply(202, accepted)

    def _store(self, update: Update) -> None:
        """Store within the time that GitHub waits; storing twice is harmless."""
        try:
            stored = self.threads.submit(lambda: self.updates().enqueue(update))
            new = stored.result(STORE_DEADLINE)
        except FutureTimeoutError as error:
            doing = f"storing update {update.id}"
            raise StoreUnavailable(doing, f"no answer within {STORE_DEADLINE:g} s") from error
        if new:
            # GitHub does not wait for it, and what is lost with the process is said at the end.
            self.threads.submit(self.tell, update)


def _ignored(delivery: Delivery, reason: str) -> Reply:
    log.info("delivery %s: ignored: %s", delivery.id, reason)
    return Reply(200, {"command_return": "ignored", "reason": reason})


def _update(name: str, mirror: str, event: PullRequestEvent, aim: Aim) -> Update:
    return Update(
        name,
        mirror,
        event.repository,
        event.number,
        event.head_sha,
        time.time(),
        aim=aim,
        merge_sha=event.merge_commit_sha,
        merged_at=event.merged_at,
        updated_at=event.updated_at,
        base_ref=event.base_ref,
    )
