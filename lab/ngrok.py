"""A stand-in for ngrok's agent: its local API, and an address that is another at each start.

It needs nothing but Python, since the hosts of `make lab` run it as their `ngrok`.
Source: https://ngrok.com/docs/agent/api
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def answer(port: int, public: str) -> bytes:
    """Give what the agent says of its tunnels."""
    name = public.rpartition("/")[2].partition(".")[0]
    tunnel = {
        "name": name, "uri": f"/api/tunnels/{name}", "public_url": public, "proto": "https",
        "config": {"addr": f"http://127.0.0.1:{port}", "inspect": False},
        "metrics": {"conns": {"count": 0}, "http": {"count": 0}},
    }  # fmt: skip
    return json.dumps({"tunnels": [tunnel], "uri": "/api/tunnels"}).encode()


def server(port: int, public: str, at: int = 0) -> ThreadingHTTPServer:
    """Make the local API for a tunnel to a port; `at` is its own, 0 for any."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there = self.path == "/api/tunnels"
            body = answer(port, public) if there else b"{}"
            self.send_response(200 if there else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", at), Handler)


def fresh() -> str:
    """Give an address as ngrok's are."""
    return f"https://{secrets.token_hex(6)}.ngrok-free.app"


def _leads_to(arguments: list[str]) -> int:
    """Give the port of `http URL`, or of the configuration of `start NAME --config=FILE`."""
    named = [one.partition("=")[2] for one in arguments if one.startswith("--config=")]
    text = Path(named[0]).read_text("utf-8") if named else " ".join(arguments)
    found = re.search(r"http://127\.0\.0\.1:(\d+)", text)
    return int(found[1]) if found else 80


def main(arguments: list[str]) -> None:
    """Be the agent, as its command line says."""
    if arguments[:1] == ["config"]:
        return
    at = int(os.environ.get("LAB_NGROK_API", "4040"))
    server(_leads_to(arguments), fresh(), at).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
