"""What is for operators alone: who reaches it, what it tells, and that the door does not."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa
from starlette.testclient import TestClient

from gm_analytics import handlers
from gm_analytics.engine import progress
from gm_analytics.engine.database import connect
from gm_analytics.errors import ConfigError, NotListening
from gm_analytics.places import Listen
from gm_analytics.service import Service
from gm_analytics.settings import Settings
from gm_analytics.updates.progress import OutputLine, PackagesDone, StepStarted
from gm_analytics.web import operator, small_bodies
from gm_analytics.web.app import create_app
from gm_analytics.web.protection import PROTECTION
from lab.processes import reserve_port
from tests.integration.engine import Work, await_ends, update, working

from .doors import PAGE, configured, using

HERE = "http://127.0.0.1:8081"
PRIVATE = "cannot open /var/lib/gm_analytics/secret of mirror-7.inside"


class Failing(Work):
    """Fails with words that are nobody's but the operator's."""

    def __call__(self, *_: object) -> None:  # type: ignore[override]
        raise OSError(PRIVATE)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with using(tmp_path_factory.mktemp("operators")) as using_it:
        url = using_it.settings.database_url
        store = using_it.store
        with working(url, Failing()):
            store.enqueue(update("failed"))
            await_ends(store, "failed")
        store.enqueue(update("waiting", at=1))
        engine = connect(url)
        progress.Kept(engine, "waiting").hear(
            [StepStarted("download", 5.0), OutputLine("(1/3): tree.rpm"), PackagesDone(1, 3)]
        )
        engine.dispose()
        yield using_it


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(operator.create_app(service, works_here=False), base_url=HERE) as client:
        client.follow_redirects = False
        yield client


@pytest.fixture(scope="module")
def door(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(handlers.webhook_secret), base_url=HERE) as client:
        yield client


# --- what it tells --------------------------------------------------------------------------


def test_updates_are_listed_the_newest_first_and_no_more_than_asked_for(
    client: TestClient,
) -> None:
    found = client.get("/updates").json()["updates"]
    assert [one["update_id"] for one in found] == ["waiting", "failed"]
    assert [one["state"] for one in found] == ["waiting", "failed"]
    assert len(client.get("/updates?limit=1").json()["updates"]) == 1
    assert client.get("/updates?limit=500").status_code == 200
    for wrong in ("0", "501", "x", "-1"):
        assert client.get(f"/updates?limit={wrong}").status_code == 400


def test_operators_read_what_the_door_keeps_to_itself(
    client: TestClient, door: TestClient
) -> None:
    told = client.get("/updates/failed")
    assert PRIVATE in told.text
    (one,) = told.json()["mirrors"]
    assert PRIVATE in one["error"]["message"]
    outside = door.get(f"{PAGE}/failed")
    assert outside.status_code == 200
    assert "secret" not in outside.text
    assert "mirror-7" not in outside.text


def test_operators_read_what_runs_now_and_strangers_do_not(
    client: TestClient, door: TestClient
) -> None:
    (one,) = client.get("/updates/waiting").json()["mirrors"]
    assert one["progress"] == {
        "step": "download",
        "since": 5.0,
        "done": 1,
        "total": 3,
        "came": 0,
        "size": 0,
        "lines": ["(1/3): tree.rpm"],
        "said": 1,
    }
    assert "tree.rpm" not in door.get(f"{PAGE}/waiting").text


def test_there_may_be_no_such_update(client: TestClient) -> None:
    assert client.get("/updates/unknown").status_code == 404
    assert client.get("/updates/..%2f..%2fetc").status_code == 404


def test_health_has_details(client: TestClient, service: Service) -> None:
    found = client.get("/healthz").json()
    assert found["status"] == "ok"
    assert (found["waiting"], found["running"], found["worker_here"]) == (1, 0, False)
    assert found["store"] == service.settings.database_url
    assert found["worker_heard_at"] > 1_000_000_000


def test_a_store_that_does_not_answer_is_told_in_its_own_words(tmp_path: Path) -> None:
    broken = Service(configured(tmp_path))
    with connect(broken.settings.database_url).connect() as connection:
        assert broken.store.check()
        for table in ("gm_updates", "gm_progress"):
            connection.execute(sa.text(f"DROP TABLE {table}"))
        connection.commit()
    with TestClient(operator.create_app(broken, works_here=True), base_url=HERE) as client:
        for path in ("/healthz", "/updates", "/updates/one"):
            reply = client.get(path)
            assert reply.status_code == 503
            assert "no such table" in reply.json()["reason"]
        assert client.get("/healthz").json()["status"] == "unavailable"
    broken.store.close()


# --- who reaches it -------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/updates", "/updates/failed", "/ui/", "/"])
def test_the_door_leads_to_nothing_of_it(door: TestClient, path: str) -> None:
    assert door.get(path).status_code == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8081", 200),
        ("localhost", 200),
        ("LOCALHOST:9", 200),
        ("[::1]:8081", 200),
        ("evil.example:8081", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.0.0.1@evil.example", 403),
        ("10.0.0.1:8081", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_a_name_that_was_made_to_lead_here_is_refused(
    client: TestClient, host: str, status: int
) -> None:
    """DNS rebinding: the browser of an operator asks for a stranger's page, under its name."""
    assert client.get("/updates", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_there_are_no_other_ways_to_change_something(client: TestClient, method: str) -> None:
    reply = client.request(method, "/updates", content=b"x")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD, POST")


def test_a_form_is_one_of_a_page_here_and_small(client: TestClient) -> None:
    ours = {"Sec-Fetch-Site": "same-origin"}
    path, form = "/updates/failed/cancel", {"x": "x" * (small_bodies.MOST - 2)}
    assert client.post(path, data=form).status_code == 403
    assert client.post(path, data=form, headers=ours).status_code == 303
    assert (
        client.post(path, data={"x": "x" * (small_bodies.MOST - 1)}, headers=ours).status_code
        == 400
    )
    assert client.post(path, json=form, headers=ours).status_code == 400
    by_origin = {"Origin": HERE}
    assert client.post("/updates/unknown/cancel", data=form, headers=by_origin).status_code == 404
    both = {**by_origin, "Sec-Fetch-Site": "cross-site"}
    assert client.post(path, data=form, headers=both).status_code == 403
    assert client.post("/updates", data=form, headers=ours).status_code == 405


@pytest.mark.parametrize(
    "path",
    ["/", "/updates", "/updates/failed", "/updates/no", "/updates/", "/healthz", "/ui/", "/ui",
     "/ui/swagger-ui-bundle.js", "/swagger.json", "/nothing", "/mirrors/inside", "/mirrors/no",
     "/mirrors/inside/publications/1", "/mirrors/inside/rollback?to=1", "/packages?name=tree",
     "/static/base.html"],
)  # fmt: skip
def test_every_answer_is_protected(client: TestClient, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code < 500
    same = {name for name in PROTECTION if name != "content-security-policy"}
    assert {name: reply.headers[name] for name in same} == {n: PROTECTION[n] for n in same}
    (policy,) = reply.headers.get_list("content-security-policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    is_page = reply.headers.get("content-type", "").startswith("text/html")
    assert ("script-src" in policy) == is_page


def test_the_page_of_swagger_ui_may_run_its_own_script_and_no_other(client: TestClient) -> None:
    page = client.get("/ui/")
    assert page.headers["content-security-policy"] == operator.page_policy(page.content)
    more = page.content.replace(b"</body>", b"<script>alert(1)</script></body>")
    assert operator.page_policy(more) != operator.page_policy(page.content)


# --- where it listens -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("127.0.0.1:1", Listen("127.0.0.1", 1)),
        ("127.0.0.2:65535", Listen("127.0.0.2", 65535)),
        ("localhost:8081", Listen("127.0.0.1", 8081)),
        ("[::1]:8081", Listen("::1", 8081)),
        ("off", None),
        (False, None),
    ],
)
def test_loopback_may_be_listened_on(tmp_path: Path, given: object, found: Listen | None) -> None:
    config = configured(tmp_path).model_dump(
        mode="json", exclude={"operator_listen", "metrics_listen"}
    )
    config["webhook"]["secret"] = "s" * 16
    assert Settings.model_validate(config | {"operator_listen": given}).operator_listen == found


@pytest.mark.parametrize(
    "given",
    ["0.0.0.0:8081", "[::]:8081", "10.0.0.1:8081", "mirror.example:8081", ":8081", "8081",
     "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:", "::1:8081", "", 8081, True,
     "localhost.evil.example:1", "[::ffff:10.0.0.1]:1"],
)  # fmt: skip
def test_nothing_wider_is_listened_on(service: Service, tmp_path: Path, given: object) -> None:
    config = configured(tmp_path).model_dump(
        mode="json", exclude={"operator_listen", "metrics_listen"}
    )
    config["webhook"]["secret"] = "s" * 16
    with pytest.raises(ValueError, match="operator_listen") as caught:
        Settings.model_validate(config | {"operator_listen": given})
    assert "expected" in str(caught.value)
    with (
        pytest.raises(ConfigError, match="expected"),
        operator.serving(service, str(given), 8080, works_here=False),
    ):
        pytest.fail("it listens")


def test_it_is_served_beside_the_door_with_the_doors_limits(service: Service) -> None:
    where = f"127.0.0.1:{reserve_port()}"
    with operator.serving(service, where, 8080, works_here=True) as listen:
        assert str(listen) == where
        reply = requests.get(f"http://{where}/healthz", timeout=10)
        assert (reply.status_code, reply.json()["worker_here"]) == (200, True)
        assert "server" not in reply.headers
        host, _, port = where.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as long:
            long.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 64 * 1024)
            assert long.recv(100).startswith(b"HTTP/1.1 400")
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{where}/healthz", timeout=10)


def test_off_is_nowhere(service: Service) -> None:
    with operator.serving(service, "off", 8080, works_here=False) as listen:
        assert listen is None


@pytest.mark.parametrize("as_door", [True, False])
def test_an_address_that_is_taken_is_an_error_if_it_was_chosen(
    service: Service, tmp_path: Path, as_door: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken, door = f"127.0.0.1:{port}", port if as_door else 8080
        with (
            pytest.raises(
                (ConfigError, NotListening), match="choose another operator_listen, or off"
            ),
            operator.serving(service, taken, door, works_here=False),
        ):
            pytest.fail("it listens")
        by_default = configured(tmp_path).model_copy(
            update={"operator_listen": Listen("127.0.0.1", port)}
        )
        by_default.model_fields_set.discard("operator_listen")
        with (
            caplog.at_level(logging.WARNING),
            operator.serving(Service(by_default), None, door, works_here=False) as listen,
        ):
            assert listen is None
    assert "operators are not answered" in caplog.text
