"""What operators are answered against its specification: schemathesis makes the requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import given
from schemathesis.specs.openapi.schemas import OpenApiSchema

from gm_analytics.updates.model import Update
from gm_analytics.web import operator
from tests.fuzz.test_specification import CHECKS, some
from tests.security.doors import using

HERE = {"Host": "localhost"}
PATHS = ["/updates", "/updates/{update_id}", "/healthz"]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenApiSchema]:
    with using(tmp_path_factory.mktemp("operators")) as service:
        service.store.enqueue(Update("known", "inside", "team/packages", 1, "a" * 40))
        app = operator.create_app(service, works_here=False)
        yield schemathesis.openapi.from_asgi("/swagger.json", app, headers=HERE)


def test_every_operation_is_tried(schema: OpenApiSchema) -> None:
    assert [result.ok().path for result in schema.get_all_operations()] == PATHS


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_in_the_specification(schema: OpenApiSchema, path: str) -> None:
    @some
    @given(schema[path]["GET"].as_strategy())
    def answers(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=HERE, checks=CHECKS)

    answers()
