"""Repositories' webhooks at GitHub: found, made, changed, and what they delivered last.

Sources: https://docs.github.com/en/rest/repos/webhooks and
https://docs.github.com/en/rest/webhooks/repo-deliveries
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from gm_analytics import settings
from gm_analytics.errors import GitHubError
from gm_analytics.github import api

RIGHT = (
    "'Webhooks: read and write' of a fine-grained token or an App, or the scope admin:repo_hook "
    "of a classic token, whose user has the role Admin"
)
MAX_PAGES = 5
"""Of a hundred webhooks each; a repository has twenty for an event at most."""
JSON = "json"


@dataclass(frozen=True)
class _Config:
    url: str = ""
    content_type: str = ""
    insecure_ssl: str | int = "0"
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Hook:
    """A webhook as GitHub shows it: of a secret it shows only that there is one."""

    id: Annotated[int, Field(gt=0)]
    config: _Config
    active: bool = True
    events: tuple[str, ...] = ()
    name: str = "web"

    @property
    def url(self) -> str:
        """Where it delivers to."""
        return self.config.url

    @property
    def is_json(self) -> bool:
        """Whether it delivers JSON, and no form."""
        return self.config.content_type == JSON

    @property
    def is_verified(self) -> bool:
        """Whether GitHub looks at the certificate of its address."""
        return str(self.config.insecure_ssl) == "0"

    @property
    def has_secret(self) -> bool:
        """Whether its deliveries are signed."""
        return bool(self.config.secret)


@dataclass(frozen=True)
class Wanted:
    """What a webhook of this service is."""

    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...]

    @property
    def body(self) -> dict[str, Any]:
        """Give it as GitHub takes it: a change without the secret would take the secret away."""
        config = {
            "url": self.url, "content_type": JSON, "insecure_ssl": "0", "secret": self.secret,
        }  # fmt: skip
        return {"active": True, "events": list(self.events), "config": config}


@dataclass(frozen=True)
class Delivered:
    """A delivery, and what came back."""

    id: int
    delivered_at: str
    event: str
    status: str
    status_code: int = 0
    """0 where nothing came back."""
    action: str | None = None
    duration: float = 0.0
    redelivery: bool = False

    @property
    def is_good(self) -> bool:
        """Whether it was taken."""
        return HTTPStatus.OK <= self.status_code < HTTPStatus.MULTIPLE_CHOICES


class Hooks:
    """One GitHub's webhooks. Every method may raise `GitHubError` and `GitHubUnavailable`."""

    def __init__(self, config: settings.GitHub) -> None:
        self._api = api.Api(config)

    def of(self, repository: str) -> list[Hook]:
        """Give the webhooks of a repository; GitHub's own services are none."""
        doing, found = f"listing the webhooks of {repository}", []
        page = self._url(repository, "?per_page=100")
        with _naming():
            for _ in range(MAX_PAGES):
                hooks, page = self._api.read(doing, page, _HOOKS)
                found += [hook for hook in hooks if hook.name == "web"]
                if not page:
                    return found
        raise GitHubError(doing, HTTPStatus.OK, f"more than {MAX_PAGES} pages of webhooks")

    def create(self, repository: str, wanted: Wanted) -> Hook:
        """Make a webhook."""
        doing = f"making a webhook of {repository}"
        return self._send(doing, "POST", self._url(repository), {"name": "web", **wanted.body})

    def change(self, repository: str, hook: Hook, wanted: Wanted) -> Hook:
        """Make a webhook what it should be."""
        doing = f"changing webhook {hook.id} of {repository}"
        return self._send(doing, "PATCH", self._url(repository, f"/{hook.id}"), wanted.body)

    def ping(self, repository: str, hook: Hook) -> None:
        """Have GitHub deliver a ping."""
        doing = f"having webhook {hook.id} of {repository} deliver a ping"
        with _naming():
            self._api.ask(doing, "POST", self._url(repository, f"/{hook.id}/pings"), api.MAX_JSON)

    def deliveries(self, repository: str, hook: Hook, most: int = 20) -> list[Delivered]:
        """Give what a webhook delivered, the newest first."""
        doing = f"listing deliveries of webhook {hook.id} of {repository}"
        url = self._url(repository, f"/{hook.id}/deliveries?per_page={most}")
        with _naming():
            return self._api.read(doing, url, _DELIVERED)[0]

    def _url(self, repository: str, more: str = "") -> str:
        return self._api.url(f"repos/{repository}/hooks{more}")

    def _send(self, doing: str, method: str, url: str, body: dict[str, Any]) -> Hook:
        with _naming():
            return self._api.send(doing, method, url, body, _HOOK)


@contextmanager
def _naming() -> Iterator[None]:
    """Add to a refusal the right that is needed; GitHub says 404 of what may not be seen."""
    try:
        yield
    except GitHubError as error:
        if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
            raise
        said = f"{error.message} (it takes the right {RIGHT})"
        raise GitHubError(error.doing, error.status, said) from error


_HOOK = TypeAdapter(Hook)
_HOOKS = TypeAdapter(list[Hook])
_DELIVERED = TypeAdapter(list[Delivered])
