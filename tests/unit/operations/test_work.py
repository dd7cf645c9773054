"""Whether somebody performs what was accepted, in words."""

from __future__ import annotations

import pytest

from gm_analytics.engine.leases import Worker
from gm_analytics.engine.workforce import Workforce
from gm_analytics.errors import StoreUnavailable
from gm_analytics.operations import work

ANA = Worker("vm-1-0a", "vm-1", 7, "1", "2.0", 1.0, 2.0)
BOB = Worker("vm-2-0b", "vm-2", 8, "1", "2.1", 1.0, 2.0)


@pytest.mark.parametrize(
    ("found", "severity", "said"),
    [
        (
            Workforce((ANA, BOB), 3, 5.0),
            "ok",
            f"{ANA.text}, {BOB.text}; updates that wait or run: 3",
        ),
        (Workforce((), 0, None), "warn", "none runs, and nothing waits for one"),
        (
            Workforce((), 2, 1_764_000_000.0),
            "fail",
            "none runs; updates that wait for one: 2, the oldest since 2025-11-24 16:00:00 UTC",
        ),
    ],
)
def test_only_work_that_nobody_does_is_wrong(found: Workforce, severity: str, said: str) -> None:
    finding = work.workers(lambda: found)
    assert (finding.severity, finding.said) == (severity, said)
    assert ("gm-analytics worker" in finding.hint) == (severity != "ok")
    assert list(work.idle(lambda: found)) == [finding] * (severity == "fail")


def test_a_store_that_is_away_is_a_finding() -> None:
    def away() -> Workforce:
        raise StoreUnavailable("reading the leases", "it is away")

    assert work.workers(away).severity in {"fail", "unknown"}
