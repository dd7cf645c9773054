"""A webhook call as values: bytes in, a decision out. No I/O.

Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from gm_analytics.errors import BadDelivery, BadSignature, UnsupportedMediaType
from gm_analytics.events import Delivery, Event
from gm_analytics.github.payload import (
    WORD,
    kind,
    read_merge_group,
    read_pull_request,
    read_push,
    why_no_branch,
    why_no_group,
)

MAX_BODY = 25 * 1024 * 1024
"""Bytes; GitHub caps payloads at 25 MB."""

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
_DELIVERY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


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
    text = _text(headers.get("content-type", ""), body)
    payload = _payload(text)
    name = headers.get("x-github-event", "")
    if not name:
        raise BadDelivery("X-GitHub-Event: found no such header")
    if not WORD.fullmatch(name):
        raise BadDelivery(f"X-GitHub-Event: found {name[:80]!r}; expected a word")
    delivery_id = headers.get("x-github-delivery", "")
    if not _DELIVERY_ID.fullmatch(delivery_id):
        raise BadDelivery(f"X-GitHub-Delivery: found {delivery_id[:80]!r}; expected an id")
    digest, reason = hashlib.sha256(text).hexdigest(), ""
    event: Event | None = None
    if name == "pull_request":
        event = read_pull_request(payload)
    elif name == "merge_group" and not (reason := why_no_group(payload)):
        event = read_merge_group(payload)
    elif name == "push" and not (reason := why_no_branch(payload)):
        event = read_push(payload)
    return Delivery(delivery_id, name, event, digest, reason)


def _text(content_type: str, body: bytes) -> bytes:
    """Give the payload's bytes, whichever of the two content types they came in."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == FORM:
        return _form_payload(body)
    if media_type != JSON:
        raise UnsupportedMediaType(
            f"Content-Type: found {media_type or 'none'!r}; expected {JSON} or {FORM}"
        )
    return body


def _payload(body: bytes) -> Mapping[str, Any]:
    try:
        payload = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise BadDelivery(f"body: not JSON: {str(error)[:200]}") from error
    if not isinstance(payload, dict):
        raise BadDelivery(f"body: found {kind(payload)}; expected an object")
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
