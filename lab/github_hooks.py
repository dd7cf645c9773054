"""A repository's webhooks at the stand-in for GitHub, and their deliveries.

Sources: https://docs.github.com/en/rest/repos/webhooks,
https://docs.github.com/en/rest/webhooks/repo-deliveries
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from lab.deliveries import signed

MOST = 20
"""Webhooks of one repository for an event."""
KNOWN = {"*", "pull_request", "push", "merge_group", "issues", "ping"}
_SHOWN_SECRET = "********"  # noqa: S105  # what GitHub shows in its place
Reach = Callable[[str], str | None]
"""Gives the address at which one of the Internet is reached from here; None if nobody is there."""


class Invalid(ValueError):
    """What GitHub refuses with 422."""


@dataclass
class Hook:
    """A webhook, with its secret, and what it delivered."""

    id: int
    config: dict[str, str]
    events: list[str]
    active: bool = True
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    def shown(self, api: str) -> dict[str, Any]:
        """Give it as GitHub shows it."""
        secret = {"secret": _SHOWN_SECRET} if self.config.get("secret") else {}
        last = self.deliveries[0] if self.deliveries else {}
        response = {
            "code": last.get("status_code"),
            "status": last.get("status", "unused"),
            "message": None,
        }
        return {
            "type": "Repository", "id": self.id, "name": "web", "active": self.active,
            "events": self.events, "config": {**self.config, **secret},
            "url": f"{api}/{self.id}", "ping_url": f"{api}/{self.id}/pings",
            "deliveries_url": f"{api}/{self.id}/deliveries", "last_response": response,
        }  # fmt: skip


class Hooks:
    """The webhooks of one repository."""

    def __init__(self) -> None:
        self.hooks: list[Hook] = []
        self.reach: Reach = str
        self.inside: Callable[[], AbstractContextManager[None]] = nullcontext
        """Where what is reached is: another network namespace, say."""
        self._numbers = itertools.count(11)
        self._deliveries = itertools.count(9001)
        self._lock = threading.Lock()

    def find(self, number: int) -> Hook | None:
        """Give one by its id."""
        return next((hook for hook in self.hooks if hook.id == number), None)

    def add(self, given: dict[str, Any]) -> Hook:
        """Make one; GitHub pings it at once."""
        hook = Hook(next(self._numbers), _config(given.get("config", {})), _events(given))
        hook.active = given.get("active", True)
        if given.get("name", "web") != "web":
            raise Invalid("name: Hook name must be web")
        if any(_key(one) == _key(hook) for one in self.hooks):
            raise Invalid("Hook already exists on this repository")
        if len(self.hooks) >= MOST:
            raise Invalid(f'The "push" event cannot have more than {MOST} hooks')
        self.hooks.append(hook)
        self.deliver(hook, "ping", {"zen": "Keep it logically awesome.", "hook_id": hook.id})
        return hook

    def change(self, hook: Hook, given: dict[str, Any]) -> None:
        """Change one. A configuration takes the place of the whole one, its secret included."""
        if "config" in given:
            hook.config = _config(given["config"])
        if "events" in given:
            hook.events = _events(given)
        hook.active = given.get("active", True)

    def send(self, event: str, payload: dict[str, Any]) -> None:
        """Deliver an event to whoever chose it."""
        for hook in self.hooks:
            if hook.active and {"*", event} & set(hook.events):
                self.deliver(hook, event, payload)

    def deliver(self, hook: Hook, event: str, payload: dict[str, Any]) -> None:
        """Deliver, signed, and note what came back."""
        began, guid = time.monotonic(), str(uuid.uuid4())
        form = hook.config["content_type"] == "form"
        headers, body = signed(
            payload, hook.config.get("secret", ""), event=event, delivery_id=guid, form=form
        )
        if not hook.config.get("secret"):
            del headers["X-Hub-Signature-256"]
        code, status = self._post(hook.config["url"], headers, body)
        with self._lock:
            number = next(self._deliveries)
        made = {
            "id": number, "guid": guid, "delivered_at": f"{datetime.now(UTC):%FT%TZ}",
            "redelivery": False, "duration": round(time.monotonic() - began, 2), "status": status,
            "status_code": code, "event": event, "action": payload.get("action"),
            "installation_id": None, "repository_id": 2_000_001,
        }  # fmt: skip
        hook.deliveries.insert(0, made)

    def _post(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        try:
            with self.inside():
                there = self.reach(url)
                if there is None:  # as ngrok answers at an address that nobody has any more
                    return 404, "Invalid HTTP Response: 404"
                reply = requests.post(there, data=body, headers=headers, timeout=10)
        except requests.RequestException:
            return 0, "failed to connect to host"
        good = reply.ok
        return reply.status_code, "OK" if good else f"Invalid HTTP Response: {reply.status_code}"


def _key(hook: Hook) -> tuple[str, tuple[str, ...]]:
    return hook.config["url"], tuple(sorted(hook.events))


def _config(given: dict[str, Any]) -> dict[str, str]:
    url = given.get("url", "")
    if urlsplit(url).scheme not in {"http", "https"}:
        raise Invalid("url is missing a scheme")
    if urlsplit(url).hostname in {"localhost", "127.0.0.1"}:
        raise Invalid(
            "url is not supported because it isn't reachable over the public Internet (localhost)"
        )
    made = {
        "url": url,
        "content_type": given.get("content_type", "form"),
        "insecure_ssl": str(given.get("insecure_ssl", "0")),
    }
    return made | ({"secret": given["secret"]} if given.get("secret") else {})


def _events(given: dict[str, Any]) -> list[str]:
    events = list(given.get("events") or ["push"])
    if unknown := set(events) - KNOWN:
        raise Invalid(f"events: {', '.join(sorted(unknown))} is not a valid event")
    return events
