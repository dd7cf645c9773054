"""With what GitHub is asked: a token that changes, and a GitHub App."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
import responses
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gm_analytics import settings
from gm_analytics.errors import ConfigError, GitHubError, GitHubUnavailable
from gm_analytics.github.app_key import assertion
from gm_analytics.github.client import GitHub
from gm_analytics.github.credentials import LIFE, App
from gm_analytics.github.rights import Rights
from gm_analytics.github.watch import Watch
from gm_analytics.remote import fetch
from lab.github_app import App as AtGitHub

from .test_client import CONTENTS, REPOSITORY, SHA, http

__all__ = ["http"]
API = "https://api.github.com"
BAD = {"message": "Bad credentials"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("ghp_old\n")
    return path


def given(http: responses.RequestsMock) -> list[str | None]:
    """Give the credentials of each call."""
    return [call.request.headers.get("Authorization") for call in http.calls]


def github(**config: Any) -> GitHub:
    return GitHub(settings.GitHub.model_validate(config))


# --- a token in a file ------------------------------------------------------------------------


def test_a_token_that_is_refused_is_read_again(http: responses.RequestsMock, file: Path) -> None:
    client = github(token_file=str(file))
    http.get(CONTENTS, status=401, json=BAD)
    http.get(CONTENTS, body=b"[]")
    http.get(CONTENTS, body=b"[]")
    file.write_text("ghp_new\n")
    assert client.manifest(REPOSITORY, SHA) == b"[]"
    assert client.manifest(REPOSITORY, SHA) == b"[]"
    assert given(http) == ["Bearer ghp_old", "Bearer ghp_new", "Bearer ghp_new"]


@pytest.mark.parametrize("now", ["ghp_old", "", "two words", "ghp_\N{SNOWMAN}", None])
def test_a_file_with_no_other_token_is_refused_at_once(
    http: responses.RequestsMock, file: Path, now: str | None
) -> None:
    client = github(token_file=str(file))
    http.get(CONTENTS, status=401, json=BAD)
    file.unlink() if now is None else file.write_text(now)
    with pytest.raises(GitHubError, match="401 Bad credentials"):
        client.manifest(REPOSITORY, SHA)
    assert given(http) == ["Bearer ghp_old"]


def test_a_new_token_that_is_refused_too_ends_it(http: responses.RequestsMock, file: Path) -> None:
    client = github(token_file=str(file))
    http.get(CONTENTS, status=401, json=BAD)
    file.write_text("ghp_new")
    with pytest.raises(GitHubError, match="401 Bad credentials"):
        client.manifest(REPOSITORY, SHA)
    assert given(http) == ["Bearer ghp_old", "Bearer ghp_new"]


@pytest.mark.parametrize("status", [403, 404])
def test_what_is_not_allowed_or_not_there_reads_no_file(
    http: responses.RequestsMock, file: Path, status: int
) -> None:
    client = github(token_file=str(file))
    file.write_text("ghp_new")
    url = f"{API}/repos/{REPOSITORY}/statuses/{SHA}"
    http.post(url, status=status, json={"message": "no"})
    with pytest.raises(GitHubError):
        client.set_status(REPOSITORY, SHA, "success", description="", url="", context="m")
    assert given(http) == ["Bearer ghp_old"]


def test_without_a_file_a_refused_token_is_refused(http: responses.RequestsMock) -> None:
    http.get(CONTENTS, status=401, json=BAD)
    with pytest.raises(GitHubError, match="401"):
        github(token="ghp_old").manifest(REPOSITORY, SHA)


# --- an app's own token -----------------------------------------------------------------------


def with_app(tmp_path: Path, app: AtGitHub, **more: Any) -> settings.GitHub:
    key = tmp_path / "app.pem"
    key.write_text(app.private_key)
    config = {"app_id": app.id, "private_key_file": str(key), **more}
    return settings.GitHub.model_validate(config)


def test_an_app_says_who_it_is_as_github_wants_it(tmp_path: Path) -> None:
    app = AtGitHub()
    for app_id in (app.id, str(app.id), app.client_id):
        said = assertion(with_app(tmp_path, app, app_id=app_id))
        assert app.refuses(f"Bearer {said}") == ""
    claims = json.loads(urlsafe_b64decode(said.split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] == 540
    assert app.refuses(f"token {said}"), "GitHub takes it as Bearer alone"
    app.change_key()
    assert app.refuses(f"Bearer {said}"), "it is this key's"


def test_another_app_s_number_or_key_is_refused(tmp_path: Path) -> None:
    app = AtGitHub()
    assert app.refuses(f"Bearer {assertion(with_app(tmp_path, app, app_id=7))}")
    assert app.refuses(f"Bearer {assertion(with_app(tmp_path, AtGitHub()))}")


def elliptic() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, kind, plain).decode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not a private key"),
        ("ghp_0123456789", "not a private key"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabcd\n-----END RSA PRIVATE KEY-----", "not a private"),
        (elliptic(), "not an RSA key"),
    ],
)
def test_a_file_that_is_no_key_is_named(tmp_path: Path, content: str, said: str) -> None:
    config = with_app(tmp_path, AtGitHub())
    (tmp_path / "app.pem").write_text(content)
    config = settings.GitHub.model_validate(
        {"app_id": 1, "private_key_file": str(tmp_path / "app.pem")}
    )
    with pytest.raises(ConfigError, match=f"private_key_file: {said}") as caught:
        assertion(config)
    assert content[:20] not in str(caught.value) or not content


# --- an app's tokens --------------------------------------------------------------------------


def install(http: responses.RequestsMock, *tokens: str) -> None:
    http.get(f"{API}/repos/{REPOSITORY}/installation", json={"id": 71})
    for token in tokens:
        http.post(f"{API}/app/installations/71/access_tokens", status=201, json={"token": token})


def test_an_installation_is_found_and_its_token_used_again(
    http: responses.RequestsMock, tmp_path: Path
) -> None:
    install(http, "ghs_1")
    client = GitHub(with_app(tmp_path, AtGitHub()))
    for _ in range(2):
        http.get(CONTENTS, body=b"[]")
        assert client.manifest(REPOSITORY, SHA) == b"[]"
    assert [call.request.method for call in http.calls] == ["GET", "POST", "GET", "GET"]
    assert given(http)[2:] == ["Bearer ghs_1"] * 2
    assert json.loads(http.calls[1].request.body or "") == {"repositories": ["packages"]}


def test_a_token_that_was_taken_back_is_asked_for_again(
    http: responses.RequestsMock, tmp_path: Path
) -> None:
    install(http, "ghs_1", "ghs_2")
    http.get(CONTENTS, status=401, json=BAD)
    http.get(CONTENTS, body=b"[]")
    assert GitHub(with_app(tmp_path, AtGitHub())).manifest(REPOSITORY, SHA) == b"[]"
    assert [one for one in given(http) if one and "ghs" in one] == ["Bearer ghs_1", "Bearer ghs_2"]


def test_a_token_is_replaced_before_its_hour_is_over(tmp_path: Path) -> None:
    now = [0.0]
    asked: list[str] = []

    def read(_doing: str, method: str, path: str, *_: Any, **__: Any) -> Any:
        asked.append(f"{method} {path}")
        made = {"GET": {"id": 71}, "POST": {"token": f"ghs_{len(asked)}"}}[method]
        return type("Answer", (), made)

    tokens = App(with_app(tmp_path, AtGitHub()), read, clock=lambda: now[0])
    first = tokens.of(f"repos/{REPOSITORY}/pulls?state=all")
    now[0] = LIFE - 1
    assert tokens.of(f"repos/{REPOSITORY}") is first
    now[0] = LIFE
    assert tokens.of(f"repos/{REPOSITORY}/pulls") != first
    assert len(asked) == 4
    tokens.follows(f"repos/{REPOSITORY}/pulls", "repositories/9/pulls?page=2")
    tokens.follows("repositories/9/pulls?page=2", "repositories/9/pulls?page=3")
    assert tokens.of("repositories/9/pulls?page=3") is tokens.of(f"repos/{REPOSITORY}")
    assert len(asked) == 4, "GitHub names the next page by the repository's id"
    tokens.of("repos/icesi/packages2")
    assert len(asked) == 6, "another repository is another one"


def test_pages_after_the_first_carry_the_repository_s_token(
    http: responses.RequestsMock, tmp_path: Path
) -> None:
    install(http, "ghs_1")
    following = f"{API}/repositories/9/pulls?page=2"
    http.get(
        f"{API}/repos/{REPOSITORY}/pulls", json=[], headers={"Link": f'<{following}>; rel="next"'}
    )
    http.get(following, json=[])
    watch = Watch(with_app(tmp_path, AtGitHub()))
    page = watch.pull_requests(REPOSITORY, "all")
    watch.pull_requests(REPOSITORY, "all", page.following)
    assert given(http)[-2:] == ["Bearer ghs_1"] * 2


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (404, GitHubError, "403 it is not installed there, or not on this repository"),
        (401, GitHubError, "401 A JSON web token could not be decoded"),
        (502, GitHubUnavailable, "502"),
    ],
)
def test_why_there_is_no_token_is_said(
    http: responses.RequestsMock, tmp_path: Path, status: int, error: type[Exception], words: str
) -> None:
    said = {"message": "A JSON web token could not be decoded"}
    http.get(f"{API}/repos/{REPOSITORY}/installation", status=status, json=said)
    with pytest.raises(error, match=words):
        GitHub(with_app(tmp_path, AtGitHub())).manifest(REPOSITORY, SHA)


def test_what_is_of_no_repository_is_asked_by_any_installation(
    http: responses.RequestsMock, tmp_path: Path
) -> None:
    http.get(f"{API}/app/installations", json=[{"id": 71}])
    http.post(f"{API}/app/installations/71/access_tokens", status=201, json={"token": "ghs_1"})
    core = {"remaining": 4999, "limit": 5000}
    http.get(f"{API}/rate_limit", json={"resources": {"core": core}})
    assert GitHub(with_app(tmp_path, AtGitHub())).calls_left() == (4999, 5000)


def test_the_app_s_key_goes_to_the_api_alone(http: responses.RequestsMock, tmp_path: Path) -> None:
    http.get(
        f"{API}/repos/{REPOSITORY}/installation",
        status=302,
        headers={"Location": "https://evil.example/"},
    )
    with pytest.raises(GitHubError, match=r"redirects to https://evil\.example:443, another host"):
        GitHub(with_app(tmp_path, AtGitHub())).manifest(REPOSITORY, SHA)


def test_rights_are_asked_for_as_the_app_and_checks_are_among_them(
    http: responses.RequestsMock, tmp_path: Path
) -> None:
    install(http, "ghs_1")
    repo = f"{API}/repos/{REPOSITORY}"
    http.get(repo, json={"default_branch": "main", "private": True})
    http.get(f"{repo}/branches/main", json={})
    http.get(f"{repo}/pulls", json=[{"number": 7}])
    http.post(f"{repo}/statuses/{'0' * 40}", status=422, json=BAD)
    http.post(f"{repo}/issues/7/comments", status=422, json=BAD)
    refusal = {"message": "Resource not accessible by integration"}
    http.post(f"{repo}/check-runs", status=403, json=refusal)
    found = list(Rights(with_app(tmp_path, AtGitHub())).of(REPOSITORY))
    assert [right.purpose for right in found if not right.lacks] == [
        "repository", "manifests", "pull requests", "statuses", "comments",
    ]  # fmt: skip
    assert [right.lacks for right in found if right.lacks] == ["Checks: write"]


def test_the_app_s_own_comment_is_known_by_the_app(
    http: responses.RequestsMock, tmp_path: Path
) -> None:
    install(http, "ghs_1")
    app = AtGitHub()
    url = f"{API}/repos/{REPOSITORY}/issues"
    forged = {"id": 1, "body": "<!-- m --> x", "user": {"id": 4}, "performed_via_github_app": None}
    other = forged | {"id": 2, "performed_via_github_app": {"id": 9, "client_id": "Iv1"}}
    ours = forged | {"id": 3, "performed_via_github_app": app.shown}
    http.get(f"{url}/7/comments", json=[forged, other, ours])
    http.patch(f"{url}/comments/3", json=ours)
    client = GitHub(with_app(tmp_path, app))
    client.put_comment(REPOSITORY, 7, "<!-- m -->", "<!-- m --> text")
    assert not [call for call in http.calls if str(call.request.url).endswith("/user")]


# --- configuration ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"app_id": 7}, "app_id and private_key_file: expected both"),
        ({"private_key_file": "KEY"}, "app_id and private_key_file: expected both"),
        ({"app_id": 7, "private_key_file": "KEY", "token": "ghp_1"}, "not both"),
        ({"app_id": 7, "private_key": "x"}, "expected its file alone"),
        ({"app_id": "a b", "private_key_file": "KEY"}, "app_id"),
        ({"app_id": True, "private_key_file": "KEY"}, "app_id"),
        ({"app_id": 7, "private_key_file": "/nowhere/key.pem"}, "No such file"),
    ],
)
def test_an_app_is_configured_whole(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    key = tmp_path / "key"
    key.write_text("secret-of-the-app")
    whole = {name: str(key) if value == "KEY" else value for name, value in config.items()}
    with pytest.raises(ValueError, match=said) as caught:
        settings.GitHub.model_validate(whole)
    assert "secret-of-the-app" not in str(caught.value)


def test_the_key_shows_nowhere(tmp_path: Path) -> None:
    config = with_app(tmp_path, AtGitHub())
    assert config.has_token
    assert "PRIVATE KEY" not in repr(config) + json.dumps(config.model_dump(mode="json"))
    assert fetch.Token("ghs_1") == fetch.Token("ghs_1") != fetch.Token("ghs_2")
