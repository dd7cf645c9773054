"""What strangers send fills no log: few lines, short ones, nothing in them that moves a cursor."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator

import pytest
import requests

from gm_analytics.web.quiet import LINE, SHOWN, Quiet, clean
from lab.site import Service, Site
from tests.security.doors import connect

MANY = 200


@pytest.fixture(scope="module", params=["ours", "connexion run"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    with (
        Site.running() as site,
        Service.running(site, split=request.param != "ours") as running,
    ):
        yield running


def growth(service: Service, before: str) -> str:
    return service.log[len(before) :]


def test_requests_without_a_signature_fill_no_log(service: Service) -> None:
    before = service.log
    wrong = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    path = "x" * 20_000
    with requests.Session() as session:
        for number in range(MANY):
            headers = {"X-GitHub-Delivery": "d" * 20_000, **(wrong if number % 2 else {})}
            assert (
                session.post(service.url, data="x", headers=headers, timeout=10).status_code == 401
            )
            session.get(f"{service.url}/{path}%1b[2J%0afaked: line", timeout=10)
    written = growth(service, before)
    assert len(written) < 20_000, written[:2000]
    assert all(len(line) < 200 for line in written.splitlines())
    assert "\x1b" not in written
    assert not any(line.startswith("faked") for line in written.splitlines())


def test_what_is_not_http_fills_no_log(service: Service) -> None:
    before = service.log
    for _ in range(MANY):
        with connect(service.port, b"\x00\x01\r\n\r\n") as connection:
            connection.recv(1000)
    assert len(growth(service, before)) < 20_000


def test_a_signed_delivery_is_logged_as_ever(service: Service) -> None:
    """The rest of the minute is a stranger's, and not ours."""
    if any("connexion" in daemon.argv[0] for daemon in service.daemons):
        pytest.skip("connexion run logs warnings alone")
    assert service.deliver(service.site.push("[]"), delivery_id="heard").status_code == 202
    assert "delivery heard: accepted" in service.log


def record(name: str, text: str, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord(name, level, "f", 1, text, (), None)


def test_lines_are_counted_by_the_minute_and_the_count_is_said() -> None:
    now = [0.0]
    quiet = Quiet(lines=3, clock=lambda: now[0])
    assert [quiet.filter(record("uvicorn.error", "x")) for _ in range(5)] == [True] * 3 + [
        False
    ] * 2
    assert quiet.filter(record("gm_analytics.service", "ours"))
    now[0] = 60.0
    told = record("connexion.middleware", "y")
    assert quiet.filter(told)
    assert told.getMessage() == "y (2 lines before were left out)"


def test_a_line_is_short_and_escaped() -> None:
    long = record("connexion.x", "a\nb\x1b[2J" + "é" * 500)
    assert Quiet().filter(long)
    assert len(long.getMessage()) <= LINE
    assert long.getMessage().startswith("a\\nb\\x1b[2J\\xe9")


@pytest.mark.parametrize(("size", "expected"), [(SHOWN, SHOWN), (SHOWN + 1, SHOWN)])
def test_a_value_is_cut(size: int, expected: int) -> None:
    text = clean("x" * size)
    assert len(text) == expected
    assert text.endswith("...") == (size > SHOWN)


def test_ours_keep_their_length() -> None:
    ours = record("gm_analytics.engine.store", "x" * 1000 + os.linesep + str(time.time()))
    assert Quiet().filter(ours)
    assert len(ours.getMessage()) > 1000


@pytest.mark.parametrize("name", ["uvicorn.error", "uvicorn.access"])
def test_an_exception_that_a_stranger_causes_is_one_short_line(name: str) -> None:
    def fail(depth: int) -> None:
        if not depth:
            raise ValueError("bad\n" + "x" * 20_000)
        fail(depth - 1)

    args = ("127.0.0.1:1", "GET", "/", "1.1", 200) if name == "uvicorn.access" else ()
    text = '%s - "%s %s HTTP/%s" %d' if args else "Exception in ASGI application\n"
    try:
        fail(100)
    except ValueError:
        bad = logging.LogRecord(name, logging.ERROR, "f", 1, text, args, sys.exc_info())
    bad.exc_text, bad.stack_info = "x" * 20_000, "y" * 20_000
    assert Quiet().filter(bad)
    written = logging.Formatter("%(message)s").format(bad)
    assert len(written) <= LINE
    assert "\n" not in written
    if not args:
        assert written.startswith("Exception in ASGI application: ValueError: bad\\nxxx")
