"""GitHub's REST API and raw content, over requests.

Sources: https://docs.github.com/en/rest/repos/contents and
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import time
from http import HTTPStatus
from urllib.parse import quote

import requests

from gm_analytics import settings
from gm_analytics.errors import GitHubError, GitHubUnavailable
from gm_analytics.manifest import MAX_BYTES

DEFAULT_WAIT = 60.0
"""Seconds to wait after a 403 or 429 that says neither how long nor until when."""


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
            url = (
                f"{self._config.api_url}".rstrip("/")
                + f"/repos/{repository}/contents/{quote(path)}"
            )
            accept = "application/vnd.github.raw+json"
            return self._get(doing, url, {"ref": sha}, {"Accept": accept})
        url = f"{self._config.raw_url}".rstrip("/") + f"/{repository}/{sha}/{quote(path)}"
        return self._get(doing, url, {}, {})

    def _get(self, doing: str, url: str, query: dict[str, str], headers: dict[str, str]) -> bytes:
        if self._config.token:
            headers = {**headers, "Authorization": f"Bearer {self._config.token}"}
        try:
            with requests.get(
                url, params=query, headers=headers, timeout=self._config.timeout, stream=True
            ) as response:
                self._check(doing, response)
                return _bounded(response)
        except requests.RequestException as error:
            raise GitHubUnavailable(doing, f"{type(error).__name__}: {error}") from error

    @staticmethod
    def _check(doing: str, response: requests.Response) -> None:
        status = response.status_code
        if status == HTTPStatus.OK:
            return
        said = _message(response)
        if status == HTTPStatus.TOO_MANY_REQUESTS or (
            status == HTTPStatus.FORBIDDEN and _is_rate_limit(response, said)
        ):
            raise GitHubUnavailable(doing, f"{status} {said}", _wait(response))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise GitHubUnavailable(doing, f"{status} {said}")
        raise GitHubError(doing, status, said)


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
