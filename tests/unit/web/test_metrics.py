"""The metrics: Prometheus' names, bounded labels, and a scrape that always answers."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gm_analytics import errors, measures
from gm_analytics.engine.figures import Figure
from gm_analytics.github import counted
from gm_analytics.remote.counted import counted as counts
from gm_analytics.updates import states
from gm_analytics.updates.progress import Telling
from gm_analytics.web import metrics
from gm_analytics.web.metrics import Metrics

TOP = Path(__file__).parents[3]
UNITS = ("_seconds", "_bytes", "_total")


def samples(found: Metrics) -> dict[tuple[str, ...], float]:
    """Give each sample by its name and the values of its labels, in the labels' order."""
    return {
        (sample.name.removeprefix(measures.PREFIX), *map(str, values(sample.labels))): sample.value
        for family in text_string_to_metric_families(found.text().decode())
        for sample in family.samples
    }


def values(labels: Mapping[str, str]) -> list[str]:
    return [labels[name] for name in sorted(labels)]


def made(*figures: Figure, mirrors: tuple[str, ...] = ("east", "west")) -> Metrics:
    return Metrics(mirrors, lambda: list(figures))


def test_names_are_as_prometheus_has_them() -> None:
    for one in measures.ALL:
        assert re.fullmatch(r"[a-z][a-z_]*[a-z]", one.name), one.name
        assert one.name.endswith("_total") == (one.kind == "counter"), one.name
        assert not one.name.endswith(("_count", "_sum", "_bucket", "_info")), one.name
        assert one.says.endswith(".")
        if one.kind == "histogram":
            assert one.name.endswith("_seconds")
            assert list(one.buckets) == sorted(one.buckets)
    assert len({one.name for one in measures.ALL}) == len(measures.ALL)


def test_promtool_finds_nothing_to_mend() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=made().text(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_label_values_are_those_that_the_service_has() -> None:
    ended = [one for one in get_args(states.State) if states.ended(one)]
    assert sorted(measures.STATES) == sorted(ended)
    assert set(measures.UPDATES.labels["fault"]) == {measures.NONE, *get_args(errors.Fault)}
    named: set[str] = set()
    for path in (TOP / "gm_analytics").rglob("*.py"):
        named |= set(re.findall(r"\bstep\(\s*\"([a-z ]+)\"", path.read_text("utf-8")))
    assert len(named) > 20
    assert named <= set(measures.STEPS)


def test_nothing_from_outside_becomes_a_label() -> None:
    found = made()
    with found.counting():
        for number in range(100):
            evil = f'evil{number}"}} 1\nx'
            measures.UPDATES.add(mirror=evil, state=evil, fault=evil)
            measures.STEP_SECONDS.add(1, step=evil, result="ok")
            measures.DELIVERIES.add(result=evil)
    known = samples(found)
    assert known["updates_total", "other", "other", "other"] == 100
    assert known["deliveries_total", "other"] == 100
    assert known["step_duration_seconds_count", "ok", "other"] == 100
    assert "evil" not in found.text().decode()


def test_a_counter_is_there_before_it_counts_and_counts_only_while_it_is_heard() -> None:
    found = made()
    assert samples(found)["updates_total", "operator", "east", "failed"] == 0
    assert ("updates_total", "none", "east", "failed") not in samples(found), "that is no fault"
    measures.MISSED.add()
    with found.counting():
        measures.MISSED.add()
        measures.UPDATES.add(mirror="east", state="failed", fault="operator")
    measures.MISSED.add()
    assert samples(found)["missed_events_total",] == 1
    assert samples(found)["updates_total", "operator", "east", "failed"] == 1
    assert not [name for name, *_ in samples(found) if name.endswith("_created")]


def test_what_is_not_known_is_no_zero() -> None:
    found = made()
    with found.counting():
        assert ("github_rate_limit_remaining",) not in samples(found)
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-limit": "5000"}
        counted.answer(403, headers | {"x-ratelimit-resource": "search"})
        assert ("github_rate_limit_remaining",) not in samples(found), "another limit"
        counted.answer(403, headers | {"x-ratelimit-reset": "9" * 400})
    known = samples(found)
    assert known["github_rate_limit_remaining",] == 0
    assert known["github_rate_limit_limit",] == 5000
    assert ("github_rate_limit_reset_timestamp_seconds",) not in known, "that is no number"


@pytest.mark.parametrize(
    ("status", "headers", "result"),
    [
        (200, {}, "ok"), (304, {}, "ok"), (301, {}, "ok"), (404, {}, "refused"),
        (403, {}, "refused"), (403, {"retry-after": "9"}, "rate_limited"),
        (429, {}, "rate_limited"),
        (403, {"x-ratelimit-remaining": "0"}, "rate_limited"), (502, {}, "broken"),
    ],
)  # fmt: skip
def test_answers_of_github_by_what_they_are(
    status: int, headers: dict[str, str], result: str
) -> None:
    found = made()
    with found.counting():
        counted.answer(status, headers)
    assert samples(found)["github_requests_total", result] == 1


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "ok"),
        (errors.MirrorUnreachable("east", "x", "y"), "unreachable"),
        (errors.KeyNotAccepted("east", "x", "y", "z", "k"), "refused"),
        (errors.LockHeld("east", "x"), "lock"),
        (errors.CommandTimedOut("east", "x", 1), "timed_out"),
        (errors.OutputTooLarge("east", "x", 1), "failed"),
    ],
)
def test_commands_by_how_ssh_fared(error: errors.GmError | None, result: str) -> None:
    class Mirror:
        name = "east"

    class Connection:
        _mirror = Mirror()

        @counts  # type: ignore[type-var]
        def run(self) -> None:
            if error:
                raise error

    found = made()
    with found.counting():
        try:
            Connection().run()  # type: ignore[misc]
        except errors.GmError:
            assert error
    assert samples(found)["ssh_commands_total", "east", result] == 1


def test_a_step_is_timed_whoever_runs_it() -> None:
    found = made()
    with found.counting():
        with Telling().step("download"):
            pass
        with pytest.raises(ValueError, match="x"), Telling().step("download"):
            raise ValueError("x")
    known = samples(found)
    assert known["step_duration_seconds_count", "ok", "download"] == 1
    assert known["step_duration_seconds_count", "failed", "download"] == 1


def test_what_the_store_says_is_whole_and_bounded() -> None:
    figures = [
        Figure(measures.QUEUE, 2, {"mirror": "east"}),
        Figure(measures.QUEUE, 1, {"mirror": "gone"}),
        Figure(measures.QUEUE, 3, {"mirror": "lost"}),
        Figure(measures.QUEUE_AGE, 5, {"mirror": "gone"}),
        Figure(measures.QUEUE_AGE, 4, {"mirror": "lost"}),
        Figure(measures.PACKAGES, 7, {"mirror": "east"}),
        Figure(measures.PACKAGES, 9, {"mirror": "gone"}),
        Figure(measures.WORKERS, 1),
    ]
    known = samples(made(*figures))
    assert known["store_up",] == 1
    assert known["workers",] == 1
    assert known["queue_updates", "east"] == 2
    assert known["queue_updates", "west"] == 0, "nothing waits there"
    assert known["queue_updates", "other"] == 4, "of mirrors that are configured no more"
    assert known["queue_oldest_age_seconds", "other"] == 5, "ages are not added up"
    assert known["mirror_packages", "east"] == 7
    assert ("mirror_packages", "west") not in known, "nobody has looked yet"
    assert ("mirror_packages", "other") not in known


@pytest.fixture
def hanging() -> Iterator[tuple[threading.Event, list[int]]]:
    released = threading.Event()
    yield released, []
    released.set()


def test_a_store_that_hangs_costs_a_scrape_its_figures_and_one_thread(
    hanging: tuple[threading.Event, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    released, looks = hanging

    def read() -> list[Figure]:
        looks.append(1)
        assert released.wait(30)
        return [Figure(measures.WORKERS, 3)]

    monkeypatch.setattr(metrics.Look.__init__, "__defaults__", (0.05, 0.0))
    found = Metrics(["east"], read)
    for _ in range(3):
        began = time.monotonic()
        known = samples(found)
        assert time.monotonic() - began < 5
        assert known["store_up",] == 0
        assert ("workers",) not in known
        assert ("queue_updates", "east") not in known
        assert known["missed_events_total",] == 0, "the rest is there"
    assert len(looks) == 1
    released.set()
    ends = time.monotonic() + 10
    while samples(found)["store_up",] == 0:
        assert time.monotonic() < ends
    assert samples(found)["workers",] == 3


def test_a_store_that_fails_is_said_and_asked_again() -> None:
    failing = [errors.StoreUnavailable("reading figures", "gone"), ValueError("a defect")]

    def read() -> list[Figure]:
        if failing:
            raise failing.pop()
        return []

    found = Metrics(["east"], read)
    assert [samples(found)["store_up",] for _ in range(3)] == [0, 0, 1]


def test_many_scrapers_are_one_look() -> None:
    looks: list[int] = []

    def read() -> list[Figure]:
        looks.append(1)
        return []

    found = Metrics(["east"], read)
    for _ in range(5):
        found.text()
    assert len(looks) == 1
