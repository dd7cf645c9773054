"""Webhook deliveries in GitHub's shape, signed and posted as GitHub does."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests

_BASE = Path(__file__).parent / "data" / "pull_request.json"
PATIENCE = 10.0
"""Seconds that GitHub waits for an answer."""


@dataclass(frozen=True)
class PullRequest:
    """What varies from one `pull_request` delivery to another."""

    head_sha: str
    repository: str = "team/packages"
    number: int = 1
    action: str = "opened"
    author_association: str = "MEMBER"
    head_repository: str | None = "same"
    """`same` as the base; None as after the fork was deleted."""
    draft: bool = False
    merged: bool = False

    def payload(self) -> dict[str, Any]:
        """Give a whole payload, more than 20 kB as JSON."""
        payload: dict[str, Any] = json.loads(_BASE.read_text(encoding="utf-8"))
        pull = payload["pull_request"]
        payload["action"] = self.action
        payload["number"] = pull["number"] = self.number
        payload["repository"]["full_name"] = self.repository
        pull["base"]["repo"]["full_name"] = self.repository
        pull["head"]["sha"] = self.head_sha
        pull |= {
            "author_association": self.author_association,
            "draft": self.draft,
            "merged": self.merged,
        }
        if self.head_repository is None:
            pull["head"]["repo"] = None
        else:
            same = self.head_repository == "same"
            name = self.repository if same else self.head_repository
            pull["head"]["repo"]["full_name"] = name
        return payload


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
    text = json.dumps(payload, separators=(",", ":"))
    body = urlencode({"payload": text}).encode() if form else text.encode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded" if form else "application/json",
        "User-Agent": "GitHub-Hookshot/lab",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery_id or str(uuid.uuid4()),
        "X-Hub-Signature-256": signature(secret, body),
    }
    return requests.post(url, data=body, headers=headers, timeout=PATIENCE)
