"""Counts GitHub's answers, and notes what they say of the rate limit.

Source: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from gm_analytics.measures import (
    GITHUB_REQUESTS,
    RATE_LIMIT,
    RATE_LIMIT_LEFT,
    RATE_LIMIT_RESET,
)

_NUMBER = re.compile(r"[0-9]{1,12}")


def answer(status: int, headers: Mapping[str, str]) -> None:
    """Count an answer, with its headers by their names in lower case."""
    GITHUB_REQUESTS.add(result=_result(status, headers))
    if headers.get("x-ratelimit-resource", "core") != "core":
        return  # searches and the like have limits of their own
    for measure, name in (
        (RATE_LIMIT_LEFT, "remaining"),
        (RATE_LIMIT, "limit"),
        (RATE_LIMIT_RESET, "reset"),
    ):
        value = headers.get(f"x-ratelimit-{name}", "")
        if _NUMBER.fullmatch(value):
            measure.set(float(value))


def _result(status: int, headers: Mapping[str, str]) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "broken"
    if status < HTTPStatus.BAD_REQUEST:
        return "ok"
    limited = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    is_limit = status == HTTPStatus.TOO_MANY_REQUESTS or (
        status == HTTPStatus.FORBIDDEN and limited
    )
    return "rate_limited" if is_limit else "refused"
