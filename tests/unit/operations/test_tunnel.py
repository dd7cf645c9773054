"""What ngrok's agent says, and what is no address of a tunnel to the service."""

from __future__ import annotations

import json

import pytest

from gm_analytics.errors import NoTunnel
from gm_analytics.operations.tunnel import address


def said(*tunnels: tuple[str, str]) -> bytes:
    found = [{"public_url": url, "config": {"addr": addr}, "proto": "x"} for url, addr in tunnels]
    return json.dumps({"tunnels": found, "uri": "/api/tunnels"}).encode()


@pytest.mark.parametrize("addr", ["http://localhost:8080", "localhost:8080", "8080", "[::1]:8080"])
def test_the_tunnel_to_the_service_is_found_among_others(addr: str) -> None:
    body = said(
        ("https://other.ngrok.app", "http://localhost:3000"),
        ("http://abc.ngrok.app", addr),
        ("https://abc.ngrok.app", addr),
    )
    asked = []
    found = address("http://127.0.0.1:4040/", 8080, lambda url: (asked.append(url), body)[1])
    assert found == "https://abc.ngrok.app"
    assert asked == ["http://127.0.0.1:4040/api/tunnels"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (None, "nothing answers there"),
        (b"<html>", "what answers there is not ngrok's agent"),
        (b'{"tunnels": [{"public_url": 1}]}', "what answers there is not ngrok's agent"),
        (said(), "its tunnels lead to nowhere"),
        (said(("https://a.ngrok.app", "http://localhost:22")), "its tunnels lead to http://local"),
        (said(("tcp://a.ngrok.app:1", "localhost:8080")), "its tunnels lead to localhost:8080"),
        (said(("https://u:p@x y", "localhost:8080")), "its address is not one"),
        (said(("https://a", "http://[::1")), "its tunnels lead to "),
    ],
)
def test_what_is_no_tunnel_to_the_service_is_said(body: bytes | None, why: str) -> None:
    with pytest.raises(NoTunnel, match=f"no tunnel to port 8080: {why}"):
        address("http://127.0.0.1:4040", 8080, lambda _: body)
