"""Whether somebody performs what was accepted, in words."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from gm_analytics import __version__
from gm_analytics.engine.leases import Worker
from gm_analytics.engine.workforce import Workforce
from gm_analytics.errors import StoreUnavailable
from gm_analytics.operations import work
from gm_analytics.updates.model import Record, Update
from gm_analytics.updates.waiting import Wait

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


def test_a_worker_that_began_before_what_is_there_is_told(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.touch()
    here = replace(ANA, host=socket.gethostname(), program=__version__, started_at=1e11)
    older = replace(here, program="0.9")
    earlier = replace(here, started_at=1.0)
    look = Workforce((here, older, earlier, ANA), 0, None)
    told = list(work.outdated(lambda: look, config))
    assert [one.severity for one in told] == ["warn", "warn"]
    assert told[0].said == f"{older.text} began before {__version__} was installed"
    assert f"began before {config} was written" in told[1].said


def test_what_waits_is_listed() -> None:
    upstream = Wait("upstream", "503", since=1.0, next_try=1_764_000_000.0, tries=2)
    of = Update("pr3-a", "m", repository="o/n", number=3)
    parked = Record(of, "waiting", upstream.says("m", "503"), 1.0, None, None, wait=upstream)
    turn = Record(replace(of, id="pr4-b", number=4), "waiting", "waiting", 1.0, None, None)
    found = list(work.waiting({"m": [parked, turn], "n": []}.__getitem__, ["m", "n"]))
    assert [(one.subject, one.severity) for one in found] == [
        ("mirror m update", "warn"),
        ("mirror m update", "ok"),
    ]
    assert found[0].said.startswith("pr3-a, of o/n#3: waiting for the upstream of")
    assert found[1].said == "pr4-b, of o/n#4: waits for its turn, since 1970-01-01 00:00:01 UTC"
