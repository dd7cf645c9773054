"""What is read of a repository: the manifest at a commit, and how commits stand to each other.

Sources: https://docs.github.com/en/rest/repos/contents and
https://docs.github.com/en/rest/commits/commits
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from pydantic import Field, TypeAdapter

from gm_analytics import settings
from gm_analytics.errors import CommitUnknown, GitHubError, NoManifest
from gm_analytics.github import api
from gm_analytics.manifest import MAX_BYTES
from gm_analytics.remote import fetch

RAW = {"Accept": "application/vnd.github.raw+json"}
SHA_ALONE = {"Accept": "application/vnd.github.sha"}
MAX_IGNORED = 64 * 1024
"""Bytes that are read of an answer that is not looked at."""
MAX_FILES = 300
"""Of a comparison; GitHub names no more."""
_APART = {"ahead", "diverged"}
"""How GitHub calls a commit that has some that the other one lacks."""
_NOT_THERE = {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
"""What GitHub says of a commit that it does not know, the second of an empty repository."""


class Contents:
    """Reads repositories, with or without a token."""

    def __init__(self, config: settings.GitHub) -> None:
        self._config = config
        self._api = api.Api(config)

    def manifest(self, repository: str, sha: str, path: str = "") -> bytes:
        """Read a manifest at a commit, from the base repository (which has forks' heads too).

        `path` is by default the configuration's.

        One that is too long is cut so that it is longer than `MAX_BYTES` still.

        Raises:
            NoManifest: GitHub knows the commit, and it has none.
            CommitUnknown: GitHub does not know the commit yet.
            GitHubError: the token may not read it.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        path = path or self._config.manifest
        doing = f"reading {path} of {repository} at {sha}"
        if (text := self._text(doing, repository, sha, path)) is not None:
            return text
        if self._is_there(doing, f"repos/{repository}/commits/{quote(sha)}", SHA_ALONE):
            raise NoManifest(path, repository, sha)
        if self._is_there(doing, f"repos/{repository}"):
            raise CommitUnknown(path, repository, sha)
        raise GitHubError(doing, HTTPStatus.NOT_FOUND, "Not Found")

    def keeps_manifest(self, repository: str, base: str, head: str, path: str = "") -> bool:
        """Tell whether the manifest at a head is what it was where that left its base branch.

        Of a head that the base branch has, GitHub names no difference: that one is not known.

        Raises:
            GitHubError: GitHub does not know one of them, or they have no commit in common.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        path = path or self._config.manifest
        doing = f"comparing {path} of {repository} at {head} with {base}"
        found = self._compare(doing, repository, base, head)
        return found.status in _APART and self._keeps(doing, repository, found, head, path)

    def moved_on(self, repository: str, base: str, head: str, path: str = "") -> bool:
        """Tell whether a base branch has another manifest by now than where a head left it.

        Without a token nothing is asked: it would be one more of 60 requests an hour.

        Raises:
            GitHubError: GitHub does not know one of them, or they have no commit in common.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        if not self._config.has_token:
            return False
        path = path or self._config.manifest
        doing = f"comparing {path} of {repository} at {base} with {head}"
        found = self._compare(doing, repository, head, base)
        return found.status in _APART and not self._keeps(doing, repository, found, base, path)

    def _keeps(self, doing: str, repository: str, found: _Comparison, ref: str, path: str) -> bool:
        """Tell whether a compared ref has the manifest that the merge base has."""
        if found.merge_base_commit is None:
            return False
        listed = found.files or []
        named = [file for file in listed if path in (file.filename, file.previous_filename)]
        if any(file.changes for file in named):
            return False
        if not named and found.files is not None and len(listed) < MAX_FILES:
            return True
        both = (
            self._text(doing, repository, at, path) for at in (found.merge_base_commit.sha, ref)
        )
        return next(both) == next(both)

    def contains(self, repository: str, commit: str, ancestor: str) -> bool:
        """Tell whether a commit is, or descends from, another one.

        Raises:
            GitHubError: GitHub does not know one of them.
            GitHubUnavailable: GitHub could not answer, or asked to wait.

        """
        doing = f"comparing {ancestor} with {commit} of {repository}"
        found = self._compare(doing, repository, ancestor, commit)
        return found.status in {"ahead", "identical"}

    def _compare(self, doing: str, repository: str, base: str, head: str) -> _Comparison:
        # Files are on the first page, whatever its size; commits are not looked at.
        url = self._api.url(
            f"repos/{repository}/compare/{quote(base, safe='')}...{quote(head, safe='')}"
        )
        return self._api.read(doing, f"{url}?per_page=1", _COMPARISON)[0]

    def _text(self, doing: str, repository: str, ref: str, path: str) -> bytes | None:
        """Give the manifest, or None if GitHub has none there, or does not know the commit."""
        path = quote(path)
        if not self._config.has_token:
            url = f"{self._config.raw_url}".rstrip("/") + f"/{repository}/{quote(ref)}/{path}"
            try:
                return self._api.follow(doing, "GET", url, MAX_BYTES, auth=fetch.NOBODY).body
            except GitHubError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
            # It is behind caches, which may remember that a commit was not there yet.
        url = self._api.url(f"repos/{repository}/contents/{path}")
        try:
            reply = self._api.ask(doing, "GET", url, MAX_BYTES, headers=RAW, params={"ref": ref})
        except GitHubError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None
        return reply.body

    def _is_there(self, doing: str, path: str, headers: dict[str, str] | None = None) -> bool:
        try:
            self._api.ask(doing, "GET", self._api.url(path), MAX_IGNORED, headers=headers or {})
        except GitHubError as error:
            if error.status not in _NOT_THERE:
                raise
            return False
        return True


# --- the shapes of GitHub's answers, as far as they are read -------------------------------


@dataclass(frozen=True)
class _Commit:
    sha: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


@dataclass(frozen=True)
class _File:
    filename: str
    changes: int = 1
    """Lines; none where only the file's mode changed."""
    previous_filename: str | None = None


@dataclass(frozen=True)
class _Comparison:
    status: str
    merge_base_commit: _Commit | None = None
    files: list[_File] | None = None


_COMPARISON = TypeAdapter(_Comparison)
