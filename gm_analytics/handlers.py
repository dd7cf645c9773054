"""The operations of `swagger/indexer.yaml`.

They work under both of Connexion's frameworks: Flask (`gm-analytics serve`) and its own (the
default of `connexion run`); `connexion run` never calls a factory, so the service is
composed on first use. Behind `web.door` a delivery's body is there already; without it, its
bytes are read here, asynchronously and with the same limits.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

import anyio.to_thread
import connexion
import flask
from connexion.context import receive
from connexion.lifecycle import ConnexionRequest, ConnexionResponse

from gm_analytics import __version__, measures
from gm_analytics.engine.workforce import Workforce
from gm_analytics.errors import (
    ConfigError,
    DeliveryError,
    DeliveryTooLarge,
    NoDeliveries,
    StoreUnavailable,
    UnknownUpdate,
)
from gm_analytics.github.webhook import MAX_BODY, verify
from gm_analytics.operations import permissions
from gm_analytics.pull_requests.intake import Reply
from gm_analytics.service import Service
from gm_analytics.web import quiet
from gm_analytics.web.bodies import Bodies, RawHeaders, signature
from gm_analytics.web.door import BODY, RETRY_AFTER, note, refusal
from gm_analytics.web.pages import PAGE_POLICY, update_page
from gm_analytics.web.protection import PROTECTION
from gm_analytics.web.update_json import update_json

CONTENT_TYPE = "gm_analytics.content_type"
"""Where the ASGI scope keeps the content type of a delivery."""
JSON, HTML = "application/json", "text/html"
_REFUSALS = (DeliveryError, ConfigError)
_OURS = ("x-github-event", "x-github-delivery", "x-hub-signature-256")

log = logging.getLogger(__name__)
_bodies = Bodies()
quiet.install()  # under `connexion run` there is no other place


@lru_cache
def _from_environment() -> Service:
    found = Service.from_file()
    permissions.require(found.settings)
    found.settings.require(web=True)
    return found


_given: list[Service] = []


def use(service: Service) -> None:
    """Answer with this service from now on, instead of the one that the environment names."""
    _given[:] = [service]


def service() -> Service:
    """Give the service of this process."""
    return _given[0] if _given else _from_environment()


def webhook_secret() -> str:
    """Give what deliveries are signed with.

    Raises:
        NoDeliveries: the service takes none.

    """
    config = service().settings
    if config.polls:
        raise NoDeliveries
    return config.webhook.secret


def keep_body_raw(value: str, request: ConnexionRequest) -> dict[str, str] | None:  # noqa: ARG001
    """Hide the content type from Connexion, so that it leaves the body's bytes alone.

    It would parse forms, and JSON, before the handler could check the signature that covers the
    bytes. A security function is the one hook of a specification that comes before that. What
    cannot be a signature is refused here, before anything is read.
    """
    scope = request.scope
    headers = cast("RawHeaders", scope["headers"])
    try:
        signature(headers)
    except DeliveryError:
        return None
    given = [value for name, value in headers if name == b"content-type"]
    scope.setdefault("extensions", {})[CONTENT_TYPE] = b", ".join(given).decode("latin-1")
    scope["headers"] = [
        *((name, value) for name, value in headers if name != b"content-type"),
        (b"content-type", b"application/octet-stream"),
    ]
    return {}


# Connexion asks for it at each request, and to find it out takes longer than to check.
keep_body_raw.__signature__ = inspect.signature(keep_body_raw)  # type: ignore[attr-defined]


async def manage_pullrequest() -> ConnexionResponse:
    """Take a delivery of GitHub's webhook."""
    if flask.has_request_context():
        return manage_pullrequest_in_thread()
    scope = _scope()
    headers, extensions = _delivery_headers(scope), scope["extensions"]
    try:
        if BODY in extensions:
            return await _receive(headers, extensions[BODY])
        async with _bodies.taken(scope["headers"], receive, webhook_secret()) as body:
            return await _receive(headers, body)
    except _REFUSALS as error:
        return _refused(scope, error)


def manage_pullrequest_in_thread() -> ConnexionResponse:
    """Take a delivery under Flask, which gives each request a thread.

    There, an async operation would have an event loop made for each delivery.
    """
    scope = _scope()
    headers, extensions = _delivery_headers(scope), scope["extensions"]
    try:
        body = extensions[BODY] if BODY in extensions else _flask_body()
        return _answer(service().intake.receive(headers, body))
    except _REFUSALS as error:
        return _refused(scope, error)


def show_update(update_id: str) -> ConnexionResponse:
    """Show an update and its steps."""
    vary = {"vary": "Accept"}
    try:
        records = service().store.get(update_id)
    except UnknownUpdate as error:
        return _json(404, {"reason": error.public}, vary)
    except (StoreUnavailable, ConfigError) as error:
        log.error("showing an update: %s", error)
        return _json(503, {"reason": error.public}, vary)
    if "text/html" in _header("accept"):
        page = {**PROTECTION, **vary, "content-security-policy": PAGE_POLICY}
        body = update_page(update_id, records)
        # Flask adds the encoding itself, Starlette only to a `mimetype`.
        kind = HTML if flask.has_request_context() else f"{HTML}; charset=utf-8"
        return ConnexionResponse(200, content_type=kind, body=body, headers=page)
    return _json(200, update_json(update_id, records), vary)


def health() -> ConnexionResponse:
    """Tell whether deliveries can be taken, and whether somebody performs what they cause.

    Without a worker they are taken all the same, so that none is lost: only a monitor minds.
    """
    try:
        store = service().store
        store.check()
        found = store.workforce()
    except (StoreUnavailable, ConfigError) as error:
        log.error("health: %s", error)
        return _json(503, {"status": "unavailable", "reason": error.public})
    worker = {"worker": "alive"} if found.workers else {"worker": "missing", **_undone(found)}
    return _json(200, {"status": "ok", "version": __version__, **worker})


def _undone(found: Workforce) -> dict[str, str]:
    return {"reason": "accepted updates wait for a worker"} if found.open else {}


def _refused(scope: Any, error: DeliveryError | ConfigError) -> ConnexionResponse:
    """Answer a delivery that is not taken."""
    if isinstance(error, DeliveryError):
        note(scope, error)
        return _json(error.status, refusal(error))
    measures.delivery_refused(error)
    log.error("a delivery cannot be checked: %s", error)
    return _json(503, {"command_return": "unavailable", "reason": error.public})


async def _receive(headers: Mapping[str, str], body: bytes) -> ConnexionResponse:
    """Store it in a thread: the store may make us wait."""
    return _answer(await anyio.to_thread.run_sync(service().intake.receive, headers, body))


def _answer(reply: Reply) -> ConnexionResponse:
    return _json(reply.status, reply.body)


def _json(
    status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> ConnexionResponse:
    """Give an answer; `mimetype` alone would be lost under Flask."""
    more = {"retry-after": str(RETRY_AFTER)} if status == 503 else {}  # noqa: PLR2004
    return ConnexionResponse(
        status,
        content_type=JSON,
        body=json.dumps(body),
        headers={**PROTECTION, **more, **(headers or {})},
    )


def _delivery_headers(scope: Any) -> dict[str, str]:
    """Give the headers that count, with the content type that Connexion did not see."""
    return _github_headers(scope["headers"]) | {"content-type": scope["extensions"][CONTENT_TYPE]}


def _github_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Give the headers that count; one that is there twice has two values, which are no id."""
    found: dict[str, str] = {}
    for raw, value in headers:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        if name in _OURS:
            found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _header(name: str) -> str:
    request = flask.request if flask.has_request_context() else connexion.request
    return str(request.headers.get(name, ""))


def _scope() -> Any:
    """Give the ASGI scope; in Flask, Connexion's own context is not in this thread."""
    if flask.has_request_context():
        return flask.request.environ["asgi.scope"]
    return connexion.request.scope


def _flask_body() -> bytes:
    """Read the body as it was sent, in Flask's thread: what was signed is bytes, not JSON."""
    if int(flask.request.headers.get("content-length") or 0) > MAX_BODY:
        raise _too_large()
    body: bytes = flask.request.environ["wsgi.input"].read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise _too_large()
    verify(webhook_secret(), body, flask.request.headers.get("x-hub-signature-256"))
    return body


def _too_large() -> DeliveryTooLarge:
    return DeliveryTooLarge(f"body: more than {MAX_BODY:,} bytes")
