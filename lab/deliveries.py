"""Webhook deliveries in GitHub's shape, signed and posted as GitHub does."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests

_BASE = Path(__file__).parent / "data" / "pull_request.json"
_NAME = "octo-org/packages"
_NUMBER = re.compile(r"(/(?:pulls|pull|issues)/)1\b")
PATIENCE = 10.0
"""Seconds that GitHub waits for an answer."""


@dataclass(frozen=True)
class PullRequest:
    """What varies from one `pull_request` delivery to another; GitHub's own names."""

    head_sha: str
    repository: str = "team/packages"
    number: int = 1
    action: str = "opened"
    author_association: str = "MEMBER"
    head_repository: str | None = "same"
    """`same` as the base; None as after the fork was deleted."""
    draft: bool = False
    merged: bool = False
    merge_commit_sha: str | None = None
    merged_at: str | None = None
    """ISO 8601 in UTC."""
    updated_at: str | None = None
    """ISO 8601 in UTC; what the template has by default."""
    changes: dict[str, Any] | None = None
    """What an `edited` event changed."""
    head_ref: str = "add-packages"
    base_ref: str = "main"
    base_sha: str = "0" * 40
    user: str = "octo-author"
    title: str = "Add packages"

    def payload(self) -> dict[str, Any]:
        """Give a whole payload, more than 20 kB as JSON."""
        base = json.loads(_BASE.read_text(encoding="utf-8"))
        payload: dict[str, Any] = self._named(base)
        payload |= {"action": self.action, "number": self.number}
        pull = payload["pull_request"]
        pull |= {
            "number": self.number,
            "title": self.title,
            "state": "closed" if self.action == "closed" else "open",
            "author_association": self.author_association,
            "draft": self.draft,
            "merged": self.merged,
            "merge_commit_sha": self.merge_commit_sha,
            "merged_at": self.merged_at,
            "updated_at": self.updated_at or pull["updated_at"],
        }
        if self.changes is not None:
            payload["changes"] = self.changes
        pull["base"] |= {"sha": self.base_sha, "ref": self.base_ref}
        pull["head"] |= {"sha": self.head_sha, "ref": self.head_ref, "repo": self._head(pull)}
        return payload

    def _named(self, value: Any) -> Any:
        """Put repository, owner, author, number and SHA in place wherever the base has them."""
        owner, _, name = self.repository.partition("/")
        if isinstance(value, dict):
            named = {key: self._named(item) for key, item in value.items()}
            return named | ({"name": name} if value.get("full_name") == _NAME else {})
        if isinstance(value, list):
            return [self._named(item) for item in value]
        if not isinstance(value, str):
            return value
        text = value.replace(_NAME, self.repository).replace(_NAME.partition("/")[0], owner)
        text = text.replace("octo-author", self.user).replace("1" * 40, self.head_sha)
        return _NUMBER.sub(rf"\g<1>{self.number}", text)

    def _head(self, pull: dict[str, Any]) -> dict[str, Any] | None:
        repo: dict[str, Any] = pull["head"]["repo"]
        if self.head_repository in ("same", self.repository):
            return repo
        if self.head_repository is None:
            return None
        text = json.dumps(repo).replace(self.repository, self.head_repository)
        owner, _, name = self.head_repository.partition("/")
        fork: dict[str, Any] = json.loads(text) | {
            "fork": True,
            "name": name,
            "id": repo["id"] + 1,
        }
        fork["owner"] |= {"login": owner}
        return fork


@dataclass(frozen=True)
class MergeGroup:
    """What varies from one `merge_group` delivery to another."""

    head_sha: str
    repository: str = "team/packages"
    action: str = "checks_requested"
    base_ref: str = "main"
    base_sha: str = "0" * 40
    number: int = 1
    """Of the pull request that is the last of the group."""
    timestamp: str = "2026-11-02T10:14:07Z"

    def payload(self) -> dict[str, Any]:
        """Give a whole payload."""
        of_pull = PullRequest(self.head_sha, self.repository).payload()
        branch = f"gh-readonly-queue/{self.base_ref}/pr-{self.number}-{self.base_sha}"
        person = {"name": "GitHub", "email": "noreply@github.com"}
        commit = {
            "id": self.head_sha,
            "tree_id": "2" * 40,
            "message": f"Merge pull request #{self.number}",
            "timestamp": self.timestamp,
            "author": person,
            "committer": person,
        }
        group = {
            "head_sha": self.head_sha,
            "head_ref": f"refs/heads/{branch}",
            "base_sha": self.base_sha,
            "base_ref": f"refs/heads/{self.base_ref}",
            "head_commit": commit,
        }
        given = {"action": self.action, "merge_group": group}
        return {**given, "repository": of_pull["repository"], "sender": of_pull["sender"]}


def signature(secret: str, body: bytes) -> str:
    """Give the value of X-Hub-Signature-256; on purpose not the service's own code."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def deliver(
    url: str,
    payload: dict[str, Any],
    secret: str,
    *,
    event: str = "pull_request",
    delivery_id: str | None = None,
    form: bool = False,
) -> requests.Response:
    """Post a payload; `form` sends it as the other of the two content types."""
    headers, body = signed(payload, secret, event=event, delivery_id=delivery_id, form=form)
    return requests.post(url, data=body, headers=headers, timeout=PATIENCE)


def signed(
    payload: dict[str, Any],
    secret: str,
    *,
    event: str = "pull_request",
    delivery_id: str | None = None,
    form: bool = False,
) -> tuple[dict[str, str], bytes]:
    """Give the headers and the body of a delivery."""
    text = json.dumps(payload, separators=(",", ":"))
    body = urlencode({"payload": text}).encode() if form else text.encode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded" if form else "application/json",
        "Accept": "*/*",
        "User-Agent": "GitHub-Hookshot/lab",
        "X-GitHub-Hook-ID": "1",
        "X-GitHub-Hook-Installation-Target-Type": "repository",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery_id or str(uuid.uuid4()),
        "X-Hub-Signature-256": signature(secret, body),
    }
    return headers, body
