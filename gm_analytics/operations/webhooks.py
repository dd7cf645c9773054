"""A repository's webhook: made, repaired or left as it is, and whether its deliveries arrive.

Of several webhooks ours is the one with this service's address, or with its name in the query of
the address (`?service=ID`): that stays when a tunnel's address changes. All others are left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal, Protocol
from urllib.parse import parse_qs, quote, urlsplit

from gm_analytics.errors import NoSuchWebhook, WebhookInUse
from gm_analytics.github.hooks import Delivered, Hook, Wanted

PATH = "/ci_server/updates"
SERVICE = "service"
"""In the query of an address: which service the webhook belongs to."""
PATIENCE = 20.0
"""Seconds that GitHub has to deliver a ping; it gives the address ten of them."""
_PAUSE = 1.0
_LISTED = 20
"""Deliveries among which a ping is looked for."""
_OFF_ON = ("off", "on")


class Hooks(Protocol):
    """What is asked of GitHub."""

    def of(self, repository: str) -> list[Hook]:
        """Give the webhooks of a repository."""
        ...

    def create(self, repository: str, wanted: Wanted) -> Hook:
        """Make one."""
        ...

    def change(self, repository: str, hook: Hook, wanted: Wanted) -> Hook:
        """Make one what it should be."""
        ...

    def ping(self, repository: str, hook: Hook) -> None:
        """Have it deliver a ping."""
        ...

    def deliveries(self, repository: str, hook: Hook, most: int = 20) -> list[Delivered]:
        """Give what it delivered, the newest first."""
        ...


@dataclass(frozen=True)
class Registered:
    """What became of a repository's webhook."""

    repository: str
    hook: Hook
    done: Literal["created", "repaired", "unchanged"]
    changes: tuple[str, ...] = ()
    """What was different, a sentence each; never a secret."""
    ping: Delivered | None = None
    """What became of a ping, once GitHub tells that."""
    others: tuple[str, ...] = ()
    """Webhooks that lead to services like this one, and were left alone."""

    @property
    def arrives(self) -> bool:
        """Whether a delivery is known to arrive."""
        return self.ping is not None and self.ping.is_good


def address(public: str, service: str) -> str:
    """Give where GitHub is to deliver to."""
    return f"{public.rstrip('/')}{PATH}?{SERVICE}={quote(service, safe='')}"


class Webhooks:
    """The webhooks of one service."""

    def __init__(self, hooks: Hooks, sleep: Callable[[float], object] = time.sleep) -> None:
        self._hooks, self._sleep = hooks, sleep

    def register(self, repository: str, wanted: Wanted, take_over: int = 0) -> Registered:
        """Have a repository's webhook be what is wanted, and see whether a ping arrives.

        `take_over` is the id of one that belongs to another service, and is to be ours.

        Raises:
            NoSuchWebhook: there is none of that id.
            WebhookInUse: the one of this service's name leads to another that lives.
            GitHubError: GitHub refused.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        found = self._hooks.of(repository)
        ours = _ours(found, wanted.url)
        if take_over:
            ours = next((hook for hook in found if hook.id == take_over), None)
            if ours is None:
                raise NoSuchWebhook(repository, take_over, [str(hook.id) for hook in found])
        others = tuple(_others(found, ours))
        if ours is None:
            made = self._hooks.create(repository, wanted)
            return Registered(
                repository, made, "created", (), self._pinged(repository, made), others
            )
        if not take_over and _place(ours.url) != _place(wanted.url):
            self._see_that_nobody_answers(repository, ours)
        changes = differences(ours, wanted)
        if changes:
            ours = self._hooks.change(repository, ours, wanted)
        ping = self._pinged(repository, ours)
        if not changes and ping and ping.status_code == HTTPStatus.UNAUTHORIZED:
            # GitHub shows no secret: that it is another one is seen by what it signs.
            changes = ("secret: it was another one",)
            ours = self._hooks.change(repository, ours, wanted)
            ping = self._pinged(repository, ours)
        done: Literal["repaired", "unchanged"] = "repaired" if changes else "unchanged"
        return Registered(repository, ours, done, tuple(changes), ping, others)

    def look(self, repository: str, wanted: Wanted) -> tuple[Hook | None, list[Delivered]]:
        """Give our webhook, if there is one, and what it delivered last."""
        ours = _ours(self._hooks.of(repository), wanted.url)
        return ours, self._hooks.deliveries(repository, ours) if ours else []

    def _see_that_nobody_answers(self, repository: str, hook: Hook) -> None:
        """See that a webhook of this service's name is not another's of the same name.

        A tunnel that has another address now has nobody at the one before.
        """
        ping = self._pinged(repository, hook)
        if ping is not None and ping.is_good:
            raise WebhookInUse(repository, hook.id, shown(hook.url))

    def _pinged(self, repository: str, hook: Hook) -> Delivered | None:
        """Have a ping delivered, and give what became of it, if GitHub tells that in time."""
        before = {one.id for one in self._hooks.deliveries(repository, hook, _LISTED)}
        self._hooks.ping(repository, hook)
        for _ in range(int(PATIENCE / _PAUSE)):
            for one in self._hooks.deliveries(repository, hook, _LISTED):
                if one.id not in before and one.event == "ping":
                    return one
            self._sleep(_PAUSE)
        return None


def differences(hook: Hook, wanted: Wanted) -> Sequence[str]:
    """Say in what a webhook is not what it should be."""
    return [said for said in _differences(hook, wanted) if said]


def _differences(hook: Hook, wanted: Wanted) -> Iterator[str]:
    if hook.url != wanted.url:
        yield f"address: {shown(hook.url)} → {shown(wanted.url)}"
    if not hook.is_json:
        yield f"content type: {hook.config.content_type or 'none'} → json"
    if not hook.is_verified:
        yield "SSL verification: off → on"
    if set(hook.events) != set(wanted.events):
        yield f"events: {', '.join(hook.events) or 'none'} → {', '.join(wanted.events)}"
    if not hook.active:
        yield "active: no → yes"
    if not hook.has_secret:
        yield "secret: there was none"


def _ours(found: Sequence[Hook], url: str) -> Hook | None:
    """Find this service's: at its address, or with its name in another one."""
    at_address = (hook for hook in found if _place(hook.url) == _place(url))
    alike = (hook for hook in found if _is_alike(hook))
    named = (hook for hook in alike if _service(hook.url) == _service(url))
    return next(at_address, None) or next(named, None)


def _others(found: Sequence[Hook], ours: Hook | None) -> Iterator[str]:
    for hook in found:
        if hook != ours and _is_alike(hook):
            yield f"{hook.id} ({shown(hook.url)})"


def _is_alike(hook: Hook) -> bool:
    """Tell whether it leads to a service like this one."""
    return urlsplit(hook.url).path.rstrip("/").endswith(PATH)


def _place(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.netloc.lower(), parts.path.rstrip("/")


def _service(url: str) -> str:
    return "".join(parse_qs(urlsplit(url).query).get(SERVICE, []))


def shown(url: str) -> str:
    """Give an address for people: another's may have a secret in it."""
    parts = urlsplit(url)
    name = _service(url)
    more = f"?{SERVICE}={name}" if name else "?…" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{more}"
