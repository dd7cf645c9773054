"""The operations of `swagger/indexer.yaml`.

They work under both of Connexion's frameworks: Flask (`gm-analytics serve`) and the default of
`connexion run`, which never calls a factory of ours; so the service is composed on first use.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from typing import Any, TypeAlias

import anyio.from_thread
import connexion
import flask
from connexion.lifecycle import ConnexionRequest, ConnexionResponse

from gm_analytics import __version__
from gm_analytics.errors import DeliveryTooLarge, StoreUnavailable, UnknownUpdate
from gm_analytics.github.webhook import MAX_BODY
from gm_analytics.operations import permissions
from gm_analytics.service import Reply, Service
from gm_analytics.updates.model import Record
from gm_analytics.web.pages import update_page

CONTENT_TYPE = "gm_analytics.content_type"
"""Where the ASGI scope keeps the content type of a delivery."""
Answer: TypeAlias = "tuple[dict[str, Any], int] | ConnexionResponse"


@lru_cache
def _from_environment() -> Service:
    found = Service.from_file()
    permissions.require(found.settings)
    return found


_given: list[Service] = []


def use(service: Service) -> None:
    """Answer with this service from now on, instead of the one that the environment names."""
    _given[:] = [service]


def service() -> Service:
    """Give the service of this process."""
    return _given[0] if _given else _from_environment()


def keep_body_raw(signature: str, request: ConnexionRequest) -> dict[str, str]:  # noqa: ARG001
    """Hide the content type from Connexion, so that it leaves the body's bytes alone.

    It would parse forms, and JSON, before the handler could check the signature that covers the
    bytes. A security function is the one hook of a specification that comes before that.
    """
    scope = request.scope
    headers = scope["headers"]
    given = next((value for name, value in headers if name == b"content-type"), b"")
    scope.setdefault("extensions", {})[CONTENT_TYPE] = given.decode("latin-1")
    scope["headers"] = [
        *((name, value) for name, value in headers if name != b"content-type"),
        (b"content-type", b"application/octet-stream"),
    ]
    return {}


def manage_pullrequest() -> Answer:
    """Take a delivery of GitHub's webhook."""
    headers = {name.lower(): value for name, value in _headers().items()}
    headers["content-type"] = _scope()["extensions"][CONTENT_TYPE]
    try:
        body = _raw_body(int(headers.get("content-length") or 0))
    except (DeliveryTooLarge, ValueError) as error:
        return {"command_return": "refused", "reason": str(error)}, DeliveryTooLarge.status
    return _answer(service().receive(headers, body))


def show_update(update_id: str) -> Answer:
    """Show an update and its steps."""
    try:
        records = service().store.get(update_id)
    except UnknownUpdate as error:
        return _problem(404, str(error))
    except StoreUnavailable as error:
        return _problem(503, str(error))
    if "text/html" in _headers().get("accept", ""):
        return ConnexionResponse(mimetype="text/html", body=update_page(update_id, records))
    body = {"update_id": update_id, "mirrors": [_as_json(record) for record in records]}
    return ConnexionResponse(mimetype="application/json", body=json.dumps(body))


def health() -> Answer:
    """Tell whether deliveries can be taken."""
    try:
        service().store.check()
    except StoreUnavailable as error:
        return {"status": "unavailable", "reason": str(error)}, 503
    return {"status": "ok", "version": __version__}, 200


def _problem(status: int, reason: str) -> ConnexionResponse:
    body = json.dumps({"reason": reason})
    return ConnexionResponse(status_code=status, mimetype="application/json", body=body)


def _as_json(record: Record) -> dict[str, Any]:
    update = record.update
    return {
        "update_id": update.id,
        "mirror": update.mirror,
        "pull_request": update.pull_request,
        "head_sha": update.head_sha,
        "state": record.state,
        "message": record.message,
        "accepted_at": record.accepted_at,
        "started_at": record.started_at,
        "completed_at": record.completed_at,
        "outcome": asdict(record.outcome) if record.outcome else None,
        "error": record.error.to_json() if record.error else None,
        "steps": [asdict(step) for step in record.steps],
    }


def _answer(reply: Reply) -> Answer:
    return reply.body, reply.status


def _headers() -> Any:
    return flask.request.headers if flask.has_request_context() else connexion.request.headers


def _scope() -> Any:
    """Give the ASGI scope; in Flask, Connexion's own context is not in this thread."""
    if flask.has_request_context():
        return flask.request.environ["asgi.scope"]
    return connexion.request.scope


def _raw_body(announced: int) -> bytes:
    """Read the body as it was sent: what was signed is bytes, not JSON."""
    if announced > MAX_BODY:
        raise _too_large()
    if flask.has_request_context():
        body: bytes = flask.request.environ["wsgi.input"].read(MAX_BODY + 1)
    else:
        body = anyio.from_thread.run(_read_stream)
    if len(body) > MAX_BODY:
        raise _too_large()
    return body


async def _read_stream() -> bytes:
    body = bytearray()
    async for chunk in connexion.request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            break
    return bytes(body)


def _too_large() -> DeliveryTooLarge:
    return DeliveryTooLarge(f"body: more than {MAX_BODY:,} bytes")
