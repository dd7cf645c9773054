"""The real application against its specification: schemathesis makes the requests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import connexion
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from gm_analytics import contract, handlers
from gm_analytics.updates.model import Update
from gm_analytics.web.app import create_app
from tests.security.doors import SECRET, signature, using

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 2_000 if os.environ.get("FUZZ") == "long" else 25
SIGNATURE = "X-Hub-Signature-256"


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with using(tmp_path_factory.mktemp("schemathesis")) as service:
        service.store.enqueue(Update("known", "inside", "team/packages", 1, "a" * 40))
        yield


def specification(name: str) -> OpenApiSchema:
    if name == "door":
        return schemathesis.openapi.from_asgi("/swagger.json", create_app(handlers.webhook_secret))
    app = getattr(connexion, name)("gm_analytics")
    app.add_api(contract.specification())
    return schemathesis.openapi.from_asgi("/swagger.json", app)


SCHEMAS = {name: specification(name) for name in ("door", "AsyncApp", "FlaskApp")}
OPERATIONS = [
    ("/ci_server/updates", "POST"),
    ("/ci_server/updates/{update_id}", "GET"),
    ("/healthz", "GET"),
]
every = pytest.mark.parametrize("name", SCHEMAS)
some = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 100,
    suppress_health_check=list(HealthCheck),
)


def test_every_operation_is_tried() -> None:
    found = [result.ok() for result in SCHEMAS["door"].get_all_operations()]
    assert [(one.path, one.method.upper()) for one in found] == OPERATIONS


@every
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_is_in_the_specification(name: str, path: str, method: str) -> None:
    @some
    @given(SCHEMAS[name][path][method].as_strategy())
    def answers(case: schemathesis.Case) -> None:
        # Flask finds a route for a line feed where Connexion found none, and fails.
        assume(name != "FlaskApp" or "\n" not in str(case.path_parameters))
        case.call_and_validate(checks=CHECKS)

    answers()


@every
def test_every_answer_to_what_is_signed_is_in_the_specification(name: str) -> None:
    @some
    @given(SCHEMAS[name]["/ci_server/updates"]["POST"].as_strategy())
    def answers(case: schemathesis.Case) -> None:
        prepared = requests.Request(**case.as_transport_kwargs(base_url="http://a")).prepare()
        body = prepared.body or b""
        raw = body.encode() if isinstance(body, str) else body
        reply = case.call(headers={SIGNATURE: signature(SECRET, raw)})
        assert reply.status_code != 401
        case.validate_response(reply, checks=CHECKS)

    answers()
