"""What is said, whatever it is said of."""

from __future__ import annotations

import pytest

from gm_analytics.wording import when


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e300, -1e300, "soon", None])
def test_a_time_that_is_none_is_said_all_the_same(seconds: float) -> None:
    assert when(seconds) == "at no known time"


def test_a_time_is_said_in_utc() -> None:
    assert when(0.0) == "1970-01-01 00:00:00 UTC"
    assert when(253_402_300_799) == "9999-12-31 23:59:59 UTC"
