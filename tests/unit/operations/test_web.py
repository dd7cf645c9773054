"""What `check` says of the web of this host."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gm_analytics import __version__
from gm_analytics.operations import web
from gm_analytics.operations.findings import Finding
from gm_analytics.operator_access import Operators
from gm_analytics.places import Listen
from gm_analytics.settings import Settings
from lab.processes import reserve_port

WRITTEN = 1_795_000_000.0
NOW = {"version": __version__, "started_at": WRITTEN + 1}


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/healthz"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def findings(directory: Path, port: int | None, *, polls: bool = False) -> list[Finding]:
    config = directory / "config.yaml"
    config.touch()
    os.utime(config, (WRITTEN, WRITTEN))
    listen = Listen("127.0.0.1", port) if port else None
    known = SimpleNamespace(
        operator_listen=listen,
        operators=Operators(),
        polls=polls,
        files=SimpleNamespace(config=config),
    )
    return list(web.findings(cast("Settings", known)))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (NOW, []),
        (NOW | {"started_at": WRITTEN - 1}, ["began before"]),
        (NOW | {"version": "0.9"}, [f"runs gm-analytics 0.9, and {__version__} is installed"]),
        ({"version": "0.9"}, ["runs gm-analytics 0.9"]),
    ],
)
def test_a_web_that_is_older_than_what_is_there_is_told(
    tmp_path: Path, body: dict[str, Any], said: list[str]
) -> None:
    with answering(json.dumps(body).encode()) as port:
        *told, last = findings(tmp_path, port)
    assert [one.severity for one in told] == ["warn"] * len(said)
    assert all(wanted in one.said for wanted, one in zip(said, told, strict=True))
    assert all("Restart it" in one.hint for one in told)
    assert (last.severity, f"127.0.0.1:{port}" in last.said) == ("ok", True)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"version": 1, "started_at": "x"}'])
def test_what_is_no_web_of_ours_is_told(tmp_path: Path, body: bytes) -> None:
    with answering(body) as port:
        (told,) = findings(tmp_path, port)
    assert (told.severity, "is no web of gm-analytics" in told.said) == ("warn", True)


def test_none_is_told_where_deliveries_are_to_come(tmp_path: Path) -> None:
    port = reserve_port()
    (told,) = findings(tmp_path, port)
    assert (told.severity, told.said) == ("warn", f"none answers operators on 127.0.0.1:{port}")
    assert findings(tmp_path, port, polls=True) == []
    assert findings(tmp_path, None) == []
