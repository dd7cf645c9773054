"""GitHub's REST API and raw content, over requests.

Sources: https://docs.github.com/en/rest/repos/contents,
https://docs.github.com/en/rest/commits/statuses, https://docs.github.com/en/rest/issues/comments
and https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote

import requests

from gm_analytics import settings
from gm_analytics.errors import GitHubError, GitHubUnavailable
from gm_analytics.manifest import MAX_BYTES

DEFAULT_WAIT = 60.0
"""Seconds to wait after a 403 or 429 that says neither how long nor until when."""
TO_SET_STATUSES = "Commit statuses: write"
TO_COMMENT = "Pull requests: write"
"""What GitHub calls the rights of a fine-grained token."""

CommitState = Literal["pending", "success", "failure", "error"]


class GitHub:
    """One GitHub, with or without a token; safe to share between threads."""

    def __init__(self, config: settings.GitHub) -> None:
        self._config = config

    def manifest(self, repository: str, sha: str) -> bytes:
        """Read the manifest at a commit, from the base repository (which has forks' heads too).

        Raises:
            GitHubError: there is none there, or the token may not read it.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        path = self._config.manifest
        doing = f"reading {path} of {repository} at {sha}"
        if self._config.token:
            url = self._url(f"repos/{repository}/contents/{quote(path)}")
            headers = {"Accept": "application/vnd.github.raw+json"}
        else:
            url = f"{self._config.raw_url}".rstrip("/") + f"/{repository}/{sha}/{quote(path)}"
            headers = {}
        query = {"ref": sha} if self._config.token else {}
        with self._request(doing, "GET", url, headers, params=query) as response:
            return _bounded(response)

    def contains(self, repository: str, commit: str, ancestor: str) -> bool:
        """Tell whether a commit is, or descends from, another one.

        Raises:
            GitHubError: GitHub does not know one of them.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        doing = f"comparing {ancestor} with {commit} of {repository}"
        url = self._url(f"repos/{repository}/compare/{ancestor}...{commit}")
        with self._request(doing, "GET", f"{url}?per_page=1") as response:
            return response.json()["status"] in {"ahead", "identical"}

    def set_status(
        self,
        repository: str,
        sha: str,
        state: CommitState,
        *,
        description: str,
        url: str,
        context: str,
    ) -> None:
        """Say of a commit how it fares in a context; a later word takes an earlier one's place.

        The description has at most 140 characters, and `url` may be empty.

        Raises:
            GitHubError: GitHub does not know the commit, or the token may not.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        doing = f"setting status {context} of {repository} at {sha} to {state}"
        body = {"state": state, "description": description, "context": context}
        body |= {"target_url": url} if url else {}
        with _naming(TO_SET_STATUSES):
            self._send(doing, "POST", self._url(f"repos/{repository}/statuses/{sha}"), body)

    def put_comment(self, repository: str, number: int, marker: str, body: str) -> None:
        """Make `body`, which begins with `marker`, the one comment of ours on a pull request.

        The comment is found by its marker, changed where it is, and written anew if somebody
        deleted it. Of two callers at once each may write one, so call it in turns.

        Raises:
            GitHubError: there is no such pull request, or the token may not.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        doing = f"commenting on {repository}#{number}"
        comments = self._url(f"repos/{repository}/issues/{number}/comments")
        with _naming(TO_COMMENT):
            for comment in self._comments(doing, comments, marker):
                if _same(comment["body"], body) or self._edit(doing, comment["url"], body):
                    return
            self._send(doing, "POST", comments, {"body": body})

    def _edit(self, doing: str, comment: str, body: str) -> bool:
        """Change a comment; tell whether it was there, and ours to change."""
        try:
            self._send(doing, "PATCH", comment, {"body": body})
        except GitHubError as error:
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
                raise
            return False
        return True

    def _comments(self, doing: str, url: str, marker: str) -> Iterator[dict[str, Any]]:
        """Give the comments that have the marker and are by the token's own user, oldest first."""
        page: str | None = f"{url}?per_page=100"
        while page:
            with self._request(doing, "GET", page) as response:
                found, page = response.json(), response.links.get("next", {}).get("url")
            for comment in found:
                # Anybody can copy the marker, but not write as the token's user.
                author = (comment["user"] or {}).get("id")
                if comment["body"].startswith(marker) and self._user in (None, author):
                    yield comment

    @cached_property
    def _user(self) -> int | None:
        """The id of the token's user; None for an app's token, which may not ask."""
        try:
            with self._request("asking whose the token is", "GET", self._url("user")) as response:
                return int(response.json()["id"])
        except GitHubError:
            return None

    def _url(self, path: str) -> str:
        return f"{self._config.api_url}".rstrip("/") + f"/{path}"

    def _send(self, doing: str, method: str, url: str, body: dict[str, str]) -> None:
        with self._request(doing, method, url, json=body):
            pass

    @contextmanager
    def _request(
        self,
        doing: str,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> Iterator[requests.Response]:
        headers = dict(headers or {})
        if self._config.token:
            headers["Authorization"] = f"Bearer {self._config.token}"
        try:
            with requests.request(
                method, url, headers=headers, timeout=self._config.timeout, stream=True, **options
            ) as response:
                self._check(doing, response)
                yield response
        except requests.RequestException as error:
            raise GitHubUnavailable(doing, f"{type(error).__name__}: {error}") from error

    @staticmethod
    def _check(doing: str, response: requests.Response) -> None:
        status = response.status_code
        if status in (HTTPStatus.OK, HTTPStatus.CREATED):
            return
        said = _message(response)
        if status == HTTPStatus.TOO_MANY_REQUESTS or (
            status == HTTPStatus.FORBIDDEN and _is_rate_limit(response, said)
        ):
            raise GitHubUnavailable(doing, f"{status} {said}", _wait(response))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise GitHubUnavailable(doing, f"{status} {said}")
        raise GitHubError(doing, status, said)


@contextmanager
def _naming(right: str) -> Iterator[None]:
    """Add to a refusal the right that the token may lack, where that is the likely reason.

    GitHub says 404 of what a token may not see, and 403 for other reasons too (a locked
    conversation, single sign-on).
    """
    try:
        yield
    except GitHubError as error:
        hidden = error.status == HTTPStatus.NOT_FOUND
        if hidden or "not accessible by" in error.message:
            said = f"{error.message} (the token may lack the right '{right}')"
            raise GitHubError(error.doing, error.status, said) from error
        raise


def _same(theirs: str, ours: str) -> bool:
    """Compare as GitHub keeps a text: it may have other line ends and no blanks around it."""
    return theirs.replace("\r\n", "\n").strip() == ours.strip()


def _bounded(response: requests.Response) -> bytes:
    """Read at most one byte more than a manifest may have: enough to be refused for its size."""
    body = b""
    for chunk in response.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_BYTES:
            break
    return body


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200].strip() or str(response.reason)


def _is_rate_limit(response: requests.Response, said: str) -> bool:
    """Tell a limit from a refusal; a secondary limit may come with its words alone."""
    headers = response.headers
    return (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in said.lower()
    )


def _wait(response: requests.Response) -> float:
    """Give the seconds that GitHub asks for: retry-after, else until x-ratelimit-reset."""
    headers = response.headers
    if headers.get("retry-after", "").isdigit():
        return float(headers["retry-after"])
    if headers.get("x-ratelimit-reset", "").isdigit():
        return max(1.0, float(headers["x-ratelimit-reset"]) - time.time())
    return DEFAULT_WAIT
