"""What is said on GitHub: statuses, the one comment. What is read of it is in `contents`.

Sources: https://docs.github.com/en/rest/commits/statuses,
https://docs.github.com/en/rest/issues/comments
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from gm_analytics.errors import GitHubError
from gm_analytics.github import api
from gm_analytics.github.contents import Contents
from gm_analytics.github.watch import Watch

TO_SET_STATUSES = "Commit statuses: write"
TO_COMMENT = "Pull requests: write"
"""What GitHub calls the rights of a fine-grained token."""
TO_ADD_CHECKS = "Checks: write"
"""What it calls that of an app alone."""

MAX_PAGES = 100
"""Of a hundred comments each."""

CommitState = Literal["pending", "success", "failure", "error", "neutral"]


class GitHub(Contents):
    """One GitHub, with or without a token; safe to share between threads."""

    @cached_property
    def watch(self) -> Watch:
        """What looks at repositories now and then."""
        return Watch(self._config)

    def calls_left(self) -> tuple[int, int]:
        """Give how many calls GitHub takes within this hour, and how many it takes in all.

        Raises:
            GitHubError: the token is refused.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        doing = "asking for the rate limit"
        core = self._api.read(doing, self._api.url("rate_limit"), _RATE_LIMIT)[0].resources.core
        return core.remaining, core.limit

    def merged_as(self, repository: str, commit: str) -> int:
        """Give the number of the pull request whose merge made a commit, 0 if none did.

        Raises:
            GitHubError: GitHub does not know the commit, or the token may not read it.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        doing = f"looking for the pull request of {repository} at {commit}"
        url = self._api.url(f"repos/{repository}/commits/{commit}/pulls")
        found, _ = self._api.read(doing, url, _PULLS)
        return next((p.number for p in found if p.merged_at and p.made(commit)), 0)

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

        The description has at most 140 characters, and `url` may be empty. `neutral` is a
        check run where the service is a GitHub App, elsewhere `error`.

        Raises:
            GitHubError: GitHub does not know the commit, or the token may not.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        if state == "neutral" and self._config.has_app:
            self._conclude(repository, sha, description, url, context)
            return
        state = "error" if state == "neutral" else state  # a status has no such word
        doing = f"setting status {context} of {repository} at {sha} to {state}"
        body = {"state": state, "description": description, "context": context}
        body |= {"target_url": url} if url else {}
        with _naming(TO_SET_STATUSES):
            self._send(doing, "POST", self._api.url(f"repos/{repository}/statuses/{sha}"), body)

    def _conclude(
        self, repository: str, sha: str, description: str, url: str, context: str
    ) -> None:
        """Give a commit a check run that has ended neither well nor badly."""
        doing = f"adding the check {context} to {repository} at {sha}"
        body: dict[str, Any] = {
            "name": context,
            "head_sha": sha,
            "status": "completed",
            "conclusion": "neutral",
        }
        body |= {"output": {"title": description, "summary": description}}
        body |= {"details_url": url} if url else {}
        with _naming(TO_ADD_CHECKS):
            self._send(doing, "POST", self._api.url(f"repos/{repository}/check-runs"), body)

    def put_comment(
        self, repository: str, number: int, marker: str, body: str, *, begin: bool = True
    ) -> None:
        """Make `body`, which begins with `marker`, the service's one comment on a pull request.

        Without `begin` none is begun: there may be one already.

        The comment is found by its marker, changed where it is, and written again if somebody
        deleted it. Of two callers at once each may write one, so call it in turns.

        Raises:
            GitHubError: there is no such pull request, or the token may not.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        doing = f"commenting on {repository}#{number}"
        comments = self._api.url(f"repos/{repository}/issues/{number}/comments")
        with _naming(TO_COMMENT):
            for comment in self._comments(doing, comments, marker):
                ours = self._api.url(f"repos/{repository}/issues/comments/{comment.id}")
                if _same(comment.body or "", body) or self._edit(doing, ours, body):
                    return
            if begin:
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

    def _comments(self, doing: str, url: str, marker: str) -> Iterator[_Comment]:
        """Give the comments that have the marker and are by the token's own user, oldest first."""
        page = f"{url}?per_page=100"
        for _ in range(MAX_PAGES):
            found, page = self._api.read(doing, page, _COMMENTS)
            for comment in found:
                # Anybody can copy the marker, but not write as the token's user, or as the app.
                if (comment.body or "").startswith(marker) and self._is_ours(comment):
                    yield comment
            if not page:
                return
        raise GitHubError(doing, HTTPStatus.OK, f"more than {MAX_PAGES} pages of comments")

    def _is_ours(self, comment: _Comment) -> bool:
        if self._config.has_app:
            app = comment.performed_via_github_app
            return app is not None and self._config.app_id in (str(app.id), app.client_id)
        return self._user in (None, comment.user.id if comment.user else None)

    @cached_property
    def _user(self) -> int | None:
        """The id of the token's user; None for an app's token, which may not ask."""
        try:
            return self._api.read("asking whose the token is", self._api.url("user"), _USER)[0].id
        except GitHubError:
            return None

    def _send(self, doing: str, method: str, url: str, body: dict[str, Any]) -> None:
        self._api.ask(doing, method, url, api.MAX_JSON, json=body)


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


# --- the shapes of GitHub's answers, as far as they are read -------------------------------


@dataclass(frozen=True)
class _User:
    id: int


@dataclass(frozen=True)
class _App:
    id: int
    client_id: str | None = None


@dataclass(frozen=True)
class _Comment:
    id: Annotated[int, Field(ge=0)]
    body: str | None
    user: _User | None
    performed_via_github_app: _App | None = None


@dataclass(frozen=True)
class _Pull:
    number: Annotated[int, Field(gt=0)]
    merged_at: str | None = None
    merge_commit_sha: str | None = None

    def made(self, commit: str) -> bool:
        """Tell whether its merge made a commit."""
        return self.merge_commit_sha == commit


@dataclass(frozen=True)
class _Core:
    remaining: int
    limit: int


@dataclass(frozen=True)
class _Resources:
    core: _Core


@dataclass(frozen=True)
class _Limits:
    resources: _Resources


_USER = TypeAdapter(_User)
_RATE_LIMIT = TypeAdapter(_Limits)
_PULLS = TypeAdapter(list[_Pull])
_COMMENTS = TypeAdapter(list[_Comment])
