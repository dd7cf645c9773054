"""What is answered runs nowhere, is kept nowhere, and names nothing that the asker chose."""

from __future__ import annotations

from collections.abc import Iterator

import connexion
import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from gm_analytics import handlers
from gm_analytics.contract import specification
from gm_analytics.updates.model import Update
from gm_analytics.web.app import create_app
from gm_analytics.web.pages import STYLE
from tests.security.doors import PAGE, SECRET, connect, serving, signature, using

PROTECTION = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
JSON = {"application/json", "application/problem+json"}
SCRIPT = "<svg onload=document.title='ran'>"
REQUESTS = [
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/healthz/"),
    ("GET", "/swagger.json"),
    ("GET", "/ui"),
    ("GET", "/ui/"),
    ("GET", "/nope"),
    ("GET", PAGE),
    ("GET", f"{PAGE}/known"),
    ("GET", f"{PAGE}/unknown"),
    ("GET", f"{PAGE}/{SCRIPT}"),
    ("GET", f"//{SCRIPT}"),
    ("HEAD", "/healthz"),
    ("OPTIONS", "/healthz"),
    ("TRACE", "/healthz"),
    ("POST", PAGE),
    ("POST", f"{PAGE}/"),
    ("PUT", PAGE),
    ("DELETE", f"{PAGE}/known"),
]


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with using(tmp_path_factory.mktemp("answers")) as service:
        service.store.enqueue(Update("known", "inside", "team/packages", 1, "a" * 40))
        yield


def framework(name: str) -> ASGIApp:
    if name == "door":
        return create_app(handlers.webhook_secret)
    app: ASGIApp = getattr(connexion, name)("gm_analytics")
    app.add_api(specification())  # type: ignore[attr-defined]
    return app


@pytest.fixture(scope="module", params=["door", "AsyncApp", "FlaskApp"])
def client(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    with TestClient(framework(request.param), raise_server_exceptions=False) as client:
        client.follow_redirects = False
        yield client


@pytest.fixture(scope="module")
def door() -> Iterator[TestClient]:
    with TestClient(framework("door"), raise_server_exceptions=False) as client:
        client.follow_redirects = False
        yield client


@pytest.mark.parametrize(("method", "path"), REQUESTS)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_every_answer_is_protected(door: TestClient, method: str, path: str, accept: str) -> None:
    reply = door.request(method, path, headers={"Accept": accept, "Host": "evil.example"})
    assert {name: reply.headers[name] for name in PROTECTION} == PROTECTION
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "evil.example" not in reply.text + str(reply.headers)
    assert SCRIPT not in reply.text
    assert reply.status_code < 500
    if reply.content:
        page = path == f"{PAGE}/known" and accept == "text/html" and method == "GET"
        assert (reply.headers["content-type"].partition(";")[0] in JSON) != page


def test_what_is_not_http_is_answered_as_well_protected() -> None:
    with serving() as port, connect(port, b"<script>\r\n\r\n") as connection:
        reply = connection.recv(65536).lower()
    assert reply.startswith(b"http/1.1 400")
    assert b"x-content-type-options: nosniff" in reply
    assert b"frame-ancestors 'none'" in reply


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/healthz", "*/*", "application/json"),
        (f"{PAGE}/known", "*/*", "application/json"),
        (f"{PAGE}/known", "text/html", "text/html; charset=utf-8"),
        (f"{PAGE}/unknown", "text/html", "application/json"),
        (f"{PAGE}/{SCRIPT}", "text/html", "application/json"),
    ],
)
def test_an_answer_says_what_it_is(client: TestClient, path: str, accept: str, kind: str) -> None:
    """Under each of Connexion's frameworks, with our door and without."""
    reply = client.get(path, headers={"Accept": accept})
    assert reply.headers["content-type"] == kind
    assert {name: reply.headers[name] for name in PROTECTION} == PROTECTION
    assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
    if path.startswith(PAGE):
        assert reply.headers["vary"] == "Accept"


def test_a_delivery_is_answered_in_json(client: TestClient) -> None:
    for body, event, expected in [(b"{}", "ping", 200), (b"[]", "ping", 400), (b"", "ping", 400)]:
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": "d1",
            "X-Hub-Signature-256": signature(SECRET, body),
        }
        reply = client.post(PAGE, content=body, headers=headers)
        assert (reply.status_code, reply.headers["content-type"]) == (
            expected,
            "application/json",
        )


@pytest.mark.parametrize("name", ["door", "AsyncApp", "FlaskApp"])
def test_who_polls_takes_no_delivery_whatever_its_signature(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    polling = handlers.service().settings.model_copy(update={"intake": "poll"})
    monkeypatch.setattr(handlers.service(), "settings", polling)
    headers = {"X-GitHub-Event": "ping", "X-GitHub-Delivery": "d1"}
    headers |= {
        "X-Hub-Signature-256": signature(SECRET, b"{}"),
        "Content-Type": "application/json",
    }
    with TestClient(framework(name), raise_server_exceptions=False) as client:
        reply = client.post(PAGE, content=b"{}", headers=headers)
        assert (reply.status_code, reply.json()) == (
            403,
            {
                "command_return": "refused",
                "reason": "this service polls GitHub (intake: poll) and takes no deliveries",
            },
        )
        assert client.get("/healthz").status_code == 200
        without = client.post(PAGE, content=b"{}").status_code
        assert without == (403 if name == "door" else 401)


@pytest.mark.parametrize(
    "update_id",
    [
        SCRIPT,
        "a" * 201,
        ".",
        "..",
        "-a",
        "a b",
        "a%00",
        "%C3%A9",
        "a%0Ab",
        "_",
        "@x",
        "a;b",
        "a'b",
    ],
)
def test_what_is_no_id_is_no_update(client: TestClient, update_id: str) -> None:
    """It reaches neither the store nor the answer."""
    reply = client.get(f"{PAGE}/{update_id}")
    if update_id == "a%0Ab" and "FlaskApp" in repr(client.app):
        pytest.skip("Flask finds a route where Connexion found none, and fails")
    assert reply.status_code in {404, 405}
    assert update_id not in reply.text or len(update_id) < 4


@pytest.mark.parametrize(
    "path",
    [
        f"{PAGE}/known%0A",
        f"{PAGE}/%0A",
        f"{PAGE}/known%0D",
        f"{PAGE}/known%E2%80%A8",
        f"{PAGE}//known",
        f"/{PAGE}/known",
        "//ci_server//updates/known",
        f"{PAGE}%0A",
        "/healthz%0A",
        "//healthz",
        "/%0A",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_two_routers_read_differently_is_no_page(
    door: TestClient, method: str, path: str
) -> None:
    """Flask would find a route where Connexion found none, and fail."""
    reply = door.request(method, f"http://testserver{path}")
    assert (reply.status_code, reply.json()) == (404, {"reason": "no such page"})


def test_an_id_of_the_longest_length_is_looked_up(client: TestClient) -> None:
    assert client.get(f"{PAGE}/{'a' * 200}").json() == {"reason": "no such update"}


def test_the_pages_policy_lets_its_style_in_and_nothing_else(door: TestClient) -> None:
    reply = door.get(f"{PAGE}/known", headers={"Accept": "text/html"})
    assert f"<style>{STYLE}</style>" in reply.text
    assert "style-src 'sha256-" in reply.headers["content-security-policy"]
    assert "script" not in reply.text
