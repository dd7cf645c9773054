"""A webhook call as values: bytes in, a decision out. No I/O.

Sources: https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request and
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qs

from gm_analytics.errors import BadDelivery, BadSignature, UnsupportedMediaType
from gm_analytics.events import Delivery, Happening, PullRequestEvent

MAX_BODY = 25 * 1024 * 1024
"""Bytes; GitHub caps payloads at 25 MB."""

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
T = TypeVar("T")
_SHA = re.compile(r"[0-9a-f]{40}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_DELIVERY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}")
_WORD = re.compile(r"[A-Za-z_]{0,64}")
_LOGIN = re.compile(r"[A-Za-z0-9_.\[\]-]{1,100}")
_REF = re.compile(r"[^\x00-\x20\x7f-\x9f~^:?*\[\\\ud800-\udfff]{1,255}")
"""As git has it: https://git-scm.com/docs/git-check-ref-format"""
_MAX_NUMBER = 2**31


def sign(secret: str, body: bytes) -> str:
    """Give the value of X-Hub-Signature-256 for a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verify(secret: str, body: bytes, signature: str | None) -> None:
    """Compare in constant time.

    Raises:
        BadSignature: it is missing, or another secret's.

    """
    expected = sign(secret, body).encode()
    if not hmac.compare_digest(expected, (signature or "").encode()):
        raise BadSignature


def receive(secret: str, headers: Mapping[str, str], body: bytes) -> Delivery:
    """Check a call's signature, then read it; `headers` with lower-case names.

    Raises:
        BadSignature: it is missing, or another secret's.
        UnsupportedMediaType: the content type is neither JSON nor form.
        BadDelivery: the body or a header is not what GitHub sends.

    """
    verify(secret, body, headers.get("x-hub-signature-256"))
    return read(headers, body)


def read(headers: Mapping[str, str], body: bytes) -> Delivery:
    """Read a call whose signature was right, as `receive` does."""
    payload = _payload(headers.get("content-type", ""), body)
    name = headers.get("x-github-event", "")
    if not name:
        raise BadDelivery("X-GitHub-Event: found no such header")
    if not _WORD.fullmatch(name):
        raise BadDelivery(f"X-GitHub-Event: found {name[:80]!r}; expected a word")
    delivery_id = headers.get("x-github-delivery", "")
    if not _DELIVERY_ID.fullmatch(delivery_id):
        raise BadDelivery(f"X-GitHub-Delivery: found {delivery_id[:80]!r}; expected an id")
    event = read_pull_request(payload) if name == "pull_request" else None
    return Delivery(delivery_id, name, event)


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
        action=_matching(_WORD, payload, "action"),
        number=_number(payload),
        repository=repository,
        head_sha=_matching(_SHA, payload, "pull_request", "head", "sha"),
        base_ref=_matching(_REF, payload, "pull_request", "base", "ref"),
        author=_matching(_LOGIN, payload, "pull_request", "user", "login"),
        author_association=_optional(_WORD, pull, "author_association") or "NONE",
        fork=_is_fork(pull["head"], repository),
        draft=pull.get("draft") is True,
        merge_commit_sha=(
            _matching(_SHA, payload, "pull_request", "merge_commit_sha") if merged else ""
        ),
        merged_at=merged_at if merged else "",
        updated_at=_optional(_TIME, pull, "updated_at"),
        default_branch=_optional(_REF, payload["repository"], "default_branch", at="repository."),
    )


_HAPPENED: dict[str, Happening] = {
    "opened": "opened",
    "reopened": "reopened",
    "synchronize": "pushed",
    "ready_for_review": "ready",
}
"""What GitHub's actions mean; `closed` and `edited` say it in other fields."""


def _happened(payload: Mapping[str, Any]) -> Happening:
    action = _matching(_WORD, payload, "action")
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


def _payload(content_type: str, body: bytes) -> Mapping[str, Any]:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == FORM:
        body = _form_payload(body)
    elif media_type != JSON:
        raise UnsupportedMediaType(
            f"Content-Type: found {media_type or 'none'!r}; expected {JSON} or {FORM}"
        )
    try:
        payload = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise BadDelivery(f"body: not JSON: {str(error)[:200]}") from error
    if not isinstance(payload, dict):
        raise BadDelivery(f"body: found {_kind(payload)}; expected an object")
    return payload


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is there twice: readers differ in which value they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _form_payload(body: bytes) -> bytes:
    try:
        text = body.decode("ascii")
        fields = parse_qs(text, strict_parsing=True, max_num_fields=16, errors="strict")
        (payload,) = fields["payload"]
        return payload.encode()
    except (ValueError, KeyError) as error:
        raise BadDelivery("payload: found no such form field") from error


def _get(data: Any, kind: type[T], *path: str, at: str = "") -> T:
    for depth, key in enumerate(path, 1):
        if not isinstance(data, dict) or key not in data:
            raise BadDelivery(f"{at}{'.'.join(path[:depth])}: missing")
        data = data[key]
    if not isinstance(data, kind) or isinstance(data, bool):
        expected = {str: "a string", int: "a number", dict: "an object"}[kind]
        raise BadDelivery(f"{at}{'.'.join(path)}: found {_kind(data)}; expected {expected}")
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


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")
