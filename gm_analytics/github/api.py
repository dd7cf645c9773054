"""How GitHub's API is asked: with the token at its own origin alone, and bounded.

Sources: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api and
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import requests
from pydantic import TypeAdapter, ValidationError

from gm_analytics import settings
from gm_analytics.errors import GitHubError, GitHubUnavailable
from gm_analytics.github import counted
from gm_analytics.github.credentials import App, Configured, Credentials
from gm_analytics.measures import GITHUB_REQUESTS
from gm_analytics.remote import fetch

T = TypeVar("T")

DEFAULT_WAIT = 60.0
"""Seconds to wait after a 403 or 429 that says neither how long nor until when."""
PATIENCE = 3
"""A whole answer may take so many times the seconds that GitHub may be silent for."""
MAX_JSON = 32 * 1024 * 1024
"""Bytes; a hundred comments of the largest size have half of it."""
MAX_REDIRECTS = 3
MAX_KEPT = 64
"""Answers that are kept, to be told that they have not changed."""
_MAX_ETAG = 200
MAX_MESSAGE = 200
"""Characters of what GitHub says of an error."""


class Api:
    """One GitHub. Every method may raise `GitHubError` and `GitHubUnavailable`."""

    def __init__(self, config: settings.GitHub) -> None:
        self._config = config
        self._credentials: Credentials = (
            App(config, self._as_app) if config.has_app else Configured(config)
        )
        self._way = fetch.Way(config.proxy, config.ca_file)
        self._kept: OrderedDict[str, tuple[str, Any, str]] = OrderedDict()

    def url(self, path: str) -> str:
        """Give the address of a path of the API."""
        return f"{self._config.api_url}".rstrip("/") + f"/{path}"

    def read(self, doing: str, url: str, shape: TypeAdapter[T]) -> tuple[T, str]:
        """Give what GitHub said, of the shape that its documentation promises, and the next page.

        What is of another shape is another's answer (a proxy's page), or GitHub's bad day.
        """
        return self._read(doing, self.ask(doing, "GET", url, MAX_JSON), shape)

    def read_again(self, doing: str, url: str, shape: TypeAdapter[T]) -> tuple[T, str]:
        """Read what is read often: GitHub does not send it, nor count it, if it is as it was.

        Only requests with a token are not counted.
        """
        etag, *known = self._kept.get(url, ("", None, ""))
        headers = {"If-None-Match": etag} if etag else {}
        reply = self.ask(doing, "GET", url, MAX_JSON, headers=headers)
        if reply.status == HTTPStatus.NOT_MODIFIED:
            return known[0], known[1]
        found, following = self._read(doing, reply, shape)
        named = reply.headers.get("etag", "")
        if named.isprintable() and 0 < len(named) <= _MAX_ETAG:
            self._kept[url] = (named, found, following)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return found, following

    def send(
        self, doing: str, method: str, url: str, body: dict[str, Any], shape: TypeAdapter[T]
    ) -> T:
        """Have something made or changed, and give what became of it."""
        return self._read(doing, self.ask(doing, method, url, MAX_JSON, json=body), shape)[0]

    @staticmethod
    def _read(doing: str, reply: fetch.Reply, shape: TypeAdapter[T]) -> tuple[T, str]:
        if not reply.whole:
            raise GitHubUnavailable(doing, f"the answer has more than {MAX_JSON:,} bytes")
        try:
            return shape.validate_json(reply.body), reply.following
        except ValidationError as error:
            wrong = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, wrong["loc"])) or "the answer"
            raise GitHubUnavailable(doing, f"{where}: {wrong['msg']}") from None

    def ask(self, doing: str, method: str, url: str, most: int, **options: Any) -> fetch.Reply:
        """Ask the API, with the token, if that is where an address leads.

        Addresses come out of the API's answers too (the next page, a redirect).
        """
        home = fetch.Origin.of(f"{self._config.api_url}")
        if fetch.Origin.of(url) != home:
            where = f"{fetch.Origin.of(url) or 'no address'}, which is not {home}"
            raise GitHubError(doing, HTTPStatus.OK, f"the answer leads to {where}")
        path = url.removeprefix(self.url(""))
        auth = self._credentials.of(path)
        try:
            reply = self.follow(doing, method, url, most, auth=auth, **options)
        except GitHubError as error:
            refused = error.status == HTTPStatus.UNAUTHORIZED
            other = self._credentials.renewed(path, auth) if refused else None
            if other is None:
                raise
            reply = self.follow(doing, method, url, most, auth=other, **options)
        self._credentials.follows(path, reply.following.removeprefix(self.url("")))
        return reply

    def _as_app(
        self,
        doing: str,
        method: str,
        path: str,
        auth: fetch.Token,
        shape: TypeAdapter[T],
        **options: Any,
    ) -> T:
        """Ask for what only an app may ask, and needs before it may ask anything else."""
        reply = self.follow(doing, method, self.url(path), MAX_JSON, auth=auth, **options)
        return self._read(doing, reply, shape)[0]

    def follow(
        self, doing: str, method: str, url: str, most: int, *, auth: fetch.Token, **options: Any
    ) -> fetch.Reply:
        """Ask, and ask the same again where GitHub says it moved, if that is of one origin."""
        for _ in range(1 + MAX_REDIRECTS):
            reply = self._once(doing, method, url, most, auth=auth, **options)
            counted.answer(reply.status, reply.headers)
            if not reply.location:
                as_it_was = reply.status == HTTPStatus.NOT_MODIFIED
                if not (as_it_was and options.get("headers", {}).get("If-None-Match")):
                    self._check(doing, reply)
                return reply
            if (origin := fetch.Origin.of(reply.location)) != fetch.Origin.of(url):
                said = f"it redirects to {origin or 'no address'}, another host"
                raise GitHubError(doing, reply.status, said)
            url = reply.location
            options.pop("params", None)  # they are part of it
        raise GitHubError(doing, reply.status, f"it redirected more than {MAX_REDIRECTS} times")

    def _once(
        self, doing: str, method: str, url: str, most: int, *, auth: fetch.Token, **options: Any
    ) -> fetch.Reply:
        limits = fetch.Limits(self._config.timeout, PATIENCE * self._config.timeout, most)
        try:
            return fetch.fetch(method, url, limits, auth, self._way, **options)
        except (requests.RequestException, OSError) as error:
            GITHUB_REQUESTS.add(result="unreachable")
            raise GitHubUnavailable(doing, f"{type(error).__name__}: {error}") from error

    @staticmethod
    def _check(doing: str, reply: fetch.Reply) -> None:
        status = reply.status
        if status in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT):
            return
        said = _message(reply)
        if status == HTTPStatus.TOO_MANY_REQUESTS or (
            status == HTTPStatus.FORBIDDEN and _is_rate_limit(reply, said)
        ):
            raise GitHubUnavailable(doing, f"{status} {said}", _wait(reply))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise GitHubUnavailable(doing, f"{status} {said}")
        raise GitHubError(doing, status, said)


@dataclass(frozen=True)
class _Detail:
    message: str = ""


@dataclass(frozen=True)
class _Error:
    message: str
    errors: tuple[_Detail | str, ...] = ()

    @property
    def text(self) -> str:
        """Give the message, and of what is invalid what is wrong with it."""
        details = (one if isinstance(one, str) else one.message for one in self.errors)
        return ": ".join([self.message, *filter(None, details)])


_ERROR = TypeAdapter(_Error)


def _message(reply: fetch.Reply) -> str:
    try:
        said = _ERROR.validate_json(reply.body).text
    except ValidationError:
        said = reply.body.decode(errors="replace")
    return " ".join(said[:MAX_MESSAGE].split()) or reply.reason


def _is_rate_limit(reply: fetch.Reply, said: str) -> bool:
    """Tell a limit from a refusal; a secondary limit may come with its words alone."""
    headers = reply.headers
    return (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in said.lower()
    )


def _wait(reply: fetch.Reply) -> float:
    """Give the seconds that GitHub asks for: retry-after, else until x-ratelimit-reset."""
    headers = reply.headers
    if (after := headers.get("retry-after", "")).isdecimal():
        return float(after)
    if (reset := headers.get("x-ratelimit-reset", "")).isdecimal():
        return max(1.0, float(reset) - time.time())
    return DEFAULT_WAIT
