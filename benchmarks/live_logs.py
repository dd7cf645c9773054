"""What open pages cost: intake while 20 updates run, and while 200 logs of them are watched."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from benchmarks.intake import CONNECTIONS, _send, _signed
from gm_analytics.engine.client import Store
from gm_analytics.updates.model import Update
from lab.processes import reserve_port, wait_for
from lab.site import Service, Site

UPDATES, LOGS = 20, 200
ROUNDS, DELIVERIES = 5, 400
RESTS = 15.0
"""Seconds without deliveries, over which the processor's time is measured."""
WORKER = """
import sys, threading, time
from gm_analytics.engine.worker import worker
from gm_analytics.updates.model import Outcome
from gm_analytics.updates.waiting import Retry

def perform(update, step):
    def download() -> str:
        for number in range(10**6):
            step.telling.line(f"({number % 900 + 1}/900): package-{number}.el9.x86_64.rpm  3 MB/s")
            time.sleep(0.2)
        return "done"
    step("download", download)
    return Outcome("published", "done")

with worker(sys.argv[1], perform, None, Retry(1, 1.0), "bench"):
    threading.Event().wait()
"""
WATCHER = """
import selectors, socket, sys
where, logs, updates = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
selector, told, came = selectors.DefaultSelector(), set(), 0
host, _, port = where.rpartition(":")
for number in range(logs):
    log = socket.create_connection((host, int(port)), timeout=10)
    path = f"/updates/talks-{number % updates}/events"
    log.sendall(f"GET {path} HTTP/1.1\\r\\nHost: {where}\\r\\n\\r\\n".encode())
    selector.register(log, selectors.EVENT_READ, number)
selector.register(sys.stdin, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        if key.fileobj is sys.stdin:
            print(came)
            sys.exit()
        events = key.fileobj.recv(1 << 16).count(b"event: lines")
        came += events
        if events and len(told) < logs:
            told.add(key.data)
            if len(told) == logs:
                print("all are told", flush=True)
"""
"""Each of its updates says five lines a second, for as long as it is watched."""


def measure() -> list[str]:
    """Give the rows of the report."""
    with Site.running() as site, _running(site) as web:
        resting = _cpu(web)
        with _watching(web) as seen:
            watching = _cpu(web)
            seen()
        without: list[float] = []
        watched: list[float] = []
        events = 0
        for round_ in range(ROUNDS):
            without.append(_rate(site, web, 2 * round_))
            with _watching(web) as seen:
                watched.append(_rate(site, web, 2 * round_ + 1))
                events += seen()
    alone, beside = statistics.median(without), statistics.median(watched)
    return [
        "| | deliveries a second | |\n| --- | --- | --- |",
        f"| {UPDATES} updates run | {alone:.0f} | |",
        f"| and {LOGS} logs of them are watched | {beside:.0f} | ratio {beside / alone:.2f} |",
        "",
        (
            f"Medians of {ROUNDS} rounds of {DELIVERIES} deliveries in turn, in which lines came "
            f"{events:,} times. Without deliveries the web takes {resting:.1%} of one core, "
            f"and {watching:.1%} while the logs are watched."
        ),
    ]


def _cpu(web: Service) -> float:
    """Give the share of one core that the web takes."""
    stat = Path(f"/proc/{web.daemons[0].pid}/stat")

    def used() -> float:
        fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before, began = used(), time.monotonic()
    time.sleep(RESTS)
    return (used() - before) / (time.monotonic() - began)


@contextmanager
def _running(site: Site) -> Iterator[Service]:
    """Run the web, and beside it a worker of updates that go on talking."""
    web = Service(site, site.config())
    web.operators = f"127.0.0.1:{reserve_port()}"
    url = str(site.settings()["database_url"])
    with ExitStack() as stack:
        stack.callback(web.stop)
        more = ("--operator-listen", web.operators)
        web._start("gm-analytics", "web", "--port", str(web.port), *more)
        web._await_web()
        process = subprocess.Popen([sys.executable, "-c", WORKER, url])
        stack.callback(process.wait)
        stack.callback(process.kill)
        with closing(Store(url)) as store:
            for number in range(UPDATES):
                store.enqueue(Update(f"talks-{number}", f"mirror-{number}"))
            wait_for(lambda: store.under_way()["running"] >= UPDATES, "updates to run", 60)
        yield web


def _rate(site: Site, web: Service, number: int) -> float:
    first = 1 + number * DELIVERIES
    signed = [_signed(site, one) for one in range(first, first + DELIVERIES)]
    started = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        parts = [signed[start::CONNECTIONS] for start in range(CONNECTIONS)]
        answers = list(threads.map(lambda part: _send(web, part), parts))
    assert all(all(status == 202 for status in part) for part in answers)
    return DELIVERIES / (time.monotonic() - started)


@contextmanager
def _watching(web: Service) -> Iterator[Callable[[], int]]:
    """Watch the logs as open pages do, from elsewhere; give what counts the events that came."""
    command = [sys.executable, "-c", WATCHER, web.operators, str(LOGS), str(UPDATES)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "all are told\n"
        yield lambda: int(process.communicate("\n")[0])


if __name__ == "__main__":
    print("\n".join(measure()))
