"""A delivery: bytes in, a decision out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from gm_analytics.errors import BadDelivery, BadSignature, UnsupportedMediaType
from gm_analytics.events import Delivery, PullRequestEvent, PushEvent, QueueEvent
from gm_analytics.github.payload import read_listed
from gm_analytics.github.webhook import FORM, JSON, read, sign, verify

# https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
SECRET, BODY = "It's a Secret to Everybody", b"Hello, World!"
DIGEST = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
SHA = "0123456789abcdef0123456789abcdef01234567"
HEADERS = {
    "content-type": JSON,
    "x-github-event": "pull_request",
    "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
}


def payload(**pull: Any) -> dict[str, Any]:
    """Give what GitHub sends for a pull request, with other fields of `pull_request`."""
    return {
        "action": "opened",
        "number": 7,
        "repository": {"full_name": "icesi/packages"},
        "pull_request": {
            "head": {"sha": SHA, "repo": {"full_name": "icesi/packages"}},
            "base": {"ref": "main", "repo": {"full_name": "icesi/packages"}},
            "user": {"login": "ana"},
            "author_association": "MEMBER",
            "draft": False,
            **pull,
        },
    }


PUSH: dict[str, Any] = {
    "ref": "refs/heads/main",
    "before": "0" * 40,
    "after": SHA,
    "created": False,
    "deleted": False,
    "forced": False,
    "head_commit": None,
    "pusher": None,
    "repository": {
        "id": 7,
        "full_name": "icesi/packages",
        "default_branch": "main",
        "pushed_at": 1_764_150_000,
    },
}
"""What GitHub sends for a push, as far as it is read."""

GROUP: dict[str, Any] = {
    "action": "checks_requested",
    "merge_group": {
        "head_sha": SHA,
        "head_ref": f"refs/heads/gh-readonly-queue/main/pr-7-{SHA}",
        "base_sha": SHA,
        "base_ref": "refs/heads/main",
        "head_commit": {"id": SHA, "timestamp": "2026-11-24T05:00:00-05:00"},
    },
    "repository": {"id": 7, "full_name": "icesi/packages", "default_branch": "main"},
}
"""What GitHub sends for a merge group, as far as it is read."""


def changed(path: str, value: Any) -> dict[str, Any]:
    """Give a payload with the field at a dotted path replaced, or removed if it is `...`."""
    data = payload()
    *parents, last = path.split(".")
    place = data
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return data


def parse(data: Any, **headers: str) -> Delivery:
    return read({**HEADERS, **headers}, json.dumps(data).encode())


# --- signature ----------------------------------------------------------------------------


def test_the_signature_is_that_of_github_s_documentation() -> None:
    assert sign(SECRET, BODY) == f"sha256={DIGEST}"
    verify(SECRET, BODY, f"sha256={DIGEST}")


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param(DIGEST, id="without sha256="),
        pytest.param(f"sha1={DIGEST}", id="another algorithm"),
        pytest.param(f"sha256={DIGEST.upper()}", id="upper-case hex"),
        pytest.param(f"SHA256={DIGEST}", id="upper-case prefix"),
        pytest.param(f"sha256={DIGEST[:-1]}", id="a digit short"),
        pytest.param(f"sha256={DIGEST}0", id="a digit long"),
        pytest.param(f"sha256={DIGEST[:-1]}8", id="one digit wrong"),
        pytest.param(f" sha256={DIGEST}", id="a blank before"),
        pytest.param("sha256=\xe9\u20ac", id="not ASCII"),
    ],
)
def test_any_other_signature_is_refused_without_saying_why(signature: str | None) -> None:
    with pytest.raises(BadSignature) as caught:
        verify(SECRET, BODY, signature)
    assert str(caught.value) == "signature missing or wrong"
    assert caught.value.status == 401


@pytest.mark.parametrize(("secret", "body"), [(SECRET + " ", BODY), (SECRET, BODY + b"\n")])
def test_the_signature_depends_on_every_byte_of_secret_and_body(secret: str, body: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(secret, body, f"sha256={DIGEST}")


# --- body and headers ---------------------------------------------------------------------


def test_a_json_delivery_gives_the_pull_request() -> None:
    assert parse(payload()) == Delivery(
        HEADERS["x-github-delivery"],
        "pull_request",
        PullRequestEvent(
            "opened", "opened", 7, "icesi/packages", SHA, "main", "ana", "MEMBER", False, False
        ),
        hashlib.sha256(json.dumps(payload()).encode()).hexdigest(),
    )


def test_a_form_delivery_means_the_same_as_json() -> None:
    form = urlencode({"payload": json.dumps(payload())}).encode()
    given = read({**HEADERS, "content-type": f"{FORM}; charset=utf-8"}, form)
    assert given == parse(payload())


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_parameters_and_case_of_the_content_type_do_not_matter(content_type: str) -> None:
    assert parse(payload(), **{"content-type": content_type}).event


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/jsonp", "json"])
def test_another_content_type_is_told_both_that_are_accepted(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        parse(payload(), **{"content-type": content_type})
    assert caught.value.status == 415
    assert JSON in str(caught.value)
    assert FORM in str(caught.value)


@pytest.mark.parametrize("content_type", [JSON, FORM])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[]", id="an array"),
        pytest.param(b"null", id="null"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="nested too deeply"),
        pytest.param(b'{"number": ' + b"1" * 5000 + b"}", id="a number of 5,000 digits"),
    ],
)
def test_a_body_that_is_no_json_object_is_a_bad_delivery(body: bytes, content_type: str) -> None:
    if content_type == FORM:
        body = urlencode({"payload": body}).encode()
    with pytest.raises(BadDelivery, match=r"^(body|payload): ") as caught:
        read({**HEADERS, "content-type": content_type}, body)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "body", [b"other=1", b"payload", b"\xff=\xff", b"&".join([b"a=1"] * 17), b"payload={}"[:7]]
)
def test_a_form_without_payload_is_told_so(body: bytes) -> None:
    with pytest.raises(BadDelivery, match=r"^payload: found no such form field"):
        read({**HEADERS, "content-type": FORM}, body)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("pull_request", ..., "pull_request: missing"),
        ("pull_request", None, "pull_request.base: missing"),
        ("action", ..., "action: missing"),
        ("action", None, "action: found null; expected a string"),
        ("number", ..., "number: missing"),
        ("number", "7", "number: found a string; expected a number"),
        ("number", True, "number: found a boolean; expected a number"),
        ("repository", ..., "repository: missing"),
        ("repository", [], "repository.full_name: missing"),
        ("repository.full_name", "packages", "repository.full_name: found 'packages'"),
        ("repository.full_name", "a/b/c", "repository.full_name: found 'a/b/c'"),
        ("repository.full_name", "a/b c", "repository.full_name: found 'a/b c'"),
        ("pull_request.base", ..., "pull_request.base: missing"),
        ("pull_request.base", "main", "pull_request.base: found a string; expected an object"),
        ("pull_request.base.ref", ..., "pull_request.base.ref: missing"),
        ("pull_request.base.repo", None, "pull_request.base.repo.full_name: missing"),
        ("pull_request.base.repo.full_name", "x/y", "pull_request.base.repo.full_name: found"),
        ("pull_request.head", ..., "pull_request.head: missing"),
        ("pull_request.head", None, "pull_request.head.sha: missing"),
        ("pull_request.head.sha", ..., "pull_request.head.sha: missing"),
        ("pull_request.head.sha", SHA[:-1], "pull_request.head.sha: found"),
        ("pull_request.head.sha", SHA + "0", "pull_request.head.sha: found"),
        ("pull_request.head.sha", SHA.upper(), "pull_request.head.sha: found"),
        ("pull_request.head.sha", SHA + "\n", "pull_request.head.sha: found"),
        ("pull_request.head.sha", "main", "pull_request.head.sha: found 'main'"),
        ("pull_request.user", {}, "pull_request.user.login: missing"),
        ("repository.id", "7", "repository.id: found a string; expected a number"),
        ("repository.id", 0, "repository.id: expected a repository's id"),
        ("repository.id", 2**63, "repository.id: expected a repository's id"),
    ],
)
def test_a_field_that_is_missing_or_of_another_kind_is_named(
    path: str, value: Any, said: str
) -> None:
    with pytest.raises(BadDelivery) as caught:
        parse(changed(path, value))
    assert str(caught.value).startswith(said)


def test_a_long_value_is_not_repeated_in_full() -> None:
    with pytest.raises(BadDelivery) as caught:
        parse(changed("repository.full_name", "x" * 100_000))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "delivery_id",
    [
        "../x",
        "..",
        ".",
        ".hidden",
        "",
        "a/b",
        "a b",
        "-rf",
        "a\n",
        "a\x00",
        "$(id)",
        "é",
        "a" * 101,
    ],
)
def test_a_delivery_id_that_could_not_name_a_directory_is_refused(delivery_id: str) -> None:
    with pytest.raises(BadDelivery, match=r"^X-GitHub-Delivery: found"):
        parse(payload(), **{"x-github-delivery": delivery_id})


@pytest.mark.parametrize("delivery_id", [HEADERS["x-github-delivery"], "demo-1", "a" * 100])
def test_ids_as_github_makes_them_are_kept(delivery_id: str) -> None:
    assert parse(payload(), **{"x-github-delivery": delivery_id}).id == delivery_id


@pytest.mark.parametrize("name", ["x-github-event", "x-github-delivery"])
def test_a_missing_header_is_named(name: str) -> None:
    headers = {key: value for key, value in HEADERS.items() if key != name}
    with pytest.raises(BadDelivery, match=f"(?i)^{name}: found"):
        read(headers, json.dumps(payload()).encode())


def test_a_ping_has_no_pull_request() -> None:
    assert parse({"zen": "Keep it simple."}, **{"x-github-event": "ping"}).event is None


# --- what GitHub leaves out, and pushes -------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "pull_request.user",
        "pull_request.author_association",
        "pull_request.draft",
        "pull_request.merged",
        "pull_request.merge_commit_sha",
        "pull_request.merged_at",
        "pull_request.updated_at",
        "pull_request.head.repo",
        "repository.default_branch",
        "repository.id",
    ],
)
@pytest.mark.parametrize("value", [None, ...])
def test_what_is_not_needed_may_be_null_or_missing(path: str, value: Any) -> None:
    data = changed("repository", {"id": 7, "full_name": "icesi/packages", "default_branch": "m"})
    data["pull_request"] |= dict.fromkeys(["merged", "merge_commit_sha", "merged_at"])
    data["pull_request"]["updated_at"] = "2026-11-24T10:00:00Z"
    *parents, last = path.split(".")
    place = data
    for name in parents:
        place = place[name]
    place[last] = value
    if value is ...:
        del place[last]
    assert parse(data).event is not None


def push(**more: Any) -> Delivery:
    return parse(PUSH | more, **{"x-github-event": "push"})


def test_a_push_gives_the_branch_its_head_and_its_time() -> None:
    """In a `push`, unlike elsewhere, the time is a number."""
    found = push().event
    assert found == PushEvent(
        "icesi/packages", "main", SHA, "2025-11-26T09:40:00Z", "main", repository_id=7
    )
    repository = PUSH["repository"] | {"pushed_at": "2026-11-24T10:00:00Z"}
    assert push(repository=repository).event == replace(found, pushed_at="2026-11-24T10:00:00Z")
    for untimed in ({"pushed_at": None}, {"pushed_at": ...}):
        left = {k: v for k, v in (PUSH["repository"] | untimed).items() if v is not ...}
        assert push(repository=left).event == replace(found, pushed_at="")


@pytest.mark.parametrize("flag", ["forced", "created"])
def test_a_branch_may_be_back_at_an_older_commit(flag: str) -> None:
    found = push(**{flag: True}).event
    assert isinstance(found, PushEvent)
    assert found.forced


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ref": "refs/tags/v1"}, "push of refs/tags/v1, which is no branch"),
        ({"deleted": True, "after": "0" * 40}, "push that deletes refs/heads/main"),
        ({"ref": None}, "push of nothing"),
    ],
)
def test_what_gives_no_branch_a_head_is_no_event(more: dict[str, Any], said: str) -> None:
    assert (push(**more).event, push(**more).reason) == (None, said)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"after": "main"}, "after: found 'main'"),
        ({"ref": 7}, "ref: found a number"),
        ({"ref": "refs/heads/a b"}, "ref: found"),
        ({"repository": None}, "repository: found null"),
        ({"repository": {"full_name": "x/y", "pushed_at": -1}}, "repository.pushed_at: expected"),
        ({"repository": {"full_name": "x/y", "pushed_at": 1e9}}, "repository.pushed_at: found"),
        ({"repository": {"full_name": "x/y", "pushed_at": True}}, "repository.pushed_at: found"),
    ],
)
def test_a_push_that_github_does_not_send_names_the_field(more: Any, said: str) -> None:
    with pytest.raises(BadDelivery) as caught:
        push(**more)
    assert str(caught.value).startswith(said)


def test_a_listed_pull_request_is_the_event_that_it_is_at() -> None:
    """As `GET /repos/OWNER/NAME/pulls?state=all` has it, with a `closed` for those that ended."""
    whole = payload(number=7, state="open", updated_at="2026-11-24T10:00:00Z", merged_at=None)
    pull, repository = whole["pull_request"], {"id": 7, **whole["repository"]}
    found = read_listed(pull, repository)
    assert (found.happened, found.head_sha, found.repository_id) == ("pushed", SHA, 7)
    closed = pull | {"state": "closed"}
    assert read_listed(closed, repository).happened == "closed"
    merged = closed | {"merged_at": "2026-11-24T10:00:00Z", "merge_commit_sha": SHA[::-1]}
    assert read_listed(merged, repository).commit == SHA[::-1]


# --- merge groups -----------------------------------------------------------------------------


def group(**more: Any) -> Delivery:
    data = GROUP | {"merge_group": GROUP["merge_group"] | more}
    return parse(data, **{"x-github-event": "merge_group"})


def test_a_merge_group_is_read_and_its_time_is_in_utc() -> None:
    expected = QueueEvent("icesi/packages", "main", SHA, "2026-11-24T10:00:00Z", "main", 7)
    assert group().event == expected
    assert (expected.key, expected.base_ref, expected.commit) == (
        "icesi/packages main",
        "main",
        SHA,
    )
    for commit in (None, {}, {"timestamp": None}, {"timestamp": "2026-11-24T10:00:00"}):
        assert group(head_commit=commit).event == replace(expected, queued_at="")


def test_a_merge_group_that_is_gone_says_which_it_was() -> None:
    data = {**GROUP, "action": "destroyed", "reason": "dequeued"}
    found = parse(data, **{"x-github-event": "merge_group"}).event
    assert isinstance(found, QueueEvent)
    assert (found.happened, found.action, found.commit) == ("dequeued", "destroyed", SHA)
    other = parse({**GROUP, "action": "else"}, **{"x-github-event": "merge_group"})
    assert (other.event, other.reason) == (None, "merge_group else")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("head_sha", "main"),
        ("head_sha", None),
        ("base_ref", "main"),
        ("base_ref", "refs/tags/v1"),
        ("base_ref", "refs/heads/a b"),
        ("head_commit", {"timestamp": "soon"}),
        ("head_commit", {"timestamp": 7}),
        ("head_commit", {"timestamp": "0001-01-01T00:00:00+23:59"}),
    ],
)
def test_a_bad_field_of_a_merge_group_is_named(field: str, value: Any) -> None:
    with pytest.raises(BadDelivery, match=rf"^merge_group\.{field}"):
        group(**{field: value})
