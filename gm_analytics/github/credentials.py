"""With what GitHub is asked: a token, or the short-lived tokens of a GitHub App.

A token that GitHub refuses is read again, once an answer: whoever changes it in its file restarts
nothing. An app's tokens live an hour; each is of one repository.
Sources: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app and
https://docs.github.com/en/rest/apps/apps
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Protocol

from pydantic import Field, TypeAdapter

from gm_analytics import settings
from gm_analytics.errors import GitHubError
from gm_analytics.github.app_key import assertion
from gm_analytics.remote import fetch

LIFE = 55 * 60.0
"""Seconds that an app's token is used for; GitHub takes it for an hour."""
_REPOSITORY = re.compile(r"(?:repos/[^/?]+/[^/?]+|repositories/[0-9]+)(?=[/?]|$)")
"""How a path of the API begins that is of one repository; pages after the first have its id."""


class Credentials(Protocol):
    """Gives what a request carries."""

    def of(self, path: str) -> fetch.Token:
        """Give what is sent to a path of the API."""
        ...

    def renewed(self, path: str, refused: fetch.Token) -> fetch.Token | None:
        """Give another one than that which was refused, if there is one."""
        ...

    def follows(self, path: str, following: str) -> None:
        """Take note that a path is the next page of another one."""
        ...


class Configured:
    """The token of the configuration, or none."""

    def __init__(self, config: settings.GitHub) -> None:
        self._config = config
        self._token = fetch.Token(config.token)

    def of(self, path: str) -> fetch.Token:  # noqa: ARG002  # as `Credentials` has it
        """Give it, whatever the path is."""
        return self._token

    def renewed(self, path: str, refused: fetch.Token) -> fetch.Token | None:  # noqa: ARG002
        """Read it again, unless that was done since."""
        if self._token is refused:
            fresh = fetch.Token(self._config.token_again())
            if fresh in {refused, fetch.NOBODY}:
                return None
            self._token = fresh
        return self._token

    def follows(self, path: str, following: str) -> None:
        """Nothing depends on it."""


Read = Callable[..., Any]
"""Reads an answer: what is being done, method, path, credentials, shape, what is sent."""


@dataclass(frozen=True)
class _Kept:
    token: fetch.Token
    ends: float


class App:
    """An app's tokens, each got when it is first needed; its installation is found by itself."""

    def __init__(
        self, config: settings.GitHub, read: Read, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config, self._read, self._clock = config, read, clock
        self._kept: dict[str, _Kept] = {}
        self._same: dict[str, str] = {}

    def of(self, path: str) -> fetch.Token:
        """Give the token of the path's repository.

        Raises:
            GitHubError: the app is not installed there, or GitHub refuses its key.
            GitHubUnavailable: GitHub could not answer, or asked to wait.
            ConfigError: the private key cannot be used.

        """
        at = self._repository(path)
        kept = self._kept.get(at)
        if kept is None or kept.ends <= self._clock():
            kept = _Kept(self._fresh(at), self._clock() + LIFE)
            self._kept[at] = kept
        return kept.token

    def renewed(self, path: str, refused: fetch.Token) -> fetch.Token | None:
        """Get another one: GitHub takes them back where an installation changes."""
        at = self._repository(path)
        if at in self._kept and self._kept[at].token is refused:
            del self._kept[at]
        return self.of(path)

    def follows(self, path: str, following: str) -> None:
        """Know by its id the repository that a page is of."""
        one, other = _REPOSITORY.match(path), _REPOSITORY.match(following)
        if one and other and one[0] != other[0]:
            self._same[other[0]] = self._same.get(one[0], one[0])

    def _repository(self, path: str) -> str:
        """Give how the paths of a repository begin; empty for what is of none."""
        found = _REPOSITORY.match(path)
        return self._same.get(found[0], found[0]) if found else ""

    def _fresh(self, at: str) -> fetch.Token:
        app = fetch.Token(assertion(self._config))
        installation = self._installation(at, app)
        name = at.rpartition("/")[2]
        only = {"repositories": [name]} if at.startswith("repos/") else {}
        path = f"app/installations/{installation}/access_tokens"
        doing = "asking for a token of the GitHub App"
        found: _Token = self._read(doing, "POST", path, app, _TOKEN, json=only)
        return fetch.Token(found.token)

    def _installation(self, at: str, app: fetch.Token) -> int:
        if not at:
            doing = "asking where the GitHub App is installed"
            listed: list[_Installation] = self._read(
                doing, "GET", "app/installations", app, _INSTALLATIONS
            )
            if not listed:
                raise GitHubError(doing, HTTPStatus.FORBIDDEN, "it is installed nowhere")
            return listed[0].id
        doing = f"asking where the GitHub App is installed for {at}"
        try:
            found: _Installation = self._read(
                doing, "GET", f"{at}/installation", app, _INSTALLATION
            )
        except GitHubError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            said = "it is not installed there, or not on this repository"
            raise GitHubError(doing, HTTPStatus.FORBIDDEN, said) from error
        return found.id


# --- the shapes of GitHub's answers, as far as they are read -------------------------------


@dataclass(frozen=True)
class _Installation:
    id: Annotated[int, Field(gt=0)]


@dataclass(frozen=True)
class _Token:
    token: Annotated[str, Field(pattern=r"^[!-~]{1,4096}$", repr=False)]


_INSTALLATION = TypeAdapter(_Installation)
_INSTALLATIONS = TypeAdapter(list[_Installation])
_TOKEN = TypeAdapter(_Token)
