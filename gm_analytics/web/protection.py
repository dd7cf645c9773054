"""What every answer tells browsers and caches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Nothing is loaded, run, sent or framed; a page that needs more says so itself.
Source: https://www.w3.org/TR/CSP3/"""
PROTECTION: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
Headers = list[tuple[bytes, bytes]]


def protected(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Give an answer's headers with those of `PROTECTION` that it does not set itself."""
    kept = [(name.lower(), value) for name, value in headers]
    present = {name for name, _ in kept}
    more = ((name.encode(), value.encode()) for name, value in PROTECTION.items())
    return [*kept, *((name, value) for name, value in more if name not in present)]
