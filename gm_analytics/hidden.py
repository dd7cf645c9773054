"""What no log shows: the secrets that this process knows, and what looks like one.

No I/O. A secret is told by whoever reads it, `hide`; it is found again as it stands, and as it
is written in an address, in JSON, in Python and in a header.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from gm_analytics.wording import masked

INSTEAD = "…"
SHORTEST = 6
"""Characters: what is shorter is part of too many words, and hidden only where it is expected."""
LOOKED_AT = 40_000
"""Characters of a text."""
MOST = 2000
"""Forms that are known; the oldest go. A GitHub App gets a token an hour for each repository."""

_known: dict[str, None] = {}
_lock = threading.Lock()
_EXPECTED = (
    re.compile(
        r"(?P<before>\b(?:proxy-)?authorization\b|\b(?:set-)?cookie\b|\bx-hub-signature(?:-256)?\b)"
        r"(?P<between>['\"]?\s{0,4}[:=]\s{0,4}(?:b?['\"])?|['\"]\s{0,4},\s{0,4}b?['\"])"
        r"[^'\"\r\n]{1,4000}",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?P<before>\b(?:bearer|basic))(?P<between>\s{1,4})"
        r"(?=[A-Za-z+/=._~-]{0,80}\d)[\w+/=.~-]{8,4000}",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?P<before>\b(?:\w{0,40}_)?(?:password|passwd|secret|token|key|signature|sig))"
        r"(?P<between>=['\"]?)[^\s'\"&,;]{1,4000}",
        re.IGNORECASE,
    ),
)
"""Where a secret is to be expected, and what stays of that."""
_LOOKS_LIKE_ONE = re.compile(
    r"\bgh[a-z]_[A-Za-z0-9]{10,255}|\bgithub_pat_\w{10,255}"
    r"|\beyJ[\w-]{8,4000}\.[\w-]{8,4000}(?:\.[\w-]{0,4000})?"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.{0,20000}?(?:-----END [A-Z ]{0,40}-----|\Z)",
    re.DOTALL,
)
"""GitHub's tokens, JSON web tokens, private keys."""


def hide(secret: str | None) -> None:
    """Never show this: a secret, or an address that has a password in it."""
    if not secret:
        return
    found = {form for one in _secrets_of(secret) for form in _forms(one)}
    with _lock:
        for form in found:
            _known.pop(form, None)
            _known[form] = None
        for old in list(_known)[: max(0, len(_known) - MOST)]:
            del _known[old]
    _pattern.cache_clear()


def redacted(text: str) -> str:
    """Give a text without secrets; what is far too long is cut between two words."""
    if len(text) > LOOKED_AT:
        text = text[:LOOKED_AT].rpartition(" ")[0]
    if found := _pattern():
        text = found.sub(INSTEAD, text)
    text = _LOOKS_LIKE_ONE.sub(INSTEAD, text)
    for pattern in _EXPECTED:
        text = pattern.sub(rf"\g<before>\g<between>{INSTEAD}", text)
    return masked(text)


@lru_cache(1)
def _pattern() -> re.Pattern[str] | None:
    """Give one that finds each known form, the longest first."""
    with _lock:
        forms = sorted(_known, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, forms))) if forms else None


def _secrets_of(given: str) -> Iterator[str]:
    """Take out of an address what is secret in it; a key is known by its lines."""
    if "://" not in given:
        yield from given.splitlines()
        return
    try:
        parts = urlsplit(given)
    except ValueError:
        yield given
        return
    user, password = unquote(parts.username or ""), parts.password or ""
    if password:
        yield from (password, unquote(password), f"{user}:{unquote(password)}")
    yield from (value for name, value in parse_qsl(parts.query) if "password" in name)


def _forms(secret: str) -> Iterator[str]:
    if len(secret) < SHORTEST:
        return
    encoded = base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode()
    yield from (secret, quote(secret, safe="", errors="replace"), json.dumps(secret)[1:-1])
    yield from (repr(secret)[1:-1], encoded, encoded.rstrip("="))
