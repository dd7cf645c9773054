"""What systemd hears of a process, at a real socket, and when it hears nothing."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gm_analytics.supervisor import NOBODY, Supervisor
from tests.support.notified import Notified, notified


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Notified]:
    with notified(tmp_path) as found:
        yield found


def test_a_process_is_ready_and_lives_only_when_each_part_does(systemd: Notified) -> None:
    supervisor = Supervisor.taken_from(systemd.environ(watchdog=40))
    supervisor.expect("web", "worker")
    supervisor.lives("web", "answers")
    supervisor.lives("web", "answers")
    assert systemd.hear() == []
    supervisor.lives("worker", "waits for work")
    status = "answers; waits for work"
    ready = {"READY": "1", "WATCHDOG": "1", "STATUS": status}
    assert systemd.hear() == [ready]
    supervisor.lives("worker", "a\nSTOPPING=1")
    supervisor.lives("worker", "a\nREADY=0")
    assert systemd.hear() == [ready], "the web gave no sign since"
    supervisor.lives("web", "answers")
    assert systemd.hear()[1:] == [{"WATCHDOG": "1", "STATUS": "answers; a READY=0"}]


def test_the_end_is_said_with_the_time_that_it_takes(systemd: Notified) -> None:
    supervisor = Supervisor.taken_from(systemd.environ())
    supervisor.expect("worker")
    supervisor.ends("ends", 1.5)
    supervisor.lives("worker", "runs x")
    supervisor.ends("a" * 1000)
    first, second, third = systemd.hear()
    assert first == {"STOPPING": "1", "STATUS": "ends", "EXTEND_TIMEOUT_USEC": "1500000"}
    assert "STATUS" not in second, "the end's own stays"
    assert third == {"STOPPING": "1", "STATUS": "a" * 200}


def test_children_are_told_nothing_of_systemd() -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "1", "A": "b"}
    supervisor = Supervisor.taken_from(environ)
    assert environ == {"A": "b"}
    assert supervisor.is_there
    assert supervisor.every == 10.0, "another process's watchdog"


@pytest.mark.parametrize(("seconds", "every"), [("8000000", 2.0), ("600000000", 10.0), ("x", 10)])
def test_signs_of_life_come_often_enough(seconds: str, every: float) -> None:
    environ = {"WATCHDOG_USEC": seconds, "WATCHDOG_PID": str(os.getpid())}
    assert Supervisor.taken_from(environ).every == every


def test_an_address_may_be_an_abstract_one() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("")  # the kernel chooses one
        address = listening.getsockname()
        Supervisor(f"@{address[1:].decode()}").ends("ends")
        assert listening.recv(100) == b"STOPPING=1\nSTATUS=ends"


def test_a_systemd_that_does_not_listen_harms_nothing(
    systemd: Notified, caplog: pytest.LogCaptureFixture
) -> None:
    systemd.path.unlink()
    with caplog.at_level(logging.WARNING):
        Supervisor(str(systemd.path)).ends("ends")
    assert caplog.messages == ["telling systemd: No such file or directory"]
    NOBODY.ends("ends")
    assert len(caplog.messages) == 1
