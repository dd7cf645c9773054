"""Behind a reverse proxy with a prefix, which the configuration names and nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import HttpUrl
from starlette.testclient import TestClient

from gm_analytics import handlers
from gm_analytics.updates.model import Update
from gm_analytics.web.app import create_app
from tests.security.doors import PAGE, SECRET, configured, signature, using


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with using(tmp_path_factory.mktemp("prefix")) as service:
        service.store.enqueue(Update("known", "inside", "team/packages", 1, "a" * 40))
        yield


@pytest.fixture(scope="module", params=["", "/gm", "/ci_server", "/a/b"])
def door(request: pytest.FixtureRequest) -> Iterator[tuple[str, TestClient]]:
    app = create_app(handlers.webhook_secret, prefix=request.param)
    with TestClient(app, follow_redirects=False) as client:
        yield request.param, client


def ping(client: TestClient, path: str) -> int:
    body = b'{"zen": "x"}'
    headers = {
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": "d1",
        "Content-Type": "application/json",
        "X-Hub-Signature-256": signature(SECRET, body),
    }
    return int(client.post(path, content=body, headers=headers).status_code)


@pytest.mark.parametrize("taken_off", [True, False])
def test_every_path_is_found_with_the_prefix_and_without(
    door: tuple[str, TestClient], taken_off: bool
) -> None:
    prefix, client = door
    before = "" if taken_off else prefix
    assert client.get(f"{before}/healthz").status_code == 200
    page = client.get(f"{before}{PAGE}/known", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert client.get(f"{before}{PAGE}/nope").json() == {"reason": "no such update"}
    assert ping(client, f"{before}{PAGE}") == 200
    assert ping(client, f"{before}{PAGE}/") == 200, "GitHub's form takes a slash"
    assert ping(client, f"{before}{PAGE}//") == 404
    assert client.get(f"{before}/nope").status_code == 404


def test_the_specification_says_where_it_is(door: tuple[str, TestClient]) -> None:
    prefix, client = door
    for path in (f"{prefix}/swagger.json", "/swagger.json"):
        found = client.get(path)
        assert json.loads(found.text)["basePath"] == prefix


@pytest.mark.parametrize("name", ["X-Forwarded-Prefix", "X-Script-Name", "X-Forwarded-Path"])
def test_nobody_else_names_a_prefix(door: tuple[str, TestClient], name: str) -> None:
    _, client = door
    for path in ("/swagger.json", f"{PAGE}/known", "/healthz"):
        reply = client.get(path, headers={name: "/evil", "Accept": "text/html"})
        assert "evil" not in reply.text + str(reply.headers)
    assert client.get("/evil/healthz", headers={name: "/evil"}).status_code == 404


@pytest.mark.parametrize(
    ("public", "prefix"),
    [
        (None, ""),
        ("https://ci.example.com", ""),
        ("https://ci.example.com/", ""),
        ("https://ci.example.com/gm", "/gm"),
        ("https://ci.example.com/gm/", "/gm"),
    ],
)
def test_the_public_address_says_the_prefix(
    public: str | None, prefix: str, tmp_path: Path
) -> None:
    given = HttpUrl(public) if public else None
    assert configured(tmp_path).model_copy(update={"public_url": given}).prefix == prefix
