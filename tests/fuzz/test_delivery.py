"""Deliveries that nobody would send: each gets an answer of the contract, none a 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gm_analytics import handlers
from gm_analytics.errors import DeliveryError
from gm_analytics.github.webhook import read
from gm_analytics.pull_requests.rules import Rules
from gm_analytics.web.app import create_app
from tests.security.doors import PAGE, SECRET, payload, signature, using

FORM = "application/x-www-form-urlencoded"
RULES = [
    Rules(frozenset({"team/packages"}), publish="on_merge"),
    Rules(frozenset({"team/packages"})),
]
EVENTS = ["pull_request", "ping", "push", "", "a" * 65, "é", "pull_request, ping"]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**30, max_value=10**60)
    | st.floats()
    | st.text(st.characters(), max_size=40)  # lone surrogates too
    | st.sampled_from(["", "a" * 300, "x/y", "0" * 40, "<svg onload=x>", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = [
    ("action",),
    ("number",),
    ("repository",),
    ("repository", "full_name"),
    ("repository", "default_branch"),
    ("repository", "id"),
    ("changes",),
    ("pull_request",),
    *(
        ("pull_request", *path)
        for path in [
            ("head",),
            ("head", "sha"),
            ("head", "repo"),
            ("head", "repo", "full_name"),
            ("base",),
            ("base", "ref"),
            ("base", "repo"),
            ("base", "repo", "full_name"),
            ("user",),
            ("user", "login"),
            ("author_association",),
            ("draft",),
            ("merged",),
            ("merge_commit_sha",),
            ("merged_at",),
            ("updated_at",),
        ]
    ),
]


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, Any]:
    """A pull request's payload in which some fields are anything, or missing."""
    data = payload()
    data["action"] = draw(st.sampled_from(["opened", "closed", "edited", "synchronize"]))
    data["pull_request"]["merged"] = draw(st.booleans())
    for path in draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=4)):
        place: Any = data
        for key in path[:-1]:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict):
            if draw(st.integers(0, 5)):
                place[path[-1]] = draw(values)
            else:
                place.pop(path[-1], None)
    return data


bodies = st.one_of(
    st.binary(max_size=200),
    values.map(lambda value: json.dumps(value).encode()),
    payloads().map(lambda data: json.dumps(data).encode()),
    payloads().map(lambda data: urlencode({"payload": json.dumps(data)}).encode()),
    st.text(alphabet='[]{}",:0', max_size=60).map(str.encode),
)


def answered(headers: dict[str, str], body: bytes) -> None:
    """Parsing gives a value or an error of the contract, whose words can be sent."""
    refused: DeliveryError | None = None
    reasons: list[str] = []
    try:
        delivery = read(headers, body)
        found = [rules.decide(delivery.event) for rules in RULES if delivery.event]
        reasons = [reason for reason in found if isinstance(reason, str)]
    except DeliveryError as error:
        refused = error
    " ".join(reasons).encode()  # can be logged and sent
    if refused:
        assert refused.status in {400, 415}
        refused.public.encode()
        assert len(refused.public) < 1000


@given(
    body=bodies, kind=st.sampled_from(["application/json", FORM]), event=st.sampled_from(EVENTS)
)
def test_every_body_has_an_answer(body: bytes, kind: str, event: str) -> None:
    answered({"content-type": kind, "x-github-event": event, "x-github-delivery": "d"}, body)


@given(data=payloads())
def test_every_pull_request_has_an_answer(data: dict[str, Any]) -> None:
    headers = {"content-type": "application/json", "x-github-event": "pull_request"}
    answered(headers | {"x-github-delivery": "d"}, json.dumps(data).encode())


@given(
    st.dictionaries(
        st.sampled_from(["content-type", "x-github-event", "x-github-delivery"]),
        st.text(max_size=200),
    )
)
def test_every_header_has_an_answer(headers: dict[str, str]) -> None:
    answered(headers, b"{}")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with (
        using(tmp_path_factory.mktemp("fuzz")),
        TestClient(create_app(handlers.webhook_secret)) as client,
    ):
        yield client


BOMBS = {
    "deep array": b"[" * 200_000,
    "deep object": b'{"a":' * 100_000,
    "deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "digits": b'{"number":' + b"9" * 10_000 + b"}",
    "many digits": b'{"number":' + b"9" * 1_000_000 + b"}",
    "exponent": b'{"number":1e999999999}',
    "NaN": b'{"number":NaN}',
    "Infinity": b'{"number":-Infinity}',
    "twice": b'{"action":"opened","action":"closed"}',
    "deep twice": b'{"a":{"b":1,"b":2}}',
    "not UTF-8": b'{"a":"\xff"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "BOM": b"\xef\xbb\xbf{}",
    "a zero": b"\x00",
    "nothing": b"",
    "an array": b"[]",
    "a string": b'"payload"',
    "two": b"{}{}",
}
FORMS = {
    "no payload": b"a=b",
    "two payloads": b"payload=%7B%7D&payload=%7B%7D",
    "many fields": b"&".join(b"a%d=b" % n for n in range(100)),
    "not UTF-8": b"payload=%FF",
    "not ASCII": b"payload=\xff",
    "a surrogate": b"payload=%ED%A0%80",
    "not a form": b"{}",
}


def post(client: TestClient, body: bytes, **more: str) -> tuple[int, str]:
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": "d",
        "X-Hub-Signature-256": signature(SECRET, body),
    } | {name.replace("_", "-"): value for name, value in more.items()}
    reply = client.post(PAGE, content=body, headers=headers)
    return reply.status_code, reply.json()["reason"]


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_a_bad_delivery(client: TestClient, name: str) -> None:
    status, reason = post(client, BOMBS[name])
    assert status == 400
    assert len(reason) < 400


@pytest.mark.parametrize("name", FORMS)
def test_a_bad_form_is_a_bad_delivery(client: TestClient, name: str) -> None:
    status, reason = post(client, FORMS[name], Content_Type=FORM)
    assert (status, reason) == (400, "payload: found no such form field")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("number",), 0),
        (("number",), 2**31),
        (("pull_request", "base", "ref"), "\ud800"),
        (("pull_request", "base", "ref"), "a" * 256),
        (("pull_request", "user", "login"), "a" * 101),
        (("pull_request", "user", "login"), "a\nb"),
        (("pull_request", "updated_at"), "\ud800"),
        (("pull_request", "updated_at"), ["x"]),
        (("pull_request", "merged_at"), {"a": 1}),
        (("pull_request", "author_association"), 7),
        (("repository", "full_name"), "a" * 101 + "/b"),
        (("action",), "a" * 65),
    ],
)
def test_a_field_has_a_grammar(client: TestClient, path: tuple[str, ...], value: object) -> None:
    data = payload()
    place: Any = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    status, reason = post(client, json.dumps(data).encode())
    assert status == 400
    assert ".".join(path) in reason


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("X-Hub-Signature-256", ["good", "good"], 401),
        ("X-Hub-Signature-256", [""], 401),
        ("X-Hub-Signature-256", ["é"], 401),
        ("X-GitHub-Event", ["ping", "pull_request"], 400),
        ("X-GitHub-Event", [""], 400),
        ("X-GitHub-Event", ["é"], 400),
        ("X-GitHub-Delivery", ["a", "b"], 400),
        ("X-GitHub-Delivery", ["a b"], 400),
        ("X-GitHub-Delivery", ["a" * 101], 400),
        ("Content-Type", ["application/json", FORM], 415),
        ("Content-Type", [""], 415),
        ("Content-Type", ["é"], 415),
    ],
)
def test_a_header_is_there_once_and_has_a_grammar(
    client: TestClient, name: str, given: list[str], expected: int
) -> None:
    body = json.dumps(payload()).encode()
    good = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": "d",
        "X-Hub-Signature-256": signature(SECRET, body),
    }
    value_of = {"good": good["X-Hub-Signature-256"]}
    pairs = [(other, text) for other, text in good.items() if other != name]
    pairs += [(name, value_of.get(text, text)) for text in given]
    sent = [(key.encode(), text.encode("latin-1")) for key, text in pairs]
    reply = client.post(PAGE, content=body, headers=sent)
    assert reply.status_code == expected
    assert reply.json()["command_return"] == "refused"


PUSHED = [("ref",), ("after",), ("deleted",), ("forced",), ("created",), ("repository",),
          ("repository", "id"), ("repository", "full_name"), ("repository", "pushed_at"),
          ("repository", "default_branch")]  # fmt: skip


@st.composite
def pushes(draw: st.DrawFn) -> dict[str, Any]:
    """A push's payload in which some fields are anything, or missing."""
    repository = payload()["repository"] | {"pushed_at": 1_764_000_000}
    data: dict[str, Any] = {"ref": "refs/heads/main", "after": "a" * 40, "repository": repository}
    for path in draw(st.lists(st.sampled_from(PUSHED), min_size=1, max_size=4)):
        place: Any = data
        for key in path[:-1]:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[path[-1]] = draw(values)
    return data


@given(data=pushes())
def test_every_push_has_an_answer(data: dict[str, Any]) -> None:
    headers = {"content-type": "application/json", "x-github-event": "push"}
    answered(headers | {"x-github-delivery": "d"}, json.dumps(data).encode())


def test_a_delivery_id_with_other_bytes_is_refused(client: TestClient) -> None:
    bodies = [json.dumps(payload() | {"number": number}).encode() for number in (71, 72)]
    statuses = []
    for body in bodies:
        sent = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "pull_request",
            "X-GitHub-Delivery": "reused",
            "X-Hub-Signature-256": signature(SECRET, body),
        }
        statuses.append(client.post(PAGE, content=body, headers=sent).status_code)
    assert statuses == [202, 409]
