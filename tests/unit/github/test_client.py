"""GitHub's HTTP: what is asked for, and what its answers mean."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import responses
from pydantic import TypeAdapter
from responses import matchers

from gm_analytics import settings
from gm_analytics.errors import GitHubError, GitHubUnavailable, GmError
from gm_analytics.github.api import DEFAULT_WAIT, MAX_KEPT, Api
from gm_analytics.github.client import GitHub
from gm_analytics.manifest import MAX_BYTES

SHA = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "icesi/packages"
RAW = f"https://raw.githubusercontent.com/{REPOSITORY}/{SHA}/packages.json"
CONTENTS = f"https://api.github.com/repos/{REPOSITORY}/contents/packages.json"
TOKEN = "ghp_0123456789"
DOING = f"reading packages.json of {REPOSITORY} at {SHA}"


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> Iterator[responses.RequestsMock]:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with responses.RequestsMock() as mock:
        yield mock


def read(**config: Any) -> bytes:
    return GitHub(settings.GitHub(**config)).manifest(REPOSITORY, SHA)


def token() -> GitHub:
    return GitHub(settings.GitHub(token=TOKEN))


def set_status() -> None:
    token().set_status(
        REPOSITORY, SHA, "success", description="done", url="https://ci/1", context="m"
    )


def put_comment(body: str = "<!-- m --> text") -> None:
    token().put_comment(REPOSITORY, 7, "<!-- m -->", body)


def comment(number: int, body: str, user: int = 1) -> dict[str, Any]:
    url = f"https://api.github.com/repos/{REPOSITORY}/issues/comments/{number}"
    return {"id": number, "url": url, "body": body, "user": {"id": user}}


def failure(**config: Any) -> GmError:
    """Give the error of a read, having seen that its text has no token."""
    with pytest.raises(GmError) as caught:
        read(token=TOKEN, **config)
    assert TOKEN not in str(caught.value)
    assert TOKEN not in str(caught.value.to_json())
    return caught.value


def test_without_a_token_the_raw_content_is_read_and_no_quota_used(
    http: responses.RequestsMock,
) -> None:
    http.get(RAW, body=b"[]")
    assert read() == b"[]"
    assert "Authorization" not in http.calls[0].request.headers


def test_with_a_token_the_contents_api_is_asked_for_raw_content_at_the_commit(
    http: responses.RequestsMock,
) -> None:
    wanted = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/vnd.github.raw+json"}
    match = [matchers.header_matcher(wanted), matchers.query_param_matcher({"ref": SHA})]
    http.get(CONTENTS, body=b"[]", match=match)
    assert read(token=TOKEN) == b"[]"


def test_addresses_of_an_enterprise_server_and_another_file_are_configuration(
    http: responses.RequestsMock,
) -> None:
    http.get(f"https://ghe/api/v3/repos/{REPOSITORY}/contents/ci/p.json", body=b"1")
    http.get(f"https://ghe/raw/{REPOSITORY}/{SHA}/ci/p.json", body=b"2")
    assert read(api_url="https://ghe/api/v3/", token=TOKEN, manifest="ci/p.json") == b"1"
    assert read(raw_url="https://ghe/raw", manifest="ci/p.json") == b"2"


def test_a_timeout_is_always_set_and_certificates_are_verified(
    http: responses.RequestsMock,
) -> None:
    match = [matchers.request_kwargs_matcher({"timeout": 3.5, "stream": True, "verify": True})]
    http.get(RAW, body=b"[]", match=match)
    assert read(timeout=3.5) == b"[]"


@pytest.mark.parametrize("status", [400, 401, 410, 422])
def test_a_refusal_is_final_and_says_what_github_said(
    http: responses.RequestsMock, status: int
) -> None:
    http.get(CONTENTS, status=status, json={"message": "Not Found"})
    error = failure()
    assert isinstance(error, GitHubError)
    assert not error.transient
    assert str(error) == f"GitHub: {DOING}: {status} Not Found"


def test_an_answer_without_json_is_quoted_in_part(http: responses.RequestsMock) -> None:
    http.get(CONTENTS, status=410, body="<html>" + "x" * 10_000)
    assert len(str(failure())) < 400


def test_a_403_that_is_no_rate_limit_is_final(http: responses.RequestsMock) -> None:
    http.get(CONTENTS, status=403, json={"message": "Resource not accessible by token"})
    assert isinstance(failure(), GitHubError)


@pytest.mark.parametrize(
    ("status", "headers", "message", "wait"),
    [
        (403, {"retry-after": "17"}, "slow down", 17.0),
        (429, {"retry-after": "17", "x-ratelimit-reset": "1"}, "slow down", 17.0),
        (429, {"x-ratelimit-reset": "RESET"}, "slow down", 90.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "RESET"}, "slow down", 90.0),
        (429, {"x-ratelimit-reset": "1"}, "slow down", 1.0),
        (429, {}, "slow down", DEFAULT_WAIT),
        (429, {"retry-after": "soon"}, "slow down", DEFAULT_WAIT),
        (403, {}, "You have exceeded a secondary rate limit.", DEFAULT_WAIT),
    ],
)
def test_a_rate_limit_is_obeyed(
    http: responses.RequestsMock,
    monkeypatch: pytest.MonkeyPatch,
    *,
    status: int,
    headers: dict[str, str],
    message: str,
    wait: float,
) -> None:
    """`retry-after` counts first, then `x-ratelimit-reset`, else a minute."""
    now = 1_800_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    sent = {name: value.replace("RESET", f"{now + 90:.0f}") for name, value in headers.items()}
    http.get(CONTENTS, status=status, headers=sent, json={"message": message})
    error = failure()
    assert isinstance(error, GitHubUnavailable)
    assert error.transient
    assert error.retry_after == wait


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_of_github_may_pass(http: responses.RequestsMock, status: int) -> None:
    http.get(CONTENTS, status=status, body="Unicorn!")
    error = failure()
    assert isinstance(error, GitHubUnavailable)
    assert str(error) == f"GitHub: {DOING}: {status} Unicorn!"
    assert error.retry_after is None


@pytest.mark.parametrize(
    "fault",
    [
        requests.ConnectTimeout("timed out"),
        requests.ReadTimeout("timed out"),
        requests.ConnectionError("refused"),
        requests.exceptions.SSLError("certificate verify failed"),
        requests.exceptions.ChunkedEncodingError("cut off"),
    ],
)
def test_a_fault_of_the_network_may_pass(
    http: responses.RequestsMock, fault: requests.RequestException
) -> None:
    http.get(CONTENTS, body=fault)
    error = failure()
    assert isinstance(error, GitHubUnavailable)
    assert str(error) == f"GitHub: {DOING}: {type(fault).__name__}: {fault}"


@pytest.mark.parametrize("extra", [0, 1, 5 * MAX_BYTES])
def test_a_body_is_read_only_so_far_that_its_size_can_be_refused(
    http: responses.RequestsMock, extra: int
) -> None:
    http.get(RAW, body=b"x" * (MAX_BYTES + extra))
    found = read()
    assert (len(found) > MAX_BYTES) == (extra > 0)
    assert len(found) <= MAX_BYTES + 64 * 1024


# --- statuses and comments ----------------------------------------------------------------

STATUSES = f"https://api.github.com/repos/{REPOSITORY}/statuses/{SHA}"
COMMENTS = f"https://api.github.com/repos/{REPOSITORY}/issues/7/comments"
USER = "https://api.github.com/user"
NO_RIGHT = {"message": "Resource not accessible by personal access token"}


def sent(http: responses.RequestsMock) -> list[tuple[str | None, str, Any]]:
    """Give what was written: method, address, body."""
    return [
        (call.request.method, call.request.url or "", json.loads(call.request.body or "null"))
        for call in http.calls
        if call.request.method != "GET"
    ]


def test_a_status_is_set_with_its_link(http: responses.RequestsMock) -> None:
    http.post(STATUSES, status=201, json={})
    set_status()
    said = {"state": "success", "description": "done", "context": "m"}
    assert sent(http) == [("POST", STATUSES, {**said, "target_url": "https://ci/1"})]
    assert http.calls[0].request.headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_status_without_a_page_has_no_link(http: responses.RequestsMock) -> None:
    http.post(STATUSES, status=201, json={})
    token().set_status(REPOSITORY, SHA, "pending", description="d", url="", context="m")
    assert "target_url" not in sent(http)[0][2]


def test_the_first_comment_is_written(http: responses.RequestsMock) -> None:
    http.get(COMMENTS, json=[comment(1, "what somebody says of <!-- m -->", 2)])
    http.post(COMMENTS, status=201, json={})
    put_comment()
    assert sent(http) == [("POST", COMMENTS, {"body": "<!-- m --> text"})]


def test_the_comment_is_found_on_a_later_page_and_edited_in_place(
    http: responses.RequestsMock,
) -> None:
    link = {"Link": f'<{COMMENTS}?per_page=100&page=2>; rel="next"'}
    first, second = {"per_page": "100"}, {"per_page": "100", "page": "2"}
    ours = comment(9, "<!-- m --> old")
    http.get(USER, json={"id": 1})
    http.get(
        COMMENTS,
        json=[comment(1, "hello", 2)],
        headers=link,
        match=[matchers.query_param_matcher(first)],
    )
    http.get(COMMENTS, json=[ours], match=[matchers.query_param_matcher(second)])
    http.patch(ours["url"], json={})
    put_comment()
    assert sent(http) == [("PATCH", ours["url"], {"body": "<!-- m --> text"})]


def test_no_comment_is_begun_where_only_one_that_is_there_is_to_be_edited(
    http: responses.RequestsMock,
) -> None:
    http.get(COMMENTS, json=[comment(1, "what somebody says of <!-- m -->", 2)])
    token().put_comment(REPOSITORY, 7, "<!-- m -->", "<!-- m --> text", begin=False)
    assert sent(http) == []


def test_a_comment_that_says_the_same_is_left_alone(http: responses.RequestsMock) -> None:
    http.get(USER, json={"id": 1})
    http.get(COMMENTS, json=[comment(9, "<!-- m --> one\r\ntwo")])
    put_comment("<!-- m --> one\ntwo\n")
    assert sent(http) == []


def test_a_strangers_comment_with_our_marker_is_not_ours(http: responses.RequestsMock) -> None:
    http.get(USER, json={"id": 1})
    http.get(COMMENTS, json=[comment(8, "<!-- m --> forged", 2), comment(9, "<!-- m -->", 1)])
    http.patch(comment(9, "")["url"], json={})
    put_comment()
    assert [url for _, url, _ in sent(http)] == [comment(9, "")["url"]]


def test_an_apps_token_which_may_not_ask_for_its_user_finds_the_comment_by_its_marker(
    http: responses.RequestsMock,
) -> None:
    http.get(USER, status=403, json={"message": "Resource not accessible by integration"})
    http.get(COMMENTS, json=[comment(9, "<!-- m --> old", 5)])
    http.patch(comment(9, "")["url"], json={})
    put_comment()
    assert [method for method, _, _ in sent(http)] == ["PATCH"]


def test_a_comment_that_is_not_ours_to_change_does_not_silence_an_apps_token(
    http: responses.RequestsMock,
) -> None:
    """Anybody may have copied the marker into an older comment."""
    http.get(USER, status=403, json=NO_RIGHT)
    theirs, ours = comment(1, "<!-- m --> mine!", 2), comment(2, "<!-- m --> old", 3)
    http.get(COMMENTS, json=[theirs, ours])
    http.patch(theirs["url"], status=403, json=NO_RIGHT)
    http.patch(ours["url"], json={})
    put_comment()
    assert [(method, url) for method, url, _ in sent(http)][-1] == ("PATCH", ours["url"])


def test_a_comment_that_is_deleted_meanwhile_is_written_anew(http: responses.RequestsMock) -> None:
    http.get(USER, json={"id": 1})
    http.get(COMMENTS, json=[comment(9, "<!-- m --> old")])
    http.patch(comment(9, "")["url"], status=404, json={"message": "Not Found"})
    http.post(COMMENTS, status=201, json={})
    put_comment()
    assert [method for method, _, _ in sent(http)] == ["PATCH", "POST"]


@pytest.mark.parametrize(
    ("act", "url", "right"),
    [
        (set_status, STATUSES, "Commit statuses: write"),
        (put_comment, COMMENTS, "Pull requests: write"),
    ],
)
@pytest.mark.parametrize(("status", "said"), [(403, NO_RIGHT), (404, {"message": "Not Found"})])
def test_a_token_without_rights_is_told_the_right_it_may_lack(
    http: responses.RequestsMock,
    act: Callable[[], None],
    url: str,
    right: str,
    *,
    status: int,
    said: dict[str, str],
) -> None:
    if act is put_comment:
        http.get(COMMENTS, json=[])
    http.post(url, status=status, json=said)
    with pytest.raises(GitHubError) as caught:
        act()
    assert f"{status} {said['message']} (the token may lack the right '{right}')" in str(
        caught.value
    )
    assert TOKEN not in str(caught.value)


def test_a_locked_conversation_is_final_and_not_a_matter_of_rights(
    http: responses.RequestsMock,
) -> None:
    http.get(COMMENTS, json=[])
    said = "Unable to create comment because issue is locked."
    http.post(COMMENTS, status=403, json={"message": said})
    with pytest.raises(GitHubError) as caught:
        put_comment()
    assert str(caught.value) == f"GitHub: commenting on {REPOSITORY}#7: 403 {said}"


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (403, {"retry-after": "17"}, 17.0),
        (429, {}, DEFAULT_WAIT),
        (502, {}, None),
    ],
)
@pytest.mark.parametrize("where", [USER, STATUSES, COMMENTS])
def test_a_limit_or_fault_while_writing_may_pass(
    http: responses.RequestsMock,
    where: str,
    *,
    status: int,
    headers: dict[str, str],
    wait: float | None,
) -> None:
    """Also while asking whose the token is: it must not pass for an app's."""
    if where == USER:
        http.get(COMMENTS, json=[comment(9, "<!-- m --> old")])
        http.get(USER, status=status, headers=headers, json={"message": "slow down"})
    elif where == COMMENTS:
        http.get(COMMENTS, status=status, headers=headers, json={"message": "slow down"})
    else:
        http.post(STATUSES, status=status, headers=headers, json={"message": "slow down"})
    with pytest.raises(GitHubUnavailable) as caught:
        set_status() if where == STATUSES else put_comment()
    assert caught.value.retry_after == wait


# --- what has not changed -------------------------------------------------------------------


def test_what_has_not_changed_is_not_sent_again(http: responses.RequestsMock) -> None:
    url, shape = "https://api.github.com/x", TypeAdapter(list[int])
    api = Api(settings.GitHub(token=TOKEN))
    link = {"ETag": 'W/"1"', "Link": f'<{url}?page=2>; rel="next"'}
    http.get(url, json=[1, 2], headers=link)
    known = [matchers.header_matcher({"If-None-Match": 'W/"1"'})]
    first = api.read_again("reading", url, shape)
    http.replace(responses.GET, url, status=304, headers={"ETag": 'W/"1"'})
    assert api.read_again("reading", url, shape) == first == ([1, 2], f"{url}?page=2")
    http.remove(responses.GET, url)
    http.get(url, json=[3], headers={"ETag": 'W/"2"'}, match=known)
    assert api.read_again("reading", url, shape) == ([3], "")


def test_what_is_kept_of_answers_is_bounded(http: responses.RequestsMock) -> None:
    api = Api(settings.GitHub(token=TOKEN))
    for number in range(MAX_KEPT + 1):
        http.get(f"https://api.github.com/{number}", json=1, headers={"ETag": '"a"'})
        api.read_again("reading", f"https://api.github.com/{number}", TypeAdapter(int))
    assert len(api._kept) == MAX_KEPT
    http.get("https://api.github.com/big", json=1, headers={"ETag": "a" * 201})
    api.read_again("reading", "https://api.github.com/big", TypeAdapter(int))
    assert "https://api.github.com/big" not in api._kept


def test_not_modified_is_no_answer_to_who_did_not_ask_for_it(http: responses.RequestsMock) -> None:
    http.get(CONTENTS, status=304)
    assert isinstance(failure(), GitHubError)
