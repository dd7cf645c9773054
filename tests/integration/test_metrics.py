"""The metrics of real processes: what was done is counted, what the store says is told."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from gm_analytics import measures
from gm_analytics.engine import sights, unseen, waiting
from gm_analytics.engine.database import connect
from gm_analytics.engine.view_tables import MIRRORS
from gm_analytics.errors import ConfigError, NotListening
from gm_analytics.mirror.sight import Sight, Trouble
from gm_analytics.service import Service
from gm_analytics.updates.model import Unseen
from gm_analytics.updates.waiting import Wait
from gm_analytics.web.worker_metrics import serving
from lab.processes import reserve_port, wait_for
from lab.site import Service as Processes
from lab.site import Site

from .engine import NOW, opened, update, url, working

__all__ = ["url"]


def scraped(address: str) -> dict[tuple[str, ...], float]:
    """Give each sample by its name and the values of its labels, in the labels' order."""
    reply = requests.get(f"http://{address}/metrics", timeout=10)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    for family in text_string_to_metric_families(reply.text):
        for one in family.samples:
            labels = [one.labels[name] for name in sorted(one.labels)]
            found[one.name.removeprefix(measures.PREFIX), *labels] = one.value
    return found


def test_the_store_says_what_waits_runs_and_was_seen(url: str) -> None:
    with opened(url) as store:
        assert {(one.of.name, *one.labels.values()): one.value for one in store.figures()} == {
            ("workers",): 0, ("feedback_queued",): 0, ("feedback_oldest_age_seconds",): 0,
        }  # fmt: skip
        for number, name in enumerate(("one", "two", "three")):
            store.enqueue(update(name, "east" if number else "west", number=number + 1))
        store.enqueue_feedback(update("one", "west"), ended=False)
        sight = Sight(
            7, "2026-11-20T10:00:00+00:00", packages=12, size=3400, free=1, disk=2, in_step=False,
            signed=True, advisories=(), open_count=3, upstream_read_at=NOW, wrong=(Trouble("x"),),
        )  # fmt: skip
        engine = connect(url)
        with engine.begin() as connection:
            turn = sights.begin(connection, "east", 60)
            assert turn
            sights.end(connection, turn, "no route to it")
            values = {"sight": sight_text(sight), "seen_at": NOW + 1, "contact_at": NOW + 2}
            connection.execute(MIRRORS.update().values(values))
            unseen.store(connection, update("one", "west"), Unseen("0" * 64, None, "x"), NOW)
        engine.dispose()
        known = {(one.of.name, *one.labels.values()): one.value for one in store.figures()}
        assert (known["queue_updates", "east"], known["queue_updates", "west"]) == (2, 1)
        assert 0 <= known["queue_oldest_age_seconds", "east"] < 60
        assert known["feedback_queued",] == 1
        assert known["unseen_publications", "west"] == 1
        assert known["mirror_look_failed", "east"] == 1
        assert known["mirror_publication_timestamp_seconds", "east"] == 1795168800
        assert known["mirror_last_seen_timestamp_seconds", "east"] == NOW + 1
        assert known["mirror_last_contact_timestamp_seconds", "east"] == NOW + 2
        for name, value in (
            ("publication_number", 7), ("packages", 12), ("size_bytes", 3400),
            ("disk_free_bytes", 1), ("disk_size_bytes", 2), ("in_step", 0), ("signed", 1),
            ("open_advisories", 3), ("troubles", 1),
        ):  # fmt: skip
            assert known[f"mirror_{name}", "east"] == value, name
        assert known["mirror_upstream_age_seconds", "east"] == pytest.approx(
            time.time() - NOW, abs=60
        )


def sight_text(sight: Sight) -> str:
    return json.dumps(sight.to_json())


def test_what_waits_for_something_that_is_away_is_told_by_what_that_is(url: str) -> None:
    with opened(url) as store:
        with working(url):
            store.enqueue(update("one"))
            wait_for(lambda: store.get("one")[0].ended, "it to end")
        engine = connect(url)
        with engine.begin() as connection:
            wait = Wait("github", "away", time.time() - 100, time.time() + 900, 1)
            waiting.park(connection, update("one"), wait)
            table = f"{'dbos.' if 'postgres' in url else ''}workflow_status"
            connection.exec_driver_sql(f"UPDATE {table} SET status = 'ERROR'")  # noqa: S608
        engine.dispose()
        known = {(one.of.name, *one.labels.values()): one.value for one in store.figures()}
        assert known["waiting_updates", "east", "github"] == 1
        assert 100 <= known["waiting_oldest_age_seconds", "east", "github"] < 160


def test_processes_tell_what_they_did_and_what_the_store_says(site: Site) -> None:
    name = site.mirror.name
    config = site.config(look_seconds=1)
    with Processes.running(site, config, operators=True) as service:
        good = service.deliver(site.push('["leaf31"]', number=31))
        bad = service.deliver(site.push('["nowhere-to-be-found"]', number=32))
        for reply in (good, good, bad):
            service.end_of(reply.json()["update_id"])
        requests.post(service.url, data="x", timeout=10)
        requests.post(
            service.url,
            data="x",
            headers={"X-Hub-Signature-256": "sha256=" + "0" * 64},
            timeout=10,
        )
        wait_for(lambda: ("mirror_packages", name) in scraped(service.operators), "a look")
        known = scraped(service.operators)
        assert known["deliveries_total", "accepted"] == 2
        assert known["deliveries_total", "unsigned"] == 2
        assert known["updates_total", "none", name, "published"] == 1, service.log
        assert known["updates_total", "author", name, "failed"] == 1
        assert known["updates_total", "operator", name, "failed"] == 0
        assert known["step_duration_seconds_count", "ok", "download"] == 1
        assert known["update_duration_seconds_count", name] == 1
        assert known["ssh_commands_total", name, "ok"] > 5
        assert known["github_requests_total", "ok"] >= 2
        assert (known["store_up",], known["workers",]) == (1, 1)
        assert known["queue_updates", name] == 0
        assert known["mirror_publication_number", name] >= 1
        assert known["mirror_disk_free_bytes", name] > 0
        assert known["process_resident_memory_bytes",] > 0
        with closing(sqlite3.connect(site.directory / "updates.sqlite")) as database, database:
            database.execute("ALTER TABLE gm_waits RENAME TO gone")
        try:
            wait_for(lambda: scraped(service.operators)["store_up",] == 0, "the store to be away")
            known = scraped(service.operators)
            assert known["updates_total", "none", name, "published"] == 1
            assert ("workers",) not in known
        finally:
            with closing(sqlite3.connect(site.directory / "updates.sqlite")) as database, database:
                database.execute("ALTER TABLE gone RENAME TO gm_waits")


def test_a_worker_has_a_listener_of_its_own(site: Site, inside: Service) -> None:
    where = f"127.0.0.1:{reserve_port()}"
    with serving(inside, where):
        measures.MISSED.add()
        known = scraped(where)
        assert known["missed_events_total",] == 1
        assert known["store_up",] == 1
        page = f"http://{where}"
        assert requests.get(f"{page}/", timeout=10).status_code == 404
        assert (
            requests.get(f"{page}/metrics", headers={"Host": "evil"}, timeout=10).status_code
            == 403
        )
        assert requests.delete(f"{page}/metrics", timeout=10).status_code == 405
        with pytest.raises(NotListening, match="metrics_listen"), serving(inside, where):
            pass
    with pytest.raises(ConfigError, match="metrics_listen"), serving(inside, "192.0.2.1:9"):
        pass
    with serving(inside, "off"), pytest.raises(requests.ConnectionError):
        scraped(where)
    inside.store.close()
