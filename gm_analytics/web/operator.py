"""What is for operators alone, `swagger/operator.yaml`, on a listener of its own.

`access` says who they are.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Any

import connexion
from connexion.lifecycle import ConnexionResponse
from connexion.resolver import Resolver

from gm_analytics import __version__, places
from gm_analytics.contract import OPERATOR, specification
from gm_analytics.engine.client import Store
from gm_analytics.errors import (
    ConfigError,
    GmError,
    NotListening,
    StoreUnavailable,
    UnknownUpdate,
)
from gm_analytics.operator_access import Operators
from gm_analytics.places import Listen
from gm_analytics.service import Service
from gm_analytics.updates.model import Record
from gm_analytics.web import forms, server
from gm_analytics.web.access import Access, Guard
from gm_analytics.web.answers import wants_page
from gm_analytics.web.bodies import Message, RawHeaders, Receive, values
from gm_analytics.web.door import (
    Application,
    Scope,
    Send,
    inner,
    is_plain,
    protecting,
    reply,
    until_gone,
)
from gm_analytics.web.json_api import Api
from gm_analytics.web.listening import bound
from gm_analytics.web.metrics import CONTENT_TYPE, Metrics
from gm_analytics.web.operator_pages import Pages
from gm_analytics.web.update_json import record_json

UI = "/ui/"
CROWD = 300
"""Connections at once."""
_POLICY = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self'{styles}; "
    "img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI's own files, what its page has within itself, and requests to this listener."""
_INLINE = re.compile(rb"<(script|style)>(.*?)</\1>", re.DOTALL)

log = logging.getLogger(__name__)


def create_app(
    service: Service,
    *,
    works_here: bool,
    listen: Listen | None = None,
    metrics: Metrics | None = None,
) -> Guard:
    """Make the application; `works_here` says whether this process performs updates."""
    operator = Operator(service, works_here, metrics or Metrics.of(service))
    app = connexion.AsyncApp("gm_analytics.operator")
    app.add_api(specification(OPERATOR), resolver=Resolver(operator.operation))
    access = Access(service.settings.operators, listen)
    return Guard(Window(app), app, access)


class Operator:
    """The operations of the specification."""

    def __init__(self, service: Service, works_here: bool, metrics: Metrics) -> None:
        self._service, self._metrics = service, metrics
        self._works_here = works_here
        self._began = time.time()
        self._api = Api(service)
        self._pages = Pages(service)

    def operation(self, name: str) -> Any:
        """Give what an operationId names."""
        return {
            "list_updates": self.list_updates,
            "show_update": self.show_update,
            "api_update": self.give_update,
            "health": self.health,
            "metrics": self.metrics,
            **self._api.operations,
            **self._pages.operations,
        }[name]

    @property
    def _store(self) -> Store:
        return self._service.store

    def list_updates(self, limit: int = 20, **asked: str) -> ConnexionResponse:
        """List the newest updates."""
        if wants_page():
            return self._pages.updates.find(**asked)
        try:
            found = self._store.recent(limit)
        except StoreUnavailable as error:
            return _answer(503, _problem(error))
        return _answer(200, {"updates": [_summary(one) for one in found]})

    def show_update(self, update_id: str) -> ConnexionResponse:
        """Show all that is known of an update."""
        if wants_page():
            return self._pages.updates.update(update_id)
        return self.give_update(update_id)

    def give_update(self, update_id: str) -> ConnexionResponse:
        """Give all that is known of an update, as JSON whoever asks."""
        try:
            found = self._store.get(update_id)
            mirrors = [self._whole(one) for one in found]
        except UnknownUpdate as error:
            return _answer(404, _problem(error))
        except StoreUnavailable as error:
            return _answer(503, _problem(error))
        return _answer(200, {"update_id": update_id, "mirrors": mirrors})

    def health(self) -> ConnexionResponse:
        """Tell how the service fares."""
        known = {
            "version": __version__,
            "worker_here": self._works_here,
            "started_at": self._began,
        }
        try:
            store = self._store.check()
            under_way, heard = self._store.under_way(), self._store.heard_at()
            workers = [asdict(worker) for worker in self._store.workforce().workers]
        except StoreUnavailable as error:
            return _answer(503, {"status": "unavailable", **known, **_problem(error)})
        more = {"store": store, **under_way, "worker_heard_at": heard, "workers": workers}
        return _answer(200, {"status": "ok", **known, **more})

    def metrics(self) -> ConnexionResponse:
        """Give the metrics of this process, and what the store says."""
        return ConnexionResponse(200, content_type=CONTENT_TYPE, body=self._metrics.text())

    def _whole(self, record: Record) -> dict[str, Any]:
        """Give all of an update, what runs now, and what was said in its steps."""
        now, said = self._store.now(record.update.id), self._store.output(record.update.id)
        return {
            **record_json(record, private=True),
            "progress": asdict(now) if now else None,
            "output": [asdict(one) for one in said],
        }


def _summary(record: Record) -> dict[str, Any]:
    """Give an update in a list, which has neither outcomes, errors nor steps."""
    told = record_json(record, private=True)
    return {name: told[name] for name in told if name not in {"outcome", "error", "steps"}}


def _answer(status: int, body: Mapping[str, Any]) -> ConnexionResponse:
    return ConnexionResponse(status, content_type="application/json", body=json.dumps(body))


def _problem(error: GmError) -> dict[str, str]:
    return {"reason": str(error)}


class Window:
    """The middleware behind `Guard`: who was let in asks for something."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        safely = protecting(send)
        path = scope["path"]
        if path != UI and not is_plain(path):
            await reply(safely, 404, {"reason": "no such page"})
        elif scope["method"] == "POST":
            await forms.take(self._app, scope, receive, safely)
        elif scope["method"] not in {"GET", "HEAD"}:
            await reply(safely, 405, {"reason": "GET alone"}, (b"allow", b"GET, HEAD"))
        else:
            sent = _with_policy(safely) if path.startswith(UI) else safely
            await self._app(inner(scope, b""), until_gone(receive), sent)


def _with_policy(send: Send) -> Send:
    """Let a page of Swagger UI run what it has within itself, by its digest."""
    held: list[Message] = []

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message["headers"]):
            held.append(message)
            return
        if held:
            held.append(message)
            if not message.get("more_body", False):
                for one in _allowed(held):
                    await send(one)
                held.clear()
            return
        await send(message)

    return sending


def _is_page(headers: RawHeaders) -> bool:
    return any(kind.startswith(b"text/html") for kind in values(headers, b"content-type"))


def _allowed(held: list[Message]) -> list[Message]:
    start, *rest = held
    body = b"".join(message.get("body", b"") for message in rest)
    policy = (b"content-security-policy", page_policy(body).encode())
    return [{**start, "headers": [*start["headers"], policy]}, *rest]


def page_policy(page: bytes) -> str:
    """Give the policy that lets a page do what is written in it."""
    digests: dict[bytes, str] = {b"script": "", b"style": ""}
    for kind, text in _INLINE.findall(page):
        digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
        digests[kind] += f" 'sha256-{digest}'"
    return _POLICY.format(scripts=digests[b"script"], styles=digests[b"style"])


# --- the listener ---------------------------------------------------------------------------


@contextmanager
def serving(
    service: Service, given: str | None, door: int, *, works_here: bool
) -> Iterator[Listen | None]:
    """Answer operators until the block ends; `given` goes before the configuration.

    `door` is the other listener's port. An address that nobody chose keeps nothing from starting.

    Raises:
        ConfigError: it is no such address.
        NotListening: it cannot be listened on.

    """
    config = service.settings
    chosen = given is not None or "operator_listen" in config.model_fields_set
    listen = _read(given, config.operators) if given is not None else config.operator_listen
    try:
        listening = _bind(listen, door) if listen else None
    except (ConfigError, NotListening) as error:
        if chosen:
            raise
        log.warning("operators are not answered: %s", error)
        listening = None
    if listening is None:
        yield None
        return
    log.info("operators are answered on http://%s/", listen)
    crowd = min(CROWD, server.most_connections())
    metrics, limits = Metrics.of(service), server.Limits(connections=crowd)
    app = create_app(service, works_here=works_here, listen=listen, metrics=metrics)
    with metrics.counting(), closing(listening), server.beside(app, listening, limits):
        yield listen


def _read(given: str, operators: Operators) -> Listen | None:
    try:
        listen = places.listen(given)
        if listen:
            places.guarded(listen, "operator_listen", let_in=operators.let_in)
        return listen
    except ValueError as error:
        raise ConfigError("--operator-listen", [str(error)]) from error


def _bind(listen: Listen, door: int) -> socket.socket:
    cure = "choose another operator_listen, or off"
    if listen.port == door:
        raise ConfigError("operator_listen", [f"{listen} has the port of the web itself; {cure}"])
    return bound(listen, "operator_listen")
