"""What a token may do, asked of GitHub without changing anything there."""

from __future__ import annotations

import json
from typing import Any

import pytest
import responses

from gm_analytics import settings
from gm_analytics.errors import GitHubError
from gm_analytics.github.rights import Right, Rights

from .test_client import NO_RIGHT, REPOSITORY, TOKEN, http

__all__ = ["http"]

REPO = f"https://api.github.com/repos/{REPOSITORY}"
STATUSES = f"{REPO}/statuses/{'0' * 40}"
COMMENTS = f"{REPO}/issues/7/comments"
INCOMPLETE = {"message": "Validation Failed"}


def serve(
    http: responses.RequestsMock, scopes: str | None = None, *, pulls: Any = None, **repo: Any
) -> None:
    """Answer what is asked of every token."""
    headers = {} if scopes is None else {"X-OAuth-Scopes": scopes}
    shown = {"default_branch": "main", "permissions": {"pull": True, "push": True}, **repo}
    http.get(REPO, json=shown, headers=headers)
    http.get(f"{REPO}/branches/main", json={})
    http.get(f"{REPO}/pulls", json=[{"number": 7}] if pulls is None else pulls)


def found(token: str | None = TOKEN) -> dict[str, Right]:
    return {one.purpose: one for one in Rights(settings.GitHub(token=token)).of(REPOSITORY)}


def lacking(token: str | None = TOKEN) -> dict[str, str]:
    return {purpose: right.lacks for purpose, right in found(token).items() if right.lacks}


def test_a_fine_grained_token_is_asked_with_what_is_refused_as_incomplete(
    http: responses.RequestsMock,
) -> None:
    serve(http)
    http.post(STATUSES, status=422, json=INCOMPLETE)
    http.post(COMMENTS, status=422, json=INCOMPLETE)
    assert list(found()) == ["repository", "manifests", "pull requests", "statuses", "comments"]
    assert lacking() == {}
    written = [call.request for call in http.calls if call.request.method != "GET"]
    assert {json.dumps(json.loads(request.body or "")) for request in written} == {"{}"}, "nothing"


@pytest.mark.parametrize(
    ("status", "said"), [(403, NO_RIGHT["message"]), (404, "Not Found")], ids=["told", "hidden"]
)
def test_a_right_that_is_missing_is_named_as_github_calls_it(
    http: responses.RequestsMock, status: int, said: str
) -> None:
    http.get(REPO, json={"default_branch": "main", "private": True})
    for path in ("branches/main", "pulls"):
        http.get(f"{REPO}/{path}", status=status, json={"message": said})
    http.post(STATUSES, status=status, json={"message": said})
    assert lacking() == {
        "manifests": "Contents: read",
        "pull requests": "Pull requests: read",
        "statuses": "Commit statuses: write",
    }
    assert found()["statuses"].said == f"GitHub says {status} {said}"


def test_comments_are_asked_of_a_pull_request_that_is_there(http: responses.RequestsMock) -> None:
    serve(http)
    http.post(STATUSES, status=422, json=INCOMPLETE)
    http.post(COMMENTS, status=403, json=NO_RIGHT)
    assert lacking() == {"comments": "Pull requests: write"}


def test_without_a_pull_request_it_is_not_known_whether_comments_are_allowed(
    http: responses.RequestsMock,
) -> None:
    serve(http, pulls=[])
    http.post(STATUSES, status=422, json=INCOMPLETE)
    assert found()["comments"] == Right(
        "comments", said="not known before there is a pull request"
    )


def test_a_locked_conversation_tells_nothing_of_rights(http: responses.RequestsMock) -> None:
    serve(http)
    http.post(STATUSES, status=422, json=INCOMPLETE)
    http.post(COMMENTS, status=403, json={"message": "issue is locked."})
    assert (found()["comments"].lacks, found()["comments"].said) == (
        "",
        "GitHub says 403 issue is locked.",
    )


@pytest.mark.parametrize(
    ("scopes", "private", "lacks"),
    [
        ("repo", True, {}),
        ("public_repo, read:org", False, {}),
        ("repo:status", False, {"comments": "scope repo"}),
        ("public_repo", True, {"statuses": "scope repo:status", "comments": "scope repo"}),
        ("", False, {"statuses": "scope repo:status", "comments": "scope repo"}),
    ],
)
def test_a_classic_token_is_judged_by_its_scopes_and_nothing_is_posted(
    http: responses.RequestsMock, *, scopes: str, private: bool, lacks: dict[str, str]
) -> None:
    serve(http, scopes, private=private)
    assert lacking() == lacks


def test_a_classic_token_of_a_user_who_may_not_push_sets_no_status(
    http: responses.RequestsMock,
) -> None:
    serve(http, "repo", permissions={"pull": True, "push": False})
    assert lacking() == {"statuses": "the role Write of its user"}


@pytest.mark.parametrize("status", [403, 404])
def test_a_repository_that_is_hidden_is_all_there_is_to_say(
    http: responses.RequestsMock, status: int
) -> None:
    http.get(REPO, status=status, json={"message": "Not Found"})
    assert list(found().values()) == [
        Right("repository", "access to it", f"GitHub says {status} Not Found")
    ]


def test_without_a_token_only_reading_is_asked_for(http: responses.RequestsMock) -> None:
    serve(http)
    assert list(found(None)) == ["repository", "manifests", "pull requests"]


def test_a_token_that_is_refused_is_an_error(http: responses.RequestsMock) -> None:
    http.get(REPO, status=401, json={"message": "Bad credentials"})
    with pytest.raises(GitHubError, match="Bad credentials"):
        found()
