"""What answers by HTTP on this machine."""

from __future__ import annotations

import requests

from gm_analytics.remote import fetch

_DIRECTLY = fetch.Way(fetch.DIRECTLY)
_LIMITS = fetch.Limits(pause=5.0, whole=10.0, most=1024 * 1024)


def read(url: str) -> bytes | None:
    """Give the body of an answer, whatever its status; None if there is none."""
    try:
        return fetch.fetch("GET", url, _LIMITS, fetch.NOBODY, _DIRECTLY).body
    except requests.RequestException:
        return None
