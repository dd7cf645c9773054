"""What is read of a repository: whether a manifest is there, and whether a head changes it."""

from __future__ import annotations

from typing import Any

import pytest
import responses

from gm_analytics import settings
from gm_analytics.errors import (
    CommitUnknown,
    GitHubError,
    GitHubUnavailable,
    GmError,
    ManifestError,
    NoManifest,
)
from gm_analytics.github.client import GitHub
from gm_analytics.github.contents import MAX_FILES
from gm_analytics.manifest import Manifest

from .test_client import CONTENTS, RAW, REPOSITORY, SHA, TOKEN, http

__all__ = ["http"]

REPO = f"https://api.github.com/repos/{REPOSITORY}"
BASE = SHA[::-1]
COMPARE = f"{REPO}/compare/main...{SHA}"
NOT_FOUND = {"message": "Not Found"}


def github(token: str | None = TOKEN) -> GitHub:
    return GitHub(settings.GitHub(token=token))


def failure(token: str | None = TOKEN) -> GmError:
    with pytest.raises(GmError) as caught:
        github(token).manifest(REPOSITORY, SHA)
    return caught.value


# --- a manifest that is not there -----------------------------------------------------------


@pytest.mark.parametrize("token", [TOKEN, None])
def test_no_manifest_where_the_commit_is_known_is_told_so_and_final(
    http: responses.RequestsMock, token: str | None
) -> None:
    if token is None:
        http.get(RAW, status=404, body="404: Not Found")
    http.get(CONTENTS, status=404, json=NOT_FOUND)
    http.get(f"{REPO}/commits/{SHA}", body=SHA)
    error = failure(token)
    assert isinstance(error, NoManifest)
    assert not error.transient
    assert str(error) == (
        f"no manifest: {REPOSITORY} has no packages.json at {SHA}; nothing changes"
    )


@pytest.mark.parametrize("status", [404, 422])
def test_a_commit_that_github_does_not_know_yet_is_waited_for(
    http: responses.RequestsMock, status: int
) -> None:
    http.get(CONTENTS, status=404, json={"message": f"No commit found for the ref {SHA}"})
    http.get(f"{REPO}/commits/{SHA}", status=status, json={"message": "No commit found"})
    http.get(REPO, json={"id": 1})
    error = failure()
    assert isinstance(error, CommitUnknown)
    assert error.transient


def test_a_repository_that_the_token_may_not_see_is_not_waited_for(
    http: responses.RequestsMock,
) -> None:
    http.get(CONTENTS, status=404, json=NOT_FOUND)
    http.get(f"{REPO}/commits/{SHA}", status=404, json=NOT_FOUND)
    http.get(REPO, status=404, json=NOT_FOUND)
    error = failure()
    assert isinstance(error, GitHubError)
    assert error.status == 404
    assert "may read it" in error.hint


def test_what_a_cache_of_raw_content_still_misses_is_asked_of_the_api(
    http: responses.RequestsMock,
) -> None:
    http.get(RAW, status=404, body="404: Not Found")
    http.get(CONTENTS, body=b"[]")
    assert github(None).manifest(REPOSITORY, SHA) == b"[]"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_on_the_way_is_told_as_what_it_is(
    http: responses.RequestsMock, status: int
) -> None:
    http.get(CONTENTS, status=404, json=NOT_FOUND)
    http.get(f"{REPO}/commits/{SHA}", status=status, json={"message": "no"})
    error = failure()
    assert isinstance(error, GitHubError)
    assert error.status == status


# --- a manifest that a head leaves alone ----------------------------------------------------


def file(name: str = "README.md", **more: Any) -> dict[str, Any]:
    return {"filename": name, "status": "modified", "changes": 2, **more}


def compared(http: responses.RequestsMock, files: Any, status: str = "ahead") -> GitHub:
    answer = {"status": status, "merge_base_commit": {"sha": BASE}, "files": files}
    http.get(COMPARE, json=answer)
    return github()


def keeps(found: GitHub) -> bool:
    return found.keeps_manifest(REPOSITORY, "main", SHA)


@pytest.mark.parametrize("status", ["ahead", "diverged"])
def test_a_head_that_names_other_files_keeps_the_manifest_and_costs_one_request(
    http: responses.RequestsMock, status: str
) -> None:
    files = [file(), file("docs/packages.json"), file("packages.json.bak")]
    assert keeps(compared(http, files, status))
    assert len(http.calls) == 1
    assert (http.calls[0].request.url or "").endswith("?per_page=1")


@pytest.mark.parametrize("kind", ["modified", "added", "removed"])
def test_a_head_that_names_it_changes_it(http: responses.RequestsMock, kind: str) -> None:
    assert not keeps(compared(http, [file(), file("packages.json", status=kind)]))


@pytest.mark.parametrize("status", ["behind", "identical"])
def test_a_head_that_is_merged_already_changed_something(
    http: responses.RequestsMock, status: str
) -> None:
    """What GitHub compares it with has its change, so that would be no difference."""
    assert not keeps(compared(http, [], status))


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([file(f"f{n}") for n in range(MAX_FILES)], id="as many as GitHub names"),
        pytest.param(None, id="none named"),
        pytest.param([file("packages.json", changes=0)], id="its mode alone"),
        pytest.param(
            [file("old.json", previous_filename="packages.json", changes=0)], id="renamed"
        ),
    ],
)
@pytest.mark.parametrize("head", [b"[]", b'["tree"]', None])
def test_where_the_list_does_not_tell_the_contents_are_compared(
    http: responses.RequestsMock, files: Any, head: bytes | None
) -> None:
    found = compared(http, files)
    http.get(f"{CONTENTS}?ref={BASE}", body=b"[]")
    if head is None:
        http.get(f"{CONTENTS}?ref={SHA}", status=404, json=NOT_FOUND)
    else:
        http.get(f"{CONTENTS}?ref={SHA}", body=head)
    assert keeps(found) == (head == b"[]")


def test_one_file_less_than_github_names_is_the_whole_list(http: responses.RequestsMock) -> None:
    assert keeps(compared(http, [file(f"f{n}") for n in range(MAX_FILES - 1)]))


def test_a_branch_is_one_part_of_the_address_whatever_its_name(
    http: responses.RequestsMock,
) -> None:
    answer = {"status": "ahead", "merge_base_commit": {"sha": BASE}, "files": []}
    http.get(f"{REPO}/compare/release%2F1.0%2B%C3%BC...{SHA}", json=answer)
    assert github().keeps_manifest(REPOSITORY, "release/1.0+ü", SHA)


@pytest.mark.parametrize(
    ("status", "names", "moved"),
    [
        ("ahead", ["packages.json"], True),
        ("diverged", ["packages.json"], True),
        ("diverged", ["README.md"], False),
        ("behind", [], False),
        ("identical", [], False),
    ],
)
def test_a_base_moved_on_if_it_changed_the_manifest_since(
    http: responses.RequestsMock, status: str, names: list[str], moved: bool
) -> None:
    """Compared the other way round; a base that has nothing new has not moved."""
    files = [file(name) for name in names]
    answer = {"status": status, "merge_base_commit": {"sha": BASE}, "files": files}
    http.get(f"{REPO}/compare/{SHA}...release%2F1.0", json=answer)
    found = github(token="t").moved_on(REPOSITORY, "release/1.0", SHA)
    assert found is moved


def test_a_mirror_s_own_manifest_is_read_and_compared(http: responses.RequestsMock) -> None:
    """One pull request changes el8.json, and leaves el9.json as it was."""
    files, path = [file("lists/el8.json")], "lists/el9.json"
    answer = {"status": "ahead", "merge_base_commit": {"sha": BASE}, "files": files}
    http.get(COMPARE, json=answer)
    http.get(f"{REPO}/compare/{SHA}...main", json=answer)
    http.get(f"{REPO}/contents/{path}?ref={SHA}", body=b'["tree"]')
    found = github(token="t")
    assert found.keeps_manifest(REPOSITORY, "main", SHA, path)
    assert not found.keeps_manifest(REPOSITORY, "main", SHA, "lists/el8.json")
    assert not found.moved_on(REPOSITORY, "main", SHA, path)
    assert found.moved_on(REPOSITORY, "main", SHA, "lists/el8.json")
    assert found.manifest(REPOSITORY, SHA, path) == b'["tree"]'


def test_without_a_token_no_base_is_compared(http: responses.RequestsMock) -> None:
    assert not github(None).moved_on(REPOSITORY, "main", SHA)


def test_a_merge_base_that_is_no_commit_is_another_s_answer(http: responses.RequestsMock) -> None:
    http.get(COMPARE, json={"status": "ahead", "merge_base_commit": {"sha": "../x"}, "files": []})
    with pytest.raises(GitHubUnavailable):
        keeps(github())


def test_an_empty_file_is_no_missing_one(http: responses.RequestsMock) -> None:
    http.get(CONTENTS, body=b"")
    with pytest.raises(ManifestError):
        Manifest.parse(github().manifest(REPOSITORY, SHA))
