"""What is so at GitHub now, for who looks there: pull requests, and the head of a branch.

Sources: https://docs.github.com/en/rest/pulls/pulls#list-pull-requests and
https://docs.github.com/en/rest/commits/commits#list-commits
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import AfterValidator, TypeAdapter

from gm_analytics import settings
from gm_analytics.errors import BadDelivery, GitHubUnavailable
from gm_analytics.events import PullRequestEvent, PushEvent
from gm_analytics.github import api, payload

PER_PAGE = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page:
    """Some pull requests, those that changed last first."""

    pulls: tuple[PullRequestEvent, ...]
    oldest: str = ""
    """When the one that is listed last changed."""
    following: str = ""
    """Where the next page is, if there is one."""


class Watch:
    """Looks at repositories; with a token, what has not changed since costs nothing."""

    def __init__(self, config: settings.GitHub) -> None:
        self._api = api.Api(config)

    def pull_requests(self, repository: str, state: str, page: str = "") -> Page:
        """List pull requests, `open` or `all`; `page` is what the page before names.

        One that is not what GitHub sends is left out, and the log names it.

        Raises:
            GitHubError: the repository is not there, or the token may not.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        order = {"state": state, "sort": "updated", "direction": "desc", "per_page": PER_PAGE}
        url = page or self._api.url(f"repos/{repository}/pulls?{urlencode(order)}")
        doing = f"listing pull requests of {repository}"
        found, following = self._api.read_again(doing, url, _PULLS)
        return Page(found.pulls, found.oldest, following)

    def head(self, repository: str, branch: str | None) -> str:
        """Give the newest commit of a branch, by default the repository's own.

        Raises:
            GitHubError: there is no such branch, or the token may not.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        which = {"per_page": 1} | ({"sha": branch} if branch else {})
        url = self._api.url(f"repos/{repository}/commits?{urlencode(which)}")
        doing = f"asking for the head of {branch or 'the default branch'} of {repository}"
        found, _ = self._api.read_again(doing, url, _COMMITS)
        return str(found[0].get("sha", "")) if found else ""

    def pushed(self, repository: str, branch: str | None, head: str) -> PushEvent:
        """Give a branch's head as an event. Ask for the head first: then this is not earlier.

        Raises:
            GitHubError: the repository is not there, or the token may not.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        doing = f"asking when {repository} was pushed to"
        found, _ = self._api.read_again(doing, self._api.url(f"repos/{repository}"), _OBJECT)
        told = {"ref": f"refs/heads/{branch or found.get('default_branch')}", "after": head}
        try:
            # How it came there is not known, so it may be a head that it had before.
            return payload.read_push({**told, "repository": found, "forced": True})
        except BadDelivery as error:
            raise GitHubUnavailable(doing, str(error)) from error


def _listed(items: list[dict[str, Any]]) -> Page:
    oldest = items[-1].get("updated_at") if items else ""
    found = [event for item in items if (event := _event(item))]
    return Page(tuple(found), oldest if isinstance(oldest, str) else "")


def _event(item: dict[str, Any]) -> PullRequestEvent | None:
    base = item.get("base")
    repository = base.get("repo") if isinstance(base, dict) else None
    try:
        if not isinstance(repository, dict):
            raise BadDelivery("base.repo: missing")
        return payload.read_listed(item, repository)
    except BadDelivery as error:
        log.warning("pull request %a is left out: %s", item.get("number"), error)
        return None


_PULLS: TypeAdapter[Any] = TypeAdapter(Annotated[list[dict[str, Any]], AfterValidator(_listed)])
_COMMITS = TypeAdapter(list[dict[str, Any]])
_OBJECT = TypeAdapter(dict[str, Any])
