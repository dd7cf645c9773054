"""Web and worker under a service manager: a real socket hears what systemd would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from gm_analytics.engine.client import Store
from lab.processes import reserve_port
from tests.support.notified import Notified, notified

from .crew import Crew, crew
from .engine import await_ends, opened, update

PROGRAM = str(Path(sys.executable).with_name("gm-analytics"))


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Notified]:
    with notified(tmp_path) as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(f"sqlite:///{tmp_path}/updates.sqlite") as found:
        yield found


@pytest.fixture
def them(store: Store, tmp_path: Path) -> Iterator[Crew]:
    place = tmp_path / "mirror"
    place.mkdir()
    store.check()
    with crew(f"sqlite:///{tmp_path}/updates.sqlite", place) as found:
        yield found


def is_ready(said: dict[str, str]) -> bool:
    return said.get("READY") == "1"


def lives(said: dict[str, str]) -> bool:
    return "WATCHDOG" in said and not is_ready(said)


def ends(said: dict[str, str]) -> bool:
    return said.get("STOPPING") == "1"


def config(directory: Path) -> Path:
    """Write a configuration of a mirror that nobody asks."""
    key, path = directory / "key", directory / "config.yaml"
    for file in (key, path):
        file.touch(0o600)
    mirror = {
        "name": "m", "identity_file": str(key), "known_hosts": str(key), "url": "http://m/repo/",
        "upstream": {"releasever": "9"},
    }  # fmt: skip
    settings = {
        "webhook": {"secret": "s" * 32, "repositories": ["a/b"]}, "mirrors": [mirror],
        "database_url": f"sqlite:///{directory}/updates.sqlite", "operator_listen": "off",
        "reconcile_seconds": 0,
    }  # fmt: skip
    path.write_text(yaml.safe_dump(settings))
    return path


def test_a_service_is_ready_when_it_answers_lives_and_ends_in_order(
    systemd: Notified, tmp_path: Path
) -> None:
    """Web and worker in one process: it says so once both do."""
    port, log = reserve_port(), tmp_path / "log"
    environ = {**os.environ, **systemd.environ(watchdog=4)}
    command = [PROGRAM, "serve", "--config", str(config(tmp_path)), "--port", str(port)]
    with log.open("wb") as file:
        service = subprocess.Popen(command, env=environ, stderr=file)
    try:
        systemd.wait_for(is_ready)
        assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
        systemd.wait_for(lives)
        service.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        systemd.hear()
        heard = len(systemd.said)
        time.sleep(1.5)
        assert len(systemd.hear()) == heard, "what stands still gives no sign"
        service.send_signal(signal.SIGCONT)
        service.terminate()
        assert service.wait(30) == 0, log.read_text()
    finally:
        service.kill()
    assert is_ready(systemd.said[0])
    assert systemd.said[0]["STATUS"] == f"answers on 127.0.0.1:{port}; waits for work"
    assert ends(systemd.hear()[-1])


def test_a_worker_that_is_told_to_end_ends_what_it_runs_and_takes_nothing_new(
    store: Store, them: Crew, systemd: Notified
) -> None:
    worker = them.hire(DRAIN="30", **systemd.environ(watchdog=4))
    store.enqueue(update("one"))
    them.wait_for(lambda: len(them.lines("began")) == 1)
    systemd.wait_for(lambda said: said.get("STATUS") == "runs one… for east")
    worker.terminate()
    systemd.wait_for(ends)
    store.enqueue(update("two", "west"))
    systemd.wait_for(lambda said: said.get("STATUS", "").startswith("ends: 1 updates have "))
    systemd.wait_for(lambda said: int(said.get("EXTEND_TIMEOUT_USEC", "0")) > 40_000_000)
    them.let_go("one")
    assert worker.wait(10) == 0
    assert (them.lines("published"), them.lines("stopped")) == (["one"], [])
    assert store.get("one")[0].state == "published", "its end is recorded, too"
    assert store.get("two")[0].state == "waiting"
    them.let_go("two")
    them.hire()
    await_ends(store, "two")


@pytest.mark.parametrize("drain", ["1", "600"])
def test_what_does_not_end_in_time_is_left_to_the_next(
    store: Store, them: Crew, systemd: Notified, drain: str
) -> None:
    """In time: within `drain_seconds`, or before somebody says a second time that it is to end."""
    worker = them.hire(DRAIN=drain, **systemd.environ())
    store.enqueue(update("one"))
    them.wait_for(lambda: len(them.lines("began")) == 1)
    worker.terminate()
    if drain == "600":
        systemd.wait_for(lambda said: said.get("STATUS", "").startswith("ends: 1 updates have"))
        worker.terminate()
    began = time.monotonic()
    assert worker.wait(10) == 0
    assert time.monotonic() - began < 8
    assert them.lines("stopped") == ["the worker ends"]
    them.let_go("one")
    them.hire()
    assert await_ends(store, "one")["one"].state == "published"
    assert len(them.lines("began")) == 2
