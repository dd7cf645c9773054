"""What operators are answered against its specification: schemathesis makes the requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
import yaml
from hypothesis import given
from schemathesis.specs.openapi.schemas import OpenApiSchema

from gm_analytics.contract import OPERATOR, specification
from gm_analytics.updates.model import Update
from gm_analytics.web import operator
from tests.fuzz.test_specification import CHECKS, some
from tests.security.doors import using

HERE = {"Host": "localhost"}
HEADERS = {**HERE, "X-GM-Request": "1"}
OPEN = {"/updates/{update_id}/events", "/events"}
"""What is told as long as somebody listens: `tests/unit/web/test_live.py` has it."""
OPERATIONS = [
    (path, method.upper())
    for path, methods in yaml.safe_load(specification(OPERATOR).read_text())["paths"].items()
    for method in methods
    if path not in OPEN
]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenApiSchema]:
    with using(tmp_path_factory.mktemp("operators")) as service:
        service.store.enqueue(Update("known", "inside", "team/packages", 1, "a" * 40))
        app = operator.create_app(service, works_here=False)
        yield schemathesis.openapi.from_asgi("/swagger.json", app, headers=HERE)


def test_every_operation_is_tried(schema: OpenApiSchema) -> None:
    known = {(one.ok().path, one.ok().method.upper()) for one in schema.get_all_operations()}
    assert set(OPERATIONS) <= known
    assert {method for _, method in OPERATIONS} == {"GET", "POST"}


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_is_in_the_specification(
    schema: OpenApiSchema, path: str, method: str
) -> None:
    @some
    @given(schema[path][method].as_strategy())
    def answers(case: schemathesis.Case) -> None:
        is_form = method == "POST" and not path.startswith("/api/")
        headers = {**HERE, "Sec-Fetch-Site": "same-origin"} if is_form else HEADERS
        case.call_and_validate(headers=headers, checks=CHECKS)

    answers()
