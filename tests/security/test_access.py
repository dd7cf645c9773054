"""Who may look at what is for operators, who may ask for changes, and who is a stranger."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from gm_analytics import handlers
from gm_analytics.contract import DOOR, OPERATOR, specification
from gm_analytics.errors import ConfigError
from gm_analytics.operator_access import Operators
from gm_analytics.places import Listen
from gm_analytics.service import Service
from gm_analytics.settings import Settings, load
from gm_analytics.web import access, operator, small_bodies
from gm_analytics.web.access import Access, Caller, Unknown
from gm_analytics.web.app import create_app
from tests.integration.engine import update

from .doors import PAGE, configured, using

HERE = "http://127.0.0.1:8081"
WIDE = Listen("0.0.0.0", 8081)  # noqa: S104  # nothing listens
READER, WRITER, PASSWORD = "r" * 20, "w" * 20, "a long password"
OPERATORS = Operators.model_validate(
    {
        "tokens": [
            {"name": "dashboard", "token": READER},
            {"name": "robot", "token": WRITER, "scope": "write"},
        ],
        "users": [{"name": "ana", "password": "a long password!", "scope": "write"}],
        "proxy": {"header": "X-User", "addresses": ["10.0.0.0/24"], "scope": "write"},
    }
)
CANCEL = {"wanted": "cancel", "update_id": "one"}
BEARER = {"Authorization": f"Bearer {WRITER}"}


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with using(tmp_path_factory.mktemp("access")) as using_it:
        using_it.store.enqueue(update("one"))
        yield using_it


def clients(
    service: Service, peer: str, operators: Operators = OPERATORS, listen: Listen = WIDE
) -> TestClient:
    config = service.settings.model_copy(update={"operators": operators})
    there = Service(config)
    there.__dict__["store"] = service.store
    app = operator.create_app(there, works_here=False, listen=listen)
    host = "http://gm.example:8081" if peer != "127.0.0.1" else HERE
    client = TestClient(app, base_url=host, client=(peer, 50000))
    client.follow_redirects = False
    return client


@pytest.fixture(scope="module")
def elsewhere(service: Service) -> Iterator[TestClient]:
    with clients(service, "192.0.2.9") as client:
        yield client


@pytest.fixture(scope="module")
def here(service: Service) -> Iterator[TestClient]:
    with clients(service, "127.0.0.1", Operators(), Listen("127.0.0.1", 8081)) as client:
        yield client


# --- every route of both specifications -------------------------------------------------------


def routes(name: str) -> list[tuple[str, str]]:
    """Give all methods and paths of a specification, with something in place of parameters."""
    found = yaml.safe_load(specification(name).read_text())
    base = found.get("basePath", "").rstrip("/")
    given = {"update_id": "one", "mirror": "inside", "number": "1", "name": "tree"}
    return [
        (method.upper(), base + path.format_map(_Given(given)))
        for path, methods in found["paths"].items()
        for method in methods
        if method in {"get", "post", "put", "delete", "patch"}
    ]


class _Given(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "x"


def test_the_specifications_are_walked_and_have_routes() -> None:
    assert ("POST", PAGE) in routes(DOOR)
    assert {("GET", "/api/overview"), ("POST", "/api/requests")} <= set(routes(OPERATOR))
    assert {path for _, path in routes(DOOR)} & {path for _, path in routes(OPERATOR)} == {
        "/healthz"
    }


@pytest.mark.parametrize(("method", "path"), [*routes(OPERATOR), ("GET", "/ui/"), ("GET", "/")])
def test_the_open_door_leads_to_nothing_that_is_for_operators(
    service: Service, method: str, path: str
) -> None:
    assert handlers.service() is service
    with TestClient(create_app(handlers.webhook_secret), base_url=HERE) as door:
        if path == "/healthz":
            assert set(door.get(path).json()) <= {"status", "version", "worker", "reason"}
        else:
            assert door.request(method, path, headers=BEARER).status_code == 404


def test_the_open_door_has_the_webhook_health_and_a_page_an_update() -> None:
    assert routes(DOOR) == [("POST", PAGE), ("GET", f"{PAGE}/one"), ("GET", "/healthz")]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *routes(OPERATOR), ("GET", "/ui/"), ("GET", "/"), ("GET", "/swagger.json"),
        ("GET", "/nothing"), ("PUT", "/updates"), ("GET", "/ui/swagger-ui-bundle.js"),
    ],
)  # fmt: skip
def test_from_another_address_nothing_is_answered_without_credentials(
    elsewhere: TestClient, method: str, path: str
) -> None:
    reply = elsewhere.request(method, path)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Basic ")
    assert reply.json() == {"reason": "say who you are: docs/security.md"}


def test_every_route_is_answered_to_who_may_read(elsewhere: TestClient) -> None:
    elsewhere.headers["Authorization"] = f"Bearer {READER}"
    try:
        for method, path in [*routes(OPERATOR), ("GET", "/ui/")]:
            reply = elsewhere.request(method, path)
            expected = {"GET": {200, 303, 307, 400, 404}, "POST": {403}}[method]
            if "events" not in path:  # which do not end
                assert reply.status_code in expected, (method, path, reply.text)
    finally:
        del elsewhere.headers["Authorization"]


# --- who somebody is --------------------------------------------------------------------------


def headers(**more: str) -> list[tuple[bytes, bytes]]:
    named = {"host": "gm.example", **{key.replace("_", "-"): value for key, value in more.items()}}
    return [(key.encode(), value.encode("latin-1")) for key, value in named.items()]


@pytest.mark.parametrize(
    ("peer", "sent", "expected"),
    [
        ("192.0.2.9", {"authorization": f"Bearer {READER}"}, Caller("dashboard", "read", True)),
        ("192.0.2.9", {"authorization": f"bearer {WRITER}"}, Caller("robot", "write", True)),
        (
            "192.0.2.9",
            {"authorization": basic("ana", "a long password!")},
            Caller("ana", "write"),
        ),
        ("10.0.0.7", {"x_user": "carla"}, Caller("carla", "write")),
        ("::ffff:10.0.0.7", {"x_user": "carla"}, Caller("carla", "write")),
        ("127.0.0.1", {"host": "localhost:8081"}, Caller(access.LOCAL, "write")),
        ("::1", {"host": "[::1]"}, Caller(access.LOCAL, "write")),
    ],
)
def test_somebody_is_known_by_what_is_configured(
    peer: str, sent: dict[str, str], expected: Caller
) -> None:
    assert Access(OPERATORS, WIDE).caller(peer, headers(**sent)) == expected


@pytest.mark.parametrize(
    ("peer", "sent"),
    [
        ("192.0.2.9", {}),
        ("192.0.2.9", {"host": "127.0.0.1"}),
        ("192.0.2.9", {"x_user": "carla"}),
        ("10.0.1.7", {"x_user": "carla"}),
        ("10.0.0.7", {}),
        ("10.0.0.7", {"x_user": ""}),
        ("10.0.0.7", {"x_user": "a\nb"}),
        ("10.0.0.7", {"x_user": "x" * 101}),
        ("192.0.2.9", {"authorization": "Bearer "}),
        ("192.0.2.9", {"authorization": f"Bearer {READER}x"}),
        ("192.0.2.9", {"authorization": basic("ana", WRITER)}),
        ("192.0.2.9", {"authorization": basic("robot", WRITER)}),
        ("192.0.2.9", {"authorization": basic("", "")}),
        ("192.0.2.9", {"authorization": "Basic %%%"}),
        ("192.0.2.9", {"authorization": f"Token {WRITER}"}),
        ("127.0.0.1", {"host": "localhost", "authorization": "Bearer nonsense"}),
        ("127.0.0.1", {"host": "evil.example"}),
        ("127.0.0.1", {"host": "localhost", "x_forwarded_for": "192.0.2.9"}),
        ("127.0.0.1", {"host": "localhost", "via": "1.1 proxy"}),
    ],
)
def test_a_stranger_is_known_by_nothing(peer: str, sent: dict[str, str]) -> None:
    with pytest.raises(Unknown):
        Access(OPERATORS, WIDE).caller(peer, headers(**sent))


def test_two_names_are_none() -> None:
    twice = [*headers(x_user="ana"), (b"x-user", b"root")]
    with pytest.raises(Unknown):
        Access(OPERATORS, WIDE).caller("10.0.0.7", twice)
    again = [*headers(authorization=f"Bearer {READER}"), (b"authorization", b"Bearer x")]
    with pytest.raises(Unknown):
        Access(OPERATORS, WIDE).caller("192.0.2.9", again)


def test_whoever_is_here_may_do_as_is_configured(service: Service) -> None:
    for local, statuses in {"write": (200, 202), "read": (200, 403), "none": (401, 401)}.items():
        operators = OPERATORS.model_copy(update={"local": local})
        with clients(service, "127.0.0.1", operators) as client:
            asked = client.post("/api/requests", json=CANCEL, headers={"X-GM-Request": "1"})
            assert (client.get("/api/mirrors").status_code, asked.status_code) == statuses


# --- changes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"Authorization": f"Bearer {WRITER}"}, 202),
        ({"Authorization": f"Bearer {READER}"}, 403),
        ({"Authorization": f"Bearer {READER}", "X-GM-Request": "1"}, 403),
        ({"Authorization": basic("ana", "a long password!"), "X-GM-Request": "1"}, 202),
        ({"Authorization": basic("ana", "a long password!")}, 403),
    ],
)
def test_a_change_needs_the_scope_and_a_word_that_no_form_has(
    elsewhere: TestClient, sent: dict[str, str], status: int
) -> None:
    reply = elsewhere.post("/api/requests", json=CANCEL, headers=sent)
    assert reply.status_code == status, reply.text
    if status == 202:
        assert reply.json()["asked_by"] in {"robot", "ana", access.LOCAL}


OTHER_SITES = (
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://other.example:8081"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9999"},
)


@pytest.mark.parametrize("sent", OTHER_SITES)
@pytest.mark.parametrize(("method", "path"), [one for one in routes(OPERATOR) if one[0] == "POST"])
def test_what_another_site_sends_does_nothing(
    here: TestClient, service: Service, method: str, path: str, sent: dict[str, str]
) -> None:
    """A form, or a script, with whatever type and header a browser may send for it."""
    before = len(service.store.views.wishes(1000))
    forms = (
        {"data": {"wanted": "cancel", "update_id": "one"}},
        {"json": CANCEL},
        {"json": CANCEL, "headers": {"X-GM-Request": "1"}},
        {"content": b'{"wanted": "cancel"}', "headers": {"Content-Type": "text/plain"}},
    )
    for form in forms:
        given: dict[str, Any] = {**form, "headers": {**form.get("headers", {}), **sent}}  # type: ignore[dict-item]
        assert here.request(method, path, **given).status_code == 403
    assert len(service.store.views.wishes(1000)) == before


def test_this_listeners_own_page_may_ask(here: TestClient) -> None:
    own = {"Sec-Fetch-Site": "same-origin", "Origin": HERE, "X-GM-Request": "1"}
    assert here.post("/api/requests", json=CANCEL, headers=own).status_code == 202
    assert here.post("/api/requests", json=CANCEL, headers={"Origin": HERE}).status_code == 403


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"wanted": "publish"}', "application/json", 400),
        (b'{"wanted": "retry", "update_id": "none"}', "application/json", 404),
        (b'{"wanted": "retry", "update_id": "one", "mirror": "x"}', "application/json", 404),
        (b'{"wanted": "rollback", "mirror": "inside"}', "application/json", 400),
        (
            b'{"wanted": "rollback", "mirror": "no", "publication": 1, "expected": 2}',
            "application/json",
            404,
        ),
        (b'{"wanted": "cancel", "update_id": "one", "asked_by": "x"}', "application/json", 400),
        (b"wanted=retry", "application/x-www-form-urlencoded", 415),
        (b" " * (small_bodies.MOST + 1), "application/json", 413),
    ],
)
def test_what_is_no_request_is_refused(
    elsewhere: TestClient, body: bytes, kind: str, status: int
) -> None:
    sent = {**BEARER, "Content-Type": kind}
    reply = elsewhere.post("/api/requests", content=body, headers=sent)
    assert reply.status_code == status, reply.text


def test_a_body_of_the_largest_size_is_taken(elsewhere: TestClient) -> None:
    body = b'{"wanted": "cancel", "update_id": "one"}'.ljust(small_bodies.MOST)
    sent = {**BEARER, "Content-Type": "application/json"}
    assert elsewhere.post("/api/requests", content=body, headers=sent).status_code == 202


# --- configuration ----------------------------------------------------------------------------


def with_operators(directory: Path, operators: dict[str, Any], listen: str) -> Settings:
    config = configured(directory).model_dump(mode="json", exclude={"operators", "metrics_listen"})
    config["webhook"]["secret"] = "s" * 16
    return Settings.model_validate(config | {"operator_listen": listen, "operators": operators})


@pytest.mark.parametrize(
    "operators",
    [
        {"tokens": [{"name": "a", "token": READER}]},
        {"users": [{"name": "a", "password": "p" * 16}]},
        {"proxy": {"header": "X-User", "addresses": ["10.0.0.1"]}},
    ],
)
def test_a_wider_listener_needs_one_way_to_tell_operators(
    tmp_path: Path, operators: dict[str, Any]
) -> None:
    assert with_operators(tmp_path, operators, "0.0.0.0:8081").operator_listen == WIDE
    with pytest.raises(ValueError, match="a token, a user or a proxy"):
        with_operators(tmp_path, {}, "0.0.0.0:8081")


@pytest.mark.parametrize(
    "operators",
    [
        {"tokens": [{"name": "a"}]},
        {"tokens": [{"name": "a", "token": "short"}]},
        {"tokens": [{"name": "a", "token": READER, "token_file": "/x"}]},
        {"tokens": [{"name": "a", "token": READER}] * 2},
        {"users": [{"name": "a", "password": "short"}]},
        {"users": [{"name": "a:b c", "password": "p" * 16}]},
        {"proxy": {"header": "X User", "addresses": ["10.0.0.1"]}},
        {"proxy": {"header": "X-User", "addresses": []}},
        {"proxy": {"header": "X-User", "addresses": ["anywhere"]}},
        {"local": "yes"},
    ],
)
def test_what_tells_nobody_is_refused_at_start(tmp_path: Path, operators: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="operators") as caught:
        with_operators(tmp_path, operators, "127.0.0.1:8081")
    assert READER not in str(caught.value)


def test_secrets_are_in_files_and_in_no_words(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{WRITER}\n")
    secret.chmod(0o600)
    config = configured(tmp_path).model_dump(
        mode="json", exclude={"operators", "operator_listen", "metrics_listen"}
    )
    config["webhook"]["secret"] = "s" * 16
    config["operators"] = {"tokens": [{"name": "robot", "token_file": str(secret)}]}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    found = load(path)
    assert found.operators.tokens[0].secret == WRITER
    assert WRITER not in repr(found) + found.model_dump_json()
    assert found.files is not None
    assert secret in found.files.secrets, "so that `check` and the start look at its mode"
    secret.unlink()
    with pytest.raises(ConfigError, match="token_file"):
        load(path)
