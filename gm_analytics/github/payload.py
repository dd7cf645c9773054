"""What GitHub says of a pull request, a push or a merge group, as a neutral event. No I/O.

Each value has a grammar, and what is not needed may be null or missing.
Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from gm_analytics.errors import BadDelivery
from gm_analytics.events import Happening, PullRequestEvent, PushEvent, QueueEvent

T = TypeVar("T")
_SHA = re.compile(r"[0-9a-f]{40}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}")
_LOGIN = re.compile(r"[A-Za-z0-9_.\[\]-]{1,100}")
_REF = re.compile(r"[^\x00-\x20\x7f-\x9f~^:?*\[\\\ud800-\udfff]{1,255}")
"""As git has it: https://git-scm.com/docs/git-check-ref-format"""
_MAX_NUMBER = 2**31
_MAX_ID = 2**63
_MAX_TIME = 253_402_300_799
"""Seconds since the epoch: the end of the year 9999."""
_BRANCH = "refs/heads/"
WORD = re.compile(r"[A-Za-z_]{0,64}")


def why_no_branch(payload: Mapping[str, Any]) -> str:
    """Say why a `push` gives no branch another head, if it does not."""
    if payload.get("ref") is None:
        return "push of nothing"
    ref = _matching(_REF, payload, "ref")
    if not ref.startswith(_BRANCH):
        return f"push of {ref}, which is no branch"
    return f"push that deletes {ref}" if payload.get("deleted") is True else ""


def read_push(payload: Mapping[str, Any]) -> PushEvent:
    """Read the payload of a `push` event of a branch.

    Raises:
        BadDelivery: a field is missing or not of its kind; it is named.

    """
    repository = _get(payload, dict, "repository")
    return PushEvent(
        repository=_matching(_REPOSITORY, payload, "repository", "full_name"),
        branch=_matching(_REF, payload, "ref").removeprefix(_BRANCH),
        head_sha=_matching(_SHA, payload, "after"),
        pushed_at=_pushed_at(repository),
        default_branch=_optional(_REF, repository, "default_branch", at="repository."),
        repository_id=_repository_id(repository),
        forced=payload.get("forced") is True or payload.get("created") is True,
    )


_QUEUE: dict[str, Literal["queued", "dequeued"]] = {
    "checks_requested": "queued",
    "destroyed": "dequeued",
}


def why_no_group(payload: Mapping[str, Any]) -> str:
    """Say why a `merge_group` is about no check, if it is not."""
    action = _matching(WORD, payload, "action")
    return "" if action in _QUEUE else f"merge_group {action}"


def read_merge_group(payload: Mapping[str, Any]) -> QueueEvent:
    """Read the payload of a `merge_group` event that asks for checks, or for none any more.

    Raises:
        BadDelivery: a field is missing or not of its kind; it is named.

    """
    repository = _get(payload, dict, "repository")
    group = _get(payload, dict, "merge_group")
    base = _matching(_REF, group, "base_ref", at="merge_group.")
    if not base.startswith(_BRANCH):
        raise BadDelivery(f"merge_group.base_ref: found {base[:80]!r}; expected {_BRANCH}…")
    return QueueEvent(
        repository=_matching(_REPOSITORY, payload, "repository", "full_name"),
        branch=base.removeprefix(_BRANCH),
        head_sha=_matching(_SHA, group, "head_sha", at="merge_group."),
        queued_at=_committed_at(group.get("head_commit")),
        happened=_QUEUE[payload["action"]],
        default_branch=_optional(_REF, repository, "default_branch", at="repository."),
        repository_id=_repository_id(repository),
    )


def _committed_at(commit: object) -> str:
    """Give when the queue made a group's commit, in UTC; GitHub may write it in another zone."""
    if not isinstance(commit, dict) or commit.get("timestamp") is None:
        return ""
    given = _get(commit, str, "timestamp", at="merge_group.head_commit.")
    try:
        found = datetime.fromisoformat(given)
        return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if found.tzinfo else ""
    except (ValueError, OverflowError) as error:
        at = "merge_group.head_commit.timestamp"
        raise BadDelivery(f"{at}: found {given[:80]!r}; expected a time") from error


def _pushed_at(repository: Mapping[str, Any]) -> str:
    """Give the time of the push: in a `push` it is a number, elsewhere a text."""
    given = repository.get("pushed_at")
    if not isinstance(given, int) or isinstance(given, bool):
        return _optional(_TIME, repository, "pushed_at", at="repository.")
    if not 0 <= given <= _MAX_TIME:
        raise BadDelivery("repository.pushed_at: expected seconds since the epoch")
    return datetime.fromtimestamp(given, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _repository_id(repository: Mapping[str, Any]) -> int:
    """Give the id of a repository, which it keeps when it is renamed; 0 if there is none."""
    if repository.get("id") is None:
        return 0
    found = _get(repository, int, "id", at="repository.")
    if not 0 < found < _MAX_ID:
        raise BadDelivery("repository.id: expected a repository's id")
    return found


def read_pull_request(payload: Mapping[str, Any]) -> PullRequestEvent:
    """Read the payload of a `pull_request` event.

    Raises:
        BadDelivery: a field is missing or not of its kind; it is named.

    """
    base = _get(payload, dict, "pull_request", "base")
    repository = _matching(_REPOSITORY, payload, "repository", "full_name")
    at = "pull_request.base."
    base_repository = _matching(_REPOSITORY, base, "repo", "full_name", at=at)
    if base_repository.lower() != repository.lower():
        raise BadDelivery(
            f"pull_request.base.repo.full_name: found {base_repository!r}; "
            f"expected repository.full_name, {repository!r}"
        )
    pull, happened = payload["pull_request"], _happened(payload)
    merged = happened == "merged"
    merged_at = _optional(_TIME, pull, "merged_at")
    if merged and not merged_at:
        merged_at = _matching(_TIME, payload, "pull_request", "merged_at")
    return PullRequestEvent(
        happened=happened,
        action=_matching(WORD, payload, "action"),
        number=_number(payload),
        repository=repository,
        head_sha=_matching(_SHA, payload, "pull_request", "head", "sha"),
        base_ref=_matching(_REF, payload, "pull_request", "base", "ref"),
        author=_login(pull.get("user")),
        author_association=_optional(WORD, pull, "author_association") or "NONE",
        fork=_is_fork(pull["head"], repository),
        draft=pull.get("draft") is True,
        merge_commit_sha=(
            _matching(_SHA, payload, "pull_request", "merge_commit_sha") if merged else ""
        ),
        merged_at=merged_at if merged else "",
        updated_at=_optional(_TIME, pull, "updated_at"),
        default_branch=_optional(_REF, payload["repository"], "default_branch", at="repository."),
        repository_id=_repository_id(payload["repository"]),
    )


def _login(user: object) -> str:
    """Give whose pull request it is; GitHub has null where the account is gone."""
    if user is None:
        return ""
    return _matching(_LOGIN, user, "login", at="pull_request.user.")


def read_listed(pull: Mapping[str, Any], repository: Mapping[str, Any]) -> PullRequestEvent:
    """Read a pull request as the REST API gives it: what it is at, as if it was told just now.

    Raises:
        BadDelivery: a field is missing or not of its kind; it is named.

    """
    action = "closed" if pull.get("state") == "closed" else "synchronize"
    merged = pull.get("merged_at") is not None  # a list has no `merged`
    told = {**pull, "merged": merged}
    payload = {"action": action, "number": pull.get("number"), "repository": repository}
    return read_pull_request({**payload, "pull_request": told})


_HAPPENED: dict[str, Happening] = {
    "opened": "opened",
    "reopened": "reopened",
    "synchronize": "pushed",
    "ready_for_review": "ready",
}
"""What GitHub's actions mean; `closed` and `edited` say it in other fields."""


def _happened(payload: Mapping[str, Any]) -> Happening:
    action = _matching(WORD, payload, "action")
    if action == "closed":
        return "merged" if payload["pull_request"].get("merged") is True else "closed"
    if action == "edited" and "base" in _changes(payload):
        return "retargeted"
    return _HAPPENED.get(action, "other")


def _changes(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give what an `edited` event changed."""
    changes = payload.get("changes")
    return changes if isinstance(changes, dict) else {}


def _is_fork(head: Mapping[str, Any], repository: str) -> bool:
    """Tell whether the head lives elsewhere; a deleted fork (`repo: null`) counts as one."""
    repo = head.get("repo")
    return not isinstance(repo, dict) or str(repo.get("full_name")).lower() != repository.lower()


def _get(data: Any, wanted: type[T], *path: str, at: str = "") -> T:
    for depth, key in enumerate(path, 1):
        if not isinstance(data, dict) or key not in data:
            raise BadDelivery(f"{at}{'.'.join(path[:depth])}: missing")
        data = data[key]
    if not isinstance(data, wanted) or isinstance(data, bool):
        expected = {str: "a string", int: "a number", dict: "an object"}[wanted]
        raise BadDelivery(f"{at}{'.'.join(path)}: found {kind(data)}; expected {expected}")
    return data


def _number(payload: Mapping[str, Any]) -> int:
    number = _get(payload, int, "number")
    if not 0 < number < _MAX_NUMBER:
        raise BadDelivery("number: expected a pull request's number")
    return number


def _optional(pattern: re.Pattern[str], data: Any, name: str, at: str = "pull_request.") -> str:
    """Give a field that may be missing or null, and is then empty."""
    return "" if data.get(name) is None else _matching(pattern, data, name, at=at)


def _matching(pattern: re.Pattern[str], data: Any, *path: str, at: str = "") -> str:
    text = _get(data, str, *path, at=at)
    if not pattern.fullmatch(text):
        raise BadDelivery(
            f"{at}{'.'.join(path)}: found {text[:80]!r}; expected text like {pattern.pattern}"
        )
    return text


def kind(value: object) -> str:
    """Name what a JSON value is, for errors."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")
