"""GitHub's HTTP: what is asked for, and what its answers mean."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses
from responses import matchers

from gm_analytics import settings
from gm_analytics.errors import GitHubError, GitHubUnavailable, GmError
from gm_analytics.github import DEFAULT_WAIT, GitHub
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


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_a_refusal_is_final_and_says_what_github_said(
    http: responses.RequestsMock, status: int
) -> None:
    http.get(CONTENTS, status=status, json={"message": "Not Found"})
    error = failure()
    assert isinstance(error, GitHubError)
    assert not error.transient
    assert str(error) == f"GitHub: {DOING}: {status} Not Found"


def test_an_answer_without_json_is_quoted_in_part(http: responses.RequestsMock) -> None:
    http.get(CONTENTS, status=404, body="<html>" + "x" * 10_000)
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
