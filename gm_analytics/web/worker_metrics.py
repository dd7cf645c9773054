"""The worker's own listener: its metrics, for whoever operators are, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager

import anyio.to_thread

from gm_analytics import places
from gm_analytics.errors import ConfigError, NotListening
from gm_analytics.places import Listen
from gm_analytics.service import Service
from gm_analytics.web import server
from gm_analytics.web.access import Access, Guard
from gm_analytics.web.bodies import Receive
from gm_analytics.web.door import Application, Scope, Send, protecting, reply
from gm_analytics.web.listening import bound
from gm_analytics.web.metrics import CONTENT_TYPE, Metrics

PATH = "/metrics"
CROWD = 16
"""Connections at once."""

log = logging.getLogger(__name__)


class Pages:
    """The application: one page."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer a request; uvicorn takes an error for `lifespan is not spoken here`."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        safely = protecting(send)
        if scope["path"] != PATH:
            await reply(safely, 404, {"reason": f"{PATH} is all that is here"})
            return
        body = await anyio.to_thread.run_sync(self._metrics.text)
        headers = [
            (b"content-type", CONTENT_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
        ]
        await safely({"type": "http.response.start", "status": 200, "headers": headers})
        shown = body if scope["method"] == "GET" else b""
        await safely({"type": "http.response.body", "body": shown, "more_body": False})


def create_app(service: Service, metrics: Metrics, listen: Listen | None = None) -> Application:
    """Make the application, which lets in whom the operators' listener lets in."""
    pages = Pages(metrics)
    return Guard(pages, pages, Access(service.settings.operators, listen))


@contextmanager
def serving(service: Service, given: str | None) -> Iterator[None]:
    """Count, and give metrics until the block ends; `given` goes before the configuration.

    An address that nobody chose keeps nothing from starting: a second worker of this host has to
    be given one of its own.

    Raises:
        ConfigError: it is no such address.
        NotListening: it cannot be listened on.

    """
    config = service.settings
    chosen = given is not None or "metrics_listen" in config.model_fields_set
    listen = _read(given, let_in=config.operators.let_in) if given else config.metrics_listen
    try:
        listening = bound(listen, "metrics_listen") if listen else None
    except NotListening as error:
        if chosen:
            raise
        log.warning("no metrics are given: %s", error)
        listening = None
    if listening is None:
        yield
        return
    log.info("metrics are given on http://%s%s", listen, PATH)
    metrics = Metrics.of(service)
    app = create_app(service, metrics, listen)
    limits = server.Limits(connections=CROWD)
    with metrics.counting(), closing(listening), server.beside(app, listening, limits):
        yield


def _read(given: str, *, let_in: bool) -> Listen | None:
    try:
        listen = places.listen(given)
        if listen:
            places.guarded(listen, "metrics_listen", let_in=let_in)
        return listen
    except ValueError as error:
        raise ConfigError("--metrics-listen", [str(error)]) from error
