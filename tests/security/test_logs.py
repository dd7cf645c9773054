"""The log of the real service: an event a line with what it is about, and no secret in any.

Secrets are planted wherever the service has or meets one: its configuration, its environment,
what a delivery brings, what GitHub and the mirror's host say.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from lab.processes import wait_for
from lab.site import Service, Site
from tests.integration.conftest import needs_root
from tests.support import command_line

pytestmark = needs_root
HOST_SAYS = "hostpass-7f3a91"
PLANTED = {
    "token": "ghp_" + "A7b8C9d0" * 4,
    "environment": "envpass-5d1b77",
    "sent": "sentpass-aa01",
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        yield running


@pytest.fixture(scope="module")
def told(site: Site) -> Iterator[tuple[Service, list[dict[str, Any]]]]:
    """A service that took deliveries, published, failed and waited, and its lines."""
    github = {"api_url": site.github.api_url, "raw_url": site.github.raw_url}
    config = site.config(github={**github, "token": PLANTED["token"]}, log_format="json")
    site.github.token = PLANTED["token"]
    service = Service(site, config)
    service._environment |= {"HTTPS_PROXY": f"http://ana:{PLANTED['environment']}@127.0.0.1:9"}
    login = f"echo see https://ana:{HOST_SAYS}@mirror.example/x token={HOST_SAYS}\n"
    with site.mirror.host.logging_in("/bin/bash", {".bashrc": login}):
        service.start()
        try:
            _perform(site, service)
            yield service, [json.loads(line) for line in service.log.splitlines()]
        finally:
            service.stop()


def _perform(site: Site, service: Service) -> None:
    forged = "main\n2026-01-01 00:00:00.000 UTC INFO forged\x1b[31m"
    good = service.deliver(site.push('["leaf21"]', number=21), delivery_id="good-1")
    bad = site.push('["nowhere-to-be-found"]', number=22, title=forged)
    for reply in (good, service.deliver(bad, delivery_id="bad-1")):
        service.end_of(reply.json()["update_id"])
    assert service.deliver(replace(bad, user=forged)).status_code == 400
    headers = {"Authorization": f"Bearer {PLANTED['sent']}", "X-GitHub-Delivery": "a\x9b2J"}
    requests.post(service.url, data="{}", headers=headers, timeout=10)
    query = f"?access_token={PLANTED['sent']}&Authorization:+Basic+{PLANTED['sent']}"
    requests.get(f"{service.url}/x{query}", headers=headers, timeout=10)
    # The next one waits. A broken proxy may repeat what it was sent.
    words = f"Authorization: Bearer {PLANTED['token']}"
    site.github.answer_next("packages.json", status=502, body={"message": words})
    service.deliver(site.push('["leaf22"]', number=23), delivery_id="late-1")
    wait_for(lambda: "waiting for GitHub" in service.log, "GitHub to be missed")


def about(lines: list[dict[str, Any]], words: str) -> dict[str, Any]:
    return next(line for line in lines if words in line["event"])


def test_each_line_is_an_event_that_says_what_it_is_about(
    site: Site, told: tuple[Service, list[dict[str, Any]]]
) -> None:
    service, lines = told
    assert all({"timestamp", "level", "logger", "event"} <= set(line) for line in lines)
    assert all(line.isprintable() for line in service.log.splitlines())
    accepted = about(lines, "delivery good-1: accepted")
    assert accepted["delivery"] == "good-1"
    update_id = accepted["event"].rpartition("update ")[2]
    name = site.mirror.name
    for words, step in (("started", None), ("download: took", "download"), ("published:", None)):
        line = about(lines, f"update {update_id}: {words}")
        assert (line["update"], line["mirror"], line.get("step")) == (update_id, name, step)
    failed = about(lines, "failed: mirror")
    assert failed["update"] != update_id
    assert failed["mirror"] == name
    login = about(lines, "skipped what the login prints")
    assert (login["logger"], login["step"]) == ("gm_analytics.remote.ssh", "survey")
    assert login["update"]


def test_no_secret_is_in_any_line(site: Site, told: tuple[Service, list[dict[str, Any]]]) -> None:
    service, lines = told
    key = (site.mirror.host.identity_file).read_text().splitlines()[1]
    wanted = {**PLANTED, "host": HOST_SAYS, "webhook": site.secret, "key": key}
    for name, secret in wanted.items():
        assert secret not in service.log, name
    assert "see https://…@mirror.example/x token=…" in about(lines, "skipped")["event"], (
        "it was met"
    )


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_database_that_is_away_is_told_without_its_password(
    site: Site, tmp_path: Path, form: str
) -> None:
    password = secrets.token_hex(8)
    url = f"postgresql://gm:{password}@127.0.0.1:9/x?connect_timeout=1"
    path = tmp_path / "config.yaml"
    path.write_text(site.config(database_url=url, log_format=form).read_text())
    path.chmod(0o600)
    environment = {**os.environ, "GM_ANALYTICS_CONFIG": str(path), "PGPASSWORD": password}
    for level in ("info", "debug"):
        done = command_line.run(("--log-level", level, "worker"), environment=environment)
        assert done.returncode == 75, done.stderr
        assert "127.0.0.1" in done.stderr
        assert password not in done.stderr + done.stdout
