"""What a token's rights allow on a repository, asked so that nothing is changed.

A classic token's scopes are in the header X-OAuth-Scopes of each answer. A fine-grained or an
app's token is asked for what it may do: to write a status or a comment without saying what is
refused as incomplete (422) if it may, and as not allowed if it may not.
Sources: https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps and
https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field, TypeAdapter, ValidationError

from gm_analytics import settings
from gm_analytics.errors import GitHubError, GitHubUnavailable
from gm_analytics.github import api

Purpose = Literal["repository", "manifests", "pull requests", "statuses", "comments", "checks"]
_SCOPES: dict[Purpose, tuple[str, tuple[str, ...]]] = {
    "statuses": ("repo:status", ("repo", "repo:status")),
    "comments": ("repo", ("repo",)),
}
"""Of a classic token: the least scope, and those that do."""
_NO_COMMIT = "0" * 40


@dataclass(frozen=True)
class Right:
    """Whether a token may do what the service wants of it."""

    purpose: Purpose
    lacks: str = ""
    """What it would need, in GitHub's words; empty if it may, or that is not known."""
    said: str = ""
    """What GitHub said, or why it was not asked."""


class Rights:
    """Asks for one token's rights."""

    def __init__(self, config: settings.GitHub) -> None:
        self._has_token, self._has_app = config.has_token, config.has_app
        self._api = api.Api(config)

    def of(self, repository: str) -> Iterator[Right]:
        """Give each thing that the service wants, and whether the token may do it.

        Raises:
            GitHubError: the token is refused as a whole.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        doing = f"asking what is allowed on {repository}"
        at = f"repos/{repository}"
        try:
            reply = self._api.ask(doing, "GET", self._api.url(at), api.MAX_JSON)
        except GitHubError as error:
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
                raise
            yield Right("repository", "access to it", _words(error))
            return
        found = _shape(doing, reply.body)
        yield Right("repository")
        branch = quote(found.default_branch, safe="")
        yield self._may("manifests", "Contents: read", f"{at}/branches/{branch}")
        newest, listed = self._newest(at)
        yield listed
        if self._has_token:
            scopes = reply.headers.get("x-oauth-scopes")
            of_classic = None if scopes is None else {one.strip() for one in scopes.split(",")}
            yield self._may_set_statuses(at, found, of_classic)
            yield self._may_comment(at, found, of_classic, newest)
        if self._has_app:
            yield self._may("checks", "Checks: write", f"{at}/check-runs", "POST")

    def _may_set_statuses(self, at: str, found: _Repository, scopes: set[str] | None) -> Right:
        if scopes is None:
            post = f"{at}/statuses/{_NO_COMMIT}"
            return self._may("statuses", "Commit statuses: write", post, "POST")
        if not found.permissions.get("push"):
            return Right("statuses", "the role Write of its user", "its user may not push")
        return _by_scope("statuses", found, scopes)

    def _may_comment(
        self, at: str, found: _Repository, scopes: set[str] | None, newest: int
    ) -> Right:
        if scopes is not None:
            return _by_scope("comments", found, scopes)
        if not newest:
            return Right("comments", said="not known before there is a pull request")
        post = f"{at}/issues/{newest}/comments"
        return self._may("comments", "Pull requests: write", post, "POST")

    def _newest(self, at: str) -> tuple[int, Right]:
        """Give the number of the newest pull request, and whether they may be listed."""
        doing, query = "listing pull requests", "pulls?state=all&per_page=1"
        try:
            found, _ = self._api.read(doing, self._api.url(f"{at}/{query}"), _NUMBERS)
        except GitHubError as error:
            return 0, _refused("pull requests", "Pull requests: read", error)
        return found[0].number if found else 0, Right("pull requests")

    def _may(self, purpose: Purpose, right: str, path: str, method: str = "GET") -> Right:
        doing = f"asking for the right '{right}'"
        body: dict[str, Any] = {"json": {}} if method == "POST" else {}
        try:
            self._api.ask(doing, method, self._api.url(path), api.MAX_JSON, **body)
        except GitHubError as error:
            return _refused(purpose, right, error)
        return Right(purpose)


def _refused(purpose: Purpose, right: str, error: GitHubError) -> Right:
    """Tell a right that is missing from what was incomplete; GitHub hides what may not be seen."""
    if error.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return Right(purpose)
    hidden = error.status == HTTPStatus.NOT_FOUND
    lacks = right if hidden or "not accessible by" in error.message else ""
    return Right(purpose, lacks, _words(error))


def _by_scope(purpose: Purpose, found: _Repository, scopes: set[str]) -> Right:
    least, enough = _SCOPES[purpose]
    if scopes & {*enough, *(() if found.private else ("public_repo",))}:
        return Right(purpose)
    given = ", ".join(sorted(scopes - {""})) or "none"
    return Right(purpose, f"scope {least}", f"its scopes are: {given}")


def _words(error: GitHubError) -> str:
    return f"GitHub says {error.status} {error.message}"


# --- the shapes of GitHub's answers, as far as they are read -------------------------------


@dataclass(frozen=True)
class _Repository:
    default_branch: str = "main"
    private: bool = False
    permissions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Number:
    number: Annotated[int, Field(gt=0)]


_REPOSITORY = TypeAdapter(_Repository)
_NUMBERS = TypeAdapter(list[_Number])


def _shape(doing: str, body: bytes) -> _Repository:
    try:
        return _REPOSITORY.validate_json(body)
    except ValidationError:
        raise GitHubUnavailable(doing, "the answer is not a repository") from None
