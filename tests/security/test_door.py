"""Whoever has no signature holds nothing up: slow bodies, half-open connections, long headers."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

from gm_analytics.web import bodies, server
from lab.deliveries import deliver
from lab.site import Service, Site
from tests.security.doors import (
    SECRET,
    answer,
    connect,
    head,
    is_closed,
    serving,
    signature,
    signed,
    status,
    using,
)

PROMPT = 5.0
"""Seconds within which a stranger's flood lets others be answered; GitHub waits 10."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Site.running() as site, Service.running(site) as running:
        yield running


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with using(tmp_path_factory.mktemp("door")):
        yield


def assert_open(service: Service) -> None:
    """Health and a signed delivery are answered in good time."""
    began = time.monotonic()
    health = requests.get(f"http://127.0.0.1:{service.port}/healthz", timeout=PROMPT)
    assert health.status_code == 200
    reply = deliver(service.url, {"zen": "ok"}, service.site.secret, event="ping")
    assert reply.json() == {"command_return": "pong"}
    assert time.monotonic() - began < PROMPT


@pytest.mark.parametrize("framework", ["ours", "connexion run"])
def test_slow_bodies_stop_nobody(service: Service, framework: str) -> None:
    """Each holds a signature of the right form and lets its body drip."""
    with ExitStack() as stack:
        asked = service
        if framework != "ours":
            asked = stack.enter_context(Service.running(service.site, split=True))
        many = 200 if framework == "ours" else 100
        slow = [stack.enter_context(connect(asked.port, head(1000) + b"{")) for _ in range(many)]
        assert_open(asked)
        for connection in slow[-50:]:
            connection.sendall(b" ")
        assert_open(asked)


def test_half_open_connections_stop_nobody(service: Service) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with ExitStack() as stack:
            for number in range(1100):
                begun = b"GET /healthz HT" if number % 2 else b""
                stack.enter_context(connect(service.port, begun))
            assert_open(service)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_headers_have_a_size(service: Service) -> None:
    with connect(service.port, b"GET /healthz HTTP/1.1\r\n") as connection:
        fillers = (b"X-Filler: " + b"x" * 65_000 + b"\r\n" for _ in range(512))
        with pytest.raises(ConnectionError):
            connection.sendall(b"".join(fillers))
    assert_open(service)


@pytest.mark.parametrize(("size", "expected"), [(-200, 200), (1, 400)])
def test_headers_are_taken_up_to_their_size(door: None, size: int, expected: int) -> None:
    """A buffer that is not a whole head yet may not be longer."""
    filler = b"x" * (server.HEADERS + size)
    with serving() as port, connect(port) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + filler)
        if expected == 200:
            connection.sendall(b"\r\n\r\n")
        reply = answer(connection)
    assert reply.startswith(b"HTTP/1.1 %d" % expected)
    assert b"nosniff" in reply


@pytest.mark.parametrize(("size", "expected"), [(0, 200), (1, 400)])
def test_a_head_that_comes_at_once_has_a_size(door: None, size: int, expected: int) -> None:
    """The names and values of all headers, and what is asked for."""
    fixed = len(b"/healthz" + b"Host" + b"a" + b"X" + b"Y")
    value = b"x" * ((server.HEADERS - fixed) // 2)
    rest = b"y" * (server.HEADERS - fixed - len(value) + size)
    sent = b"GET /healthz HTTP/1.1\r\nHost:a\r\nX:%s\r\nY:%s\r\n\r\n" % (value, rest)
    with serving() as port, connect(port, sent) as connection:
        assert status(connection) == expected


def test_trailers_have_a_size_and_are_no_headers(door: None) -> None:
    body = b'{"zen":1}'
    chunk = b"%x\r\n" % len(body) + body + b"\r\n0\r\n"
    begun = head("chunked", signature(SECRET, body)) + chunk
    with serving() as port, connect(port, begun + b"X-GitHub-Event: x\r\n\r\n") as connection:
        assert status(connection) == 200  # of a ping still
    with serving() as port, connect(port, begun) as connection:
        connection.sendall(b"X: " + b"x" * server.HEADERS)
        assert status(connection) == 400


def test_chunks_are_not_all_size(door: None) -> None:
    begun = head("chunked", "sha256=" + "0" * 64)
    with serving() as port, connect(port, begun) as connection:
        with suppress(ConnectionError):
            connection.sendall(b"1;%s\r\nx\r\n" % (b"e" * 1000) * 100)
        assert status(connection) == 400


@pytest.mark.parametrize(("more", "last"), [(0, b"200"), (1, b"400")])
def test_only_so_many_requests_wait_on_a_connection(door: None, more: int, last: bytes) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * (1 + server.PIPELINED + more)
    with serving() as port, connect(port, asked) as connection:
        connection.settimeout(10)
        data = b""
        while data.count(b"HTTP/1.1") < (1 if more else 1 + server.PIPELINED):
            data += connection.recv(65536)
    assert data.rpartition(b"HTTP/1.1 ")[2].startswith(last)


def test_headers_have_a_time(door: None) -> None:
    """Dripping does not prolong it."""
    begun = b"GET / HTTP/1.1\r\nX: "
    with serving(server.Limits(headers=0.5)) as port, connect(port, begun) as connection:
        began = time.monotonic()
        while time.monotonic() - began < 10 and not is_closed(connection, 0.05):
            with suppress(ConnectionError):  # seen at the next look
                connection.sendall(b"X")
        assert 0.4 < time.monotonic() - began < 10


def test_headers_have_a_time_after_an_answer_too(door: None) -> None:
    limits = server.Limits(headers=0.5, idle=60)
    with serving(limits) as port, connect(port) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert status(connection) == 200
        connection.sendall(b"GET /heal")
        assert is_closed(connection, 10)


def test_an_answer_that_is_not_read_ends(door: None) -> None:
    """The rest of a body that nobody wants may come, for a while."""
    with serving(server.Limits(linger=0.5)) as port, connect(port) as connection:
        connection.sendall(head(1000, "sha256=0") + b"x")
        assert status(connection) == 401
        assert is_closed(connection, 10)


def test_the_oldest_idle_connection_makes_room(door: None) -> None:
    with serving(server.Limits(connections=2)) as port, ExitStack() as stack:
        first, second = (stack.enter_context(connect(port)) for _ in range(2))
        third = stack.enter_context(connect(port, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"))
        assert status(third) == 200
        assert is_closed(first, 10)
        assert not is_closed(second, 0.1)


def test_nothing_is_read_without_a_signature(door: None) -> None:
    """The answer is there before the body."""
    for wrong in ("", "sha256=0", "sha1=" + "0" * 40, "sha256=" + "G" * 64):
        with serving() as port, connect(port, head(1000, wrong or " ")) as connection:
            assert status(connection) == 401


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_no_other_body_is_read(door: None, method: str) -> None:
    request = f"{method} /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
    with serving() as port, connect(port, request.encode()) as connection:
        assert status(connection) == (200 if method == "GET" else 405)


def test_a_body_has_a_time(door: None) -> None:
    with (
        serving(reading=bodies.Limits(seconds=0.3)) as port,
        connect(port, head(1000) + b"{") as connection,
    ):
        assert status(connection) == 408


@pytest.mark.parametrize(("size", "expected"), [(1000, 200), (1001, 413)])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_has_a_size(door: None, size: int, expected: int, chunked: bool) -> None:
    body = b'{"a":"' + b"x" * (size - 8) + b'"}'
    request = signed(body)
    if chunked:
        request = head("chunked", signature(SECRET, body))
        request += b"%x\r\n" % size + body + b"\r\n0\r\n\r\n"
    with serving(reading=bodies.Limits(size=1000)) as port, connect(port, request) as connection:
        assert status(connection) == expected


def test_a_body_that_is_announced_too_long_is_not_read(door: None) -> None:
    with serving() as port, connect(port, head(bodies.Limits().size + 1)) as connection:
        assert status(connection) == 413


def test_the_oldest_body_makes_room_by_number(door: None) -> None:
    with serving(reading=bodies.Limits(number=2)) as port, ExitStack() as stack:
        slow = [stack.enter_context(connect(port, head(1000) + b"{")) for _ in range(2)]
        with connect(port, signed(b'{"zen":1}')) as good:
            assert status(good) == 200
        reply = answer(slow[0])
        assert reply.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 2" in reply
        slow[1].settimeout(0.1)
        with pytest.raises(TimeoutError):
            slow[1].recv(1)


def test_the_oldest_body_makes_room_by_memory(door: None) -> None:
    limits = bodies.Limits(memory=5000)
    with serving(reading=limits) as port, ExitStack() as stack:
        slow = [stack.enter_context(connect(port, head(4000) + b"x" * 2000)) for _ in range(3)]
        assert status(slow[0]) == 503


def test_a_body_that_ends_early_is_let_go(door: None) -> None:
    with serving(reading=bodies.Limits(number=1)) as port:
        for _ in range(3):
            with connect(port, head(1000) + b"x") as connection:
                connection.shutdown(socket.SHUT_WR)
        with connect(port, signed(b'{"zen":1}')) as good:
            assert status(good) == 200


def test_a_pipelined_delivery_is_answered(door: None) -> None:
    with serving() as port, connect(port, signed(b'{"zen":1}') * 3) as connection:
        connection.settimeout(10)
        data = b""
        while data.count(b"pong") < 3:
            data += connection.recv(65536)
    assert data.count(b"HTTP/1.1 200") == 3


def test_the_server_leaves_descriptors_to_the_worker(tmp_path: Path) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert server.most_connections() <= max(8, soft // 4)
