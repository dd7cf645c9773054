"""How fast signed deliveries are taken, against the same endpoint that stores nothing."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from lab.deliveries import PullRequest, signature
from lab.site import Service, Site

CONNECTIONS = 16
DELIVERIES = 2_000
WITHOUT_STORE = """
import sys
from gm_analytics.cli.main import main
from gm_analytics.engine.client import Store
from gm_analytics.updates.taken import Taken
Store.take = lambda self, *_, **__: Taken("none")
sys.argv = ["gm-analytics", "web", "--port", sys.argv[1]]
main()
"""


def measure() -> list[str]:
    """Give the rows of the report."""
    with Site.running() as site:
        stored, kept = _burst(site, store=True)
        unstored, _ = _burst(site, store=False)
    return [
        "| | deliveries a second | |\n| --- | --- | --- |",
        f"| stored before the 202 | {stored:.0f} | {kept} of {DELIVERIES} stored, each once |",
        f"| the same without the store | {unstored:.0f} | ratio {stored / unstored:.2f} |",
        "",
        f"{DELIVERIES:,} signed payloads of {_size(site):,} bytes over {CONNECTIONS} connections.",
    ]


def _size(site: Site) -> int:
    return len(_body(site))


def _body(site: Site, number: int = 1) -> bytes:
    pull = PullRequest("a" * 40, site.repository.name, number=number)
    return json.dumps(pull.payload()).encode()


def _burst(site: Site, store: bool) -> tuple[float, int]:
    web = Service(site, site.config())
    process = None
    if store:
        web.start_web()
    else:
        environment = {**os.environ, "GM_ANALYTICS_CONFIG": str(web.config)}
        command = [sys.executable, "-c", WITHOUT_STORE, str(web.port)]
        process = subprocess.Popen(command, env=environment)
        web._await_web()
    try:
        signed = [_signed(site, number) for number in range(1, DELIVERIES + 1)]
        started = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            parts = [signed[start::CONNECTIONS] for start in range(CONNECTIONS)]
            answers = list(threads.map(lambda part: _send(web, part), parts))
        rate = DELIVERIES / (time.monotonic() - started)
        assert all(all(status == 202 for status in part) for part in answers)
        return rate, _stored(web) if store else 0
    finally:
        web.stop()
        if process:
            process.terminate()
            process.wait()


def _signed(site: Site, number: int) -> tuple[bytes, dict[str, str]]:
    """Give a delivery of a pull request of its own: what was told before is not stored."""
    body = _body(site, number)
    return body, {
        "Content-Type": "application/json",
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": signature(site.secret, body),
    }


def _send(web: Service, signed: list[tuple[bytes, dict[str, str]]]) -> list[int]:
    address = urlsplit(web.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    answers = []
    for body, headers in signed:
        connection.request("POST", address.path, body, headers)
        reply = connection.getresponse()
        reply.read()
        answers.append(reply.status)
    connection.close()
    return answers


def _stored(web: Service) -> int:
    program = os.path.join(os.path.dirname(sys.executable), "gm-analytics")  # noqa: PTH118, PTH120
    listed = subprocess.run(
        [program, "updates", "--config", str(web.config), "--limit", "100000", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = [record["update_id"] for record in json.loads(listed.stdout)]
    assert len(found) == len(set(found))
    return len(found)
