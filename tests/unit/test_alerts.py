"""Alert rules and dashboard: each metric in them exists, and each alert fires at its limit."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gm_analytics import measures
from gm_analytics.web.metrics import Metrics

PROMETHEUS = Path(__file__).parents[2] / "docs" / "prometheus"
RULES = PROMETHEUS / "alerts.yaml"
OPERATIONS = PROMETHEUS.parent / "operations.md"
GM = measures.PREFIX
UP = 'up{job="gm-analytics",instance="a"}'
SUFFIXES = ("", "_bucket", "_count", "_sum")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions() -> list[str]:
    dashboard = json.loads((PROMETHEUS / "dashboard.json").read_text("utf-8"))
    targets = [one for panel in dashboard["panels"] for one in panel.get("targets", [])]
    assert len(targets) > 25
    return [one["expr"] for one in targets] + [rule["expr"] for rule in rules()]


def exposed() -> set[str]:
    text = Metrics(["east"], list).text().decode()
    own = {f"{one.full_name}{end}" for one in measures.ALL for end in SUFFIXES}
    return own | set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) | {"up"}


def test_each_metric_in_dashboard_and_rules_is_one_that_there_is() -> None:
    named = {
        name
        for expression in expressions()
        for name in re.findall(r"\b(?:gm_analytics|process|up)(?:_\w+)?\b", expression)
    }
    assert len(named) > 25
    assert named <= exposed()


def test_labels_and_their_values_in_them_are_those_that_there_are() -> None:
    known = {one.full_name: one.labels for one in measures.ALL}
    for expression in expressions():
        for name, picked in re.findall(rf"({GM}\w+?)(?:_bucket|_count)?\{{(.*?)\}}", expression):
            for label, values in re.findall(r"(\w+)[!=~]+\"(.*?)\"", picked):
                assert set(values.split("|")) <= set(known[name][label]), expression


def test_figures_of_the_store_are_never_added_up_over_processes() -> None:
    of_the_store = [one.full_name for one in measures.ALL if one.told == "store"]
    for expression in expressions():
        for name in re.findall(rf"{GM}\w+", expression):
            if name in of_the_store:
                before = expression[: expression.index(name)]
                assert re.search(r"(max|min)( by \([\w, ]+\))? ?\($", before), expression


# --- what makes each alert fire -------------------------------------------------------------


def constant(series: str, value: float | str) -> dict[str, str]:
    return {"series": series, "values": f"{value}x300"}


def counts(series: str, number: int, over: int = 10) -> dict[str, str]:
    """Give a counter that rises by so much, evenly, over so many minutes in the middle of 300."""
    before = " ".join(["0"] * 100)
    rise = " ".join(f"{number * n / over:g}" for n in range(1, over + 1))
    return {"series": series, "values": f"{before} {rise} {number}x200"}


def results(name: str, more: str = "", over: int = 10, **numbers: int) -> list[dict[str, str]]:
    """Give counters of one metric, by their label `result`."""
    return [
        counts(f'{GM}{name}{{result="{one}"{more}}}', number, over)
        for one, number in numbers.items()
    ]


STARTED = 'process_start_time_seconds{job="gm-analytics",instance="a"}'
EAST = ',mirror="east"'
AT = "112m"
"""Just after what `counts` counts."""
CASES: dict[str, tuple[list[dict[str, str]], list[dict[str, str]], str]] = {
    "TargetDown": ([constant(UP, 1)], [constant(UP, 0)], "60m"),
    "Restarts": (
        [{"series": STARTED, "values": "1+1x4 5x200"}],
        [{"series": STARTED, "values": "1+1x5 6x200"}],
        "30m",
    ),
    "StoreDown": (
        [constant(f"{GM}store_up", 1)],
        [constant(f'{GM}store_up{{instance="{one}"}}', up) for one, up in (("a", 1), ("b", 0))],
        "60m",
    ),
    "NoWorker": ([constant(f"{GM}workers", 1)], [constant(f"{GM}workers", 0)], "60m"),
    "QueueStuck": (
        [constant(f'{GM}queue_oldest_age_seconds{{mirror="east"}}', 3600)],
        [constant(f'{GM}queue_oldest_age_seconds{{mirror="east"}}', 3601)],
        "60m",
    ),
    "UpdateFailed": (
        [
            counts(f'{GM}updates_total{{mirror="east",state="failed",fault="author"}}', 9),
            counts(f'{GM}updates_total{{mirror="east",state="published",fault="none"}}', 9),
            constant(f'{GM}updates_total{{mirror="east",state="failed",fault="operator"}}', 7),
        ],
        [counts(f'{GM}updates_total{{mirror="east",state="failed",fault="operator"}}', 1, 1)],
        "105m",
    ),
    "UpdatesWait": (
        [constant(f'{GM}waiting_oldest_age_seconds{{mirror="east",waits_for="mirror"}}', 7200)],
        [constant(f'{GM}waiting_oldest_age_seconds{{mirror="east",waits_for="mirror"}}', 7201)],
        "60m",
    ),
    "FeedbackLate": (
        [constant(f"{GM}feedback_oldest_age_seconds", 1800)],
        [constant(f"{GM}feedback_oldest_age_seconds", 1801)],
        "60m",
    ),
    "UnseenPublication": (
        [constant(f'{GM}unseen_publications{{mirror="east"}}', 0)],
        [constant(f'{GM}unseen_publications{{mirror="east"}}', 1)],
        "60m",
    ),
    "MirrorOutOfStep": (
        [constant(f'{GM}mirror_in_step{{mirror="east"}}', 1)],
        [constant(f'{GM}mirror_in_step{{mirror="east"}}', 0)],
        "60m",
    ),
    # Time begins at 0 there.
    "MirrorSilent": (
        [constant(f'{GM}mirror_last_contact_timestamp_seconds{{mirror="east"}}', 3600)],
        [constant(f'{GM}mirror_last_contact_timestamp_seconds{{mirror="east"}}', 3599)],
        "120m",
    ),
    "MirrorTrouble": (
        [constant(f'{GM}mirror_troubles{{mirror="east"}}', 0)],
        [constant(f'{GM}mirror_troubles{{mirror="east"}}', 1)],
        "70m",
    ),
    "MirrorDiskLow": (
        [
            constant(f'{GM}mirror_disk_free_bytes{{mirror="east"}}', 100),
            constant(f'{GM}mirror_disk_size_bytes{{mirror="east"}}', 1000),
        ],
        [
            constant(f'{GM}mirror_disk_free_bytes{{mirror="east"}}', 99),
            constant(f'{GM}mirror_disk_size_bytes{{mirror="east"}}', 1000),
        ],
        "60m",
    ),
    "UpstreamOld": (
        [constant(f'{GM}mirror_upstream_age_seconds{{mirror="east"}}', 2592000)],
        [constant(f'{GM}mirror_upstream_age_seconds{{mirror="east"}}', 2592001)],
        "60m",
    ),
    "SshFails": (
        results("ssh_commands_total", EAST, unreachable=9, lock=50, ok=99),
        results("ssh_commands_total", EAST, unreachable=5, refused=5),
        AT,
    ),
    "GitHubFails": (
        results("github_requests_total", broken=9, refused=99, ok=99),
        results("github_requests_total", broken=5, unreachable=5),
        AT,
    ),
    "RateLimitLow": (
        [
            constant(f"{GM}github_rate_limit_remaining", 500),
            constant(f"{GM}github_rate_limit_limit", 5000),
            constant(f"{GM}github_rate_limit_reset_timestamp_seconds", 9999),
        ],
        [
            constant(f"{GM}github_rate_limit_remaining", 499),
            constant(f"{GM}github_rate_limit_limit", 5000),
            constant(f"{GM}github_rate_limit_reset_timestamp_seconds", 9999),
        ],
        "60m",
    ),
    "DeliveriesLost": (
        results("deliveries_total", accepted=99),
        results("deliveries_total", over=1, unavailable=1),
        "105m",
    ),
    "DeliveriesRefused": (
        results("deliveries_total", unsigned=9, malformed=9, ignored=99),
        results("deliveries_total", unsigned=10, malformed=10),
        AT,
    ),
    "DeliveriesMissed": (
        [counts(f"{GM}missed_events_total", 3, 5)],
        [counts(f"{GM}missed_events_total", 4, 5)],
        "130m",
    ),
}  # fmt: skip
"""Of each alert what does not make it fire, as near as can be, what does, and when it is seen."""


def asked(name: str, series: list[dict[str, str]], at: str, *, fires: bool) -> dict[str, Any]:
    sample = {"labels": f'{{alertname="GmAnalytics{name}"}}', "value": 1}
    return {
        "name": f"{name} {'fires' if fires else 'does not'}",
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": at,
                "exp_samples": [sample] if fires else [],
            }
        ],
    }


def test_every_alert_has_a_case() -> None:
    assert [f"GmAnalytics{name}" for name in CASES] == sorted(
        (rule["alert"] for rule in rules()), key=[f"GmAnalytics{n}" for n in CASES].index
    )
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_each_alert_fires_at_its_limit_and_not_one_before(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    checked = subprocess.run(
        [promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    tests = [
        asked(name, series, at, fires=fires)
        for name, (quiet, loud, at) in CASES.items()
        for series, fires in ((quiet, False), (loud, True))
    ]
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": tests}))
    done = subprocess.run(
        [promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- the document ---------------------------------------------------------------------------


def table() -> str:
    """Give the table of metrics that the document has."""
    lines = ["| metric | labels | |", "| --- | --- | --- |"]
    for one in measures.ALL:
        labels = ", ".join(f"`{name}`" for name in one.labels)
        lines.append(f"| `{one.full_name}` | {labels} | {one.says} |")
    return "\n".join(lines)


def test_the_document_has_every_metric() -> None:
    text = OPERATIONS.read_text("utf-8")
    assert table() in text, f"put into {OPERATIONS.name}:\n{table()}"
    for rule in rules():
        assert f"`{rule['alert']}`" in text, rule["alert"]
