"""The server of `gm-analytics serve` and `web`: uvicorn, with limits to what a connection may do.

uvicorn has no deadline for headers, none for a client that does not read, and no limit to
connections short of the file descriptors, which web and worker share. Its parser in C, httptools,
has no limit to the size of headers; the one that has, h11, is Python, and took a quarter of the
time in which deliveries held the interpreter.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gm_analytics.web.door import Application
from gm_analytics.web.life import Life
from gm_analytics.web.listening import BACKLOG
from gm_analytics.web.protection import protected

HEADERS = 32 * 1024
"""Bytes of a request line with its headers; GitHub sends 1 kB."""
PIPELINED = 16
"""Requests that wait on one connection for the answers to those before."""
_STOP = 1.0
"""Seconds that a server beside the door has to end."""


@dataclass(frozen=True)
class Limits:
    """Of connections; times in seconds."""

    headers: float = 10.0
    """From the connection, or the answer before, until the headers are there."""
    request: float = 60.0
    """From then until the client has its answer."""
    linger: float = 5.0
    """For the rest of a body that is not wanted, and of an answer that is not read."""
    idle: float = 5.0
    ending: int = 10
    """That answers have which are under way when the server is to end; systemd gives it thirty."""
    connections: int = 0
    """At once; 0 for what the file descriptors allow."""


def most_connections() -> int:
    """Give how many connections leave the worker its file descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 512 if soft == resource.RLIM_INFINITY else max(8, min(512, soft // 4))


class Crowd:
    """The connections there are, the oldest first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._members: dict[Connection, None] = {}

    def enter(self, connection: Connection) -> bool:
        """Let one in, in place of the oldest that asks for nothing; tell whether it may stay."""
        if len(self._members) >= self._most:
            idle = next((member for member in self._members if member.waits), None)
            if idle is None:
                return False
            self.leave(idle)
            idle.transport.abort()
        self._members[connection] = None
        return True

    def leave(self, connection: Connection) -> None:
        """Count one no longer."""
        self._members.pop(connection, None)


class TooMuchError(Exception):
    """A head is longer than it may be, or too many requests came at once."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection, each phase of it with a deadline, each head with a size."""

    def __init__(self, *args: Any, limits: Limits, crowd: Crowd, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._crowd = crowd
        self._phase: tuple[str, object] = ("", None)
        self._deadline: asyncio.TimerHandle | None = None
        self._head = 0
        """Bytes of the request line, headers and trailers that were taken."""
        self._unread = 0
        """Bytes of this request that came and are no body."""
        self._body = 0
        self._in_body = False
        self._answering: RequestResponseCycle | None = None

    @property
    def waits(self) -> bool:
        """Whether it asks for nothing, as far as we know."""
        return self._phase[0] != "request"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the headers' time does too."""
        super().connection_made(transport)
        if self._crowd.enter(self):
            self._watch()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._crowd.leave(self)
        self._stop()
        self._hang_up()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        self._unread += len(data)
        super().data_received(data)
        # The parser keeps a name or a value until it is whole; the sizes of chunks are no body.
        if self._unread > HEADERS + self._body and not self.transport.is_closing():
            self.send_400_response("Too long headers.")
        self._watch()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._watch()

    # --- what the parser finds; an error that it meets here is answered with 400 -----------

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._head = self._body = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of what is asked for."""
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. A trailer is dropped: the headers were acted on."""
        self._grow(len(name) + len(value))
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Answer, after the requests before."""
        if len(self.pipeline) >= PIPELINED:
            raise TooMuchError
        self._in_body = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body += len(body)
        self._unread = max(0, self._unread - len(body))  # it may follow another request
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next request."""
        self._unread, self._in_body = 0, False
        super().on_message_complete()

    def _grow(self, size: int) -> None:
        self._head += size
        if self._head > HEADERS:
            raise TooMuchError

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or has too long headers."""
        headers = protected(
            [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"%d" % len(msg)),
                (b"connection", b"close"),
            ]
        )
        answering = self._answering
        if answering is None or answering.response_complete or not answering.response_started:
            lines = [b"HTTP/1.1 400 Bad Request", *(b": ".join(pair) for pair in headers)]
            self.transport.write(b"\r\n".join([*lines, b"", msg.encode("ascii")]))
        self._hang_up()
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _hang_up(self) -> None:
        """Have nothing more written. uvicorn tells the request that came last, not this one."""
        if self._answering:
            self._answering.disconnected = True
            self._answering.message_event.set()

    # --- deadlines --------------------------------------------------------------------------

    def _watch(self) -> None:
        """Give each phase its time; going on within one does not prolong it."""
        phase = (self._name(), self.cycle)
        if phase != self._phase:
            self._phase = phase
            self._stop()
            seconds: float = getattr(self._limits, phase[0])
            self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _name(self) -> str:
        if self.transport.is_closing():
            return "linger"
        if self.cycle is None:
            return "headers"  # type: ignore[unreachable]  # it is None until the first request
        if not self.cycle.response_complete:
            return "request"
        return "linger" if self._in_body else "headers"

    def _stop(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None


def configure(
    app: Application | Callable[..., Any],
    host: str,
    port: int,
    limits: Limits | None = None,
    life: Life | None = None,
) -> uvicorn.Config:
    """Give uvicorn's configuration."""
    limits = limits or Limits()
    crowd = Crowd(limits.connections or most_connections())
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=partial(Connection, limits=limits, crowd=crowd),  # type: ignore[arg-type]
        ws="none",
        backlog=BACKLOG,
        timeout_keep_alive=int(limits.idle),
        timeout_graceful_shutdown=limits.ending,
        callback_notify=life.beat if life else None,
        timeout_notify=life.every if life else 0,
        # Whoever is believed what it says of itself: nothing asks for a client's address.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )


@contextmanager
def beside(app: Application, listening: socket.socket, limits: Limits) -> Iterator[None]:
    """Serve another application in a thread, on a socket that listens, until the block ends."""
    host, port, *_ = listening.getsockname()
    server = uvicorn.Server(configure(app, host, port, limits))
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listening]}, name="operators", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_STOP)
        server.force_exit = True  # a page that is told of what is live would go on being told
        thread.join(_STOP)


class Server(uvicorn.Server):
    """uvicorn's server, which says that it ends before it begins to."""

    def __init__(self, config: uvicorn.Config, life: Life | None) -> None:
        super().__init__(config)
        self._life = life

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing more, and answer what was asked."""
        if self._life:
            self._life.ends()
        await super().shutdown(sockets)


def run(app: Application, listening: socket.socket, life: Life | None = None) -> None:
    """Serve until the process is told to end; Ctrl-C is a KeyboardInterrupt then."""
    host, port, *_ = listening.getsockname()
    Server(configure(app, host, port, life=life), life).run(sockets=[listening])
