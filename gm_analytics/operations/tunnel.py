"""Which address a tunnel of ngrok's has just now, as the agent's local API tells.

Source: https://ngrok.com/docs/agent/api
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from gm_analytics.errors import NoTunnel
from gm_analytics.places import SafeUrl
from gm_analytics.remote import local

API = "http://127.0.0.1:4040"
PROGRAM = "ngrok"
NOTHING = "nothing answers there"
_TUNNELS = "/api/tunnels"
_STOP = 5.0


@dataclass(frozen=True)
class _Config:
    addr: str = ""


@dataclass(frozen=True)
class _Tunnel:
    public_url: str
    config: _Config = field(default_factory=_Config)


@dataclass(frozen=True)
class _Answer:
    tunnels: tuple[_Tunnel, ...] = ()


_ANSWER = TypeAdapter(_Answer)
_URL = TypeAdapter(SafeUrl)


def address(api: str, port: int, read: Callable[[str], bytes | None] = local.read) -> str:
    """Give the address of the tunnel that leads to a port of this machine.

    Raises:
        NoTunnel: there is none, or not yet.

    """
    body = read(api.rstrip("/") + _TUNNELS)
    if body is None:
        raise NoTunnel(api, port, NOTHING)
    try:
        found = _ANSWER.validate_json(body).tunnels
    except ValidationError:
        raise NoTunnel(api, port, "what answers there is not ngrok's agent") from None
    for one in found:
        if _leads_to(one.config.addr) == port and one.public_url.startswith("https://"):
            return _checked(api, port, one.public_url)
    led = ", ".join(sorted({one.config.addr for one in found})) or "nowhere"
    raise NoTunnel(api, port, f"its tunnels lead to {led}")


def _checked(api: str, port: int, url: str) -> str:
    try:
        return str(_URL.validate_python(url)).rstrip("/")
    except ValidationError:
        raise NoTunnel(api, port, "its address is not one") from None


def _leads_to(addr: str) -> int | None:
    """Give the port that a tunnel leads to: `http://localhost:8080`, `localhost:8080`, `8080`."""
    if addr.isdecimal():
        return int(addr)
    try:
        return urlsplit(addr if "//" in addr else f"//{addr}").port
    except ValueError:
        return None


@contextmanager
def started(port: int, program: str = PROGRAM) -> Iterator[None]:
    """Have an agent of one's own run during the block; its log goes to standard error.

    Raises:
        NoTunnel: there is no such program.

    """
    command = [program, "http", f"http://127.0.0.1:{port}", "--log=stderr", "--log-level=warn"]
    try:
        agent = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    except OSError as error:
        raise NoTunnel(program, port, f"it cannot be started: {error.strerror}") from error
    try:
        yield
    finally:
        agent.terminate()
        try:
            agent.wait(_STOP)
        except subprocess.TimeoutExpired:
            agent.kill()
            agent.wait()
