"""A token goes to the configured API alone, and no answer of GitHub's holds or breaks the service.

Servers are real and on loopback; another port is another host.
"""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gm_analytics import settings
from gm_analytics.errors import GitHubError, GitHubUnavailable
from gm_analytics.github.client import GitHub
from gm_analytics.manifest import MAX_BYTES
from gm_analytics.mirror.served import wait_until_visible
from tests.security.strangers import Stranger, answer, drip, stranger

_HEAD = b"HTTP/1.1 200 OK\r\n"
TOKEN = "ghp_of_the_service"
SHA = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "icesi/packages"
MARKER = "<!-- m -->"


def github(server: Stranger, **config: Any) -> GitHub:
    addresses = {"api_url": server.url, "raw_url": server.url}
    return GitHub(settings.GitHub.model_validate({**addresses, "token": TOKEN, **config}))


def comment(url: str = "") -> dict[str, Any]:
    return {"id": 9, "url": url, "body": f"{MARKER} old", "user": {"id": 1}}


def mirror_settings(directory: Path, url: str) -> settings.Mirror:
    files = {"identity_file": directory / "key", "known_hosts": "/dev/null"}
    return settings.Mirror.model_validate(
        {"name": "m", "url": url, "upstream": {"releasever": "9"}, **files}
    )


def put_comment(hub: GitHub) -> None:
    hub.put_comment(REPOSITORY, 7, MARKER, f"{MARKER} new")


CALLS: dict[str, Callable[[GitHub], object]] = {
    "manifest": lambda hub: hub.manifest(REPOSITORY, SHA),
    "contains": lambda hub: hub.contains(REPOSITORY, SHA, SHA),
    "comment": put_comment,
    "limit": lambda hub: hub.calls_left(),
    "status": lambda hub: hub.set_status(
        REPOSITORY, SHA, "success", description="d", url="", context="c"
    ),
}


def outcome(call: str, server: Stranger) -> str:
    """Give the words of the call's error, if it is one of those that a call may raise."""
    try:
        CALLS[call](github(server))
    except (GitHubError, GitHubUnavailable) as error:
        return str(error)
    return ""


# --- where the configuration is looked for ---------------------------------------------------


def run(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("GM_")}
    return subprocess.run(
        [str(Path(sys.executable).parent / "gm-analytics"), *arguments],
        cwd=directory,
        env={**known, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def configuration(directory: Path, server: Stranger) -> dict[str, Any]:
    (directory / "token").write_text(TOKEN)
    (directory / "key").touch()
    return {
        "webhook": {"secret": "x" * 20, "repositories": [REPOSITORY]},
        "github": {"api_url": server.url, "token_file": str(directory / "token")},
        "database_url": f"sqlite:///{directory}/updates.sqlite",
        "mirrors": [
            {
                "name": "m",
                "host": "127.0.0.1",
                "port": 1,
                "identity_file": str(directory / "key"),
                "known_hosts": str(directory / "key"),
                "url": "http://127.0.0.1:1/",
                "upstream": {"releasever": "9"},
            }
        ],
    }


def test_a_strangers_checkout_learns_no_token(tmp_path: Path) -> None:
    with stranger(lambda _: answer({})) as evil:
        wanted = yaml.safe_dump(configuration(tmp_path, evil))
        for name in ("gm_analytics.yaml", "config.yaml", ".env", "dbos-config.yaml"):
            (tmp_path / name).write_text(wanted)
        done = run(tmp_path, "check")
    assert evil.asked == []
    assert done.returncode == 2
    assert "configuration file: not found" in done.stderr


def test_nothing_in_the_directory_and_no_dbos_cloud_takes_the_services_place(
    tmp_path: Path,
) -> None:
    """Modules of a stranger are not imported, and DBOS keeps to the configured database."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("yaml", "requests", "sitecustomize", "gm_analytics", "json", "handlers"):
        (checkout / f"{name}.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    with stranger(lambda _: answer({})) as server:
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump(configuration(tmp_path, server)))
        config.chmod(0o600)
        done = run(
            checkout,
            "updates",
            GM_ANALYTICS_CONFIG=str(config),
            DBOS__CLOUD="true",
            DBOS_APP_NAME="stranger",
            DBOS_SYSTEM_DATABASE_URL=f"sqlite:///{checkout}/stranger.sqlite",
        )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "canary").exists()
    assert not (checkout / "stranger.sqlite").exists()
    assert (tmp_path / "updates.sqlite").exists()


def test_dbos_takes_no_orders_from_the_environment(tmp_path: Path) -> None:
    program = (
        "import gm_analytics.engine.client, dbos._utils as u; print(u.GlobalParams.dbos_cloud)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "DBOS__CLOUD": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


def test_a_persons_fabric_yaml_leads_no_connection_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gm_analytics.remote import opening  # noqa: PLC0415

    (tmp_path / ".fabric.yaml").write_text("gateway: evil.example\nforward_agent: true\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    seen: list[Any] = []
    monkeypatch.setattr(opening.fabric.Connection, "open", lambda self: seen.append(self))  # noqa: PLW0108
    mirror = mirror_settings(tmp_path, url="http://m/")
    monkeypatch.setattr(opening.socket, "create_connection", lambda *_: socket.socket())
    with pytest.raises(AttributeError):  # there is no transport
        opening.connect(mirror)
    assert (seen[0].gateway, seen[0].forward_agent) == (None, False)


# --- where the token goes -------------------------------------------------------------------


@pytest.mark.parametrize("call", sorted(CALLS))
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_no_redirect_leads_to_another_host(call: str, status: str) -> None:
    with (
        stranger(lambda _: answer([])) as evil,
        stranger(lambda _: answer(b"", f"Location: {evil.url}/x", status=status)) as server,
        pytest.raises(GitHubError, match=r"redirects to http://127\.0\.0\.1:.*, another host"),
    ):
        CALLS[call](github(server))
    assert evil.asked == []


@pytest.mark.parametrize(
    "location", ["//evil.example/x", "https://127.0.0.1/x", "http://a@evil.example\\@127.0.0.1/"]
)
def test_an_address_is_read_as_it_is_asked(location: str) -> None:
    with (
        stranger(lambda _: answer(b"", f"Location: {location}", status="302 Found")) as server,
        pytest.raises(GitHubError, match="another host"),
    ):
        CALLS["manifest"](github(server))


def test_a_repository_that_was_renamed_is_followed_at_home_with_its_method_and_its_token() -> None:
    def say(request: str) -> list[bytes]:
        if " /new" in request:
            return answer({}, status="201 Created")
        return answer(b"", "Location: /new", status="301 Moved Permanently")

    with stranger(say) as server:
        CALLS["status"](github(server))
    assert [request.split(" HTTP")[0] for request in server.asked] == [
        f"POST /repos/{REPOSITORY}/statuses/{SHA}",
        "POST /new",
    ]
    assert all(f"Authorization: Bearer {TOKEN}" in request for request in server.asked)


def test_a_circle_of_redirects_ends() -> None:
    with (
        stranger(lambda _: answer(b"", "Location: /x", status="302 Found")) as server,
        pytest.raises(GitHubError, match="redirected more than 3 times"),
    ):
        CALLS["manifest"](github(server))
    assert len(server.asked) == 4


def test_the_next_page_is_not_looked_for_at_another_host() -> None:
    with (
        stranger(lambda _: answer([])) as evil,
        stranger(lambda _: answer([], f'Link: <{evil.url}/p2>; rel="next"')) as server,
        pytest.raises(GitHubError, match=r"which is not http://127\.0\.0\.1"),
    ):
        put_comment(github(server))
    assert evil.asked == []


def test_pages_end() -> None:
    with (
        stranger(lambda _: answer([], 'Link: </p>; rel="next"')) as server,
        pytest.raises(GitHubError, match="more than 100 pages"),
    ):
        put_comment(github(server))
    assert len(server.asked) == 100


def test_a_comment_is_changed_at_the_api_whatever_address_it_names() -> None:
    def say(request: str) -> list[bytes]:
        if " /user " in request:
            return answer({"id": 1})
        return answer([comment(evil.url)] if request.startswith("GET") else {})

    with stranger(lambda _: answer({})) as evil, stranger(say) as server:
        put_comment(github(server))
    assert evil.asked == []
    assert server.asked[-1].startswith(f"PATCH /repos/{REPOSITORY}/issues/comments/9 ")


@pytest.mark.parametrize("token", [TOKEN, None])
def test_a_netrc_takes_no_tokens_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    (tmp_path / "netrc").write_text("default login alice password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with stranger(lambda _: answer(b"[]")) as server:
        CALLS["manifest"](github(server, token=token))
    expected = [f"Authorization: Bearer {TOKEN}"] if token else []
    found = [line for line in server.asked[0].splitlines() if line.startswith("Authorization")]
    assert found == expected


def test_without_tls_no_proxy_reads_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with stranger(lambda _: answer([])) as evil, stranger(lambda _: answer(b"[]")) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, evil.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert CALLS["manifest"](github(server)) == b"[]"
    assert (len(server.asked), evil.asked) == (1, [])


def test_a_mirrors_web_server_is_told_nothing_of_a_netrc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login alice password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with stranger(lambda _: answer(b"")) as server:
        mirror = mirror_settings(tmp_path, url=server.url)
        wait_until_visible(mirror, sha256(b"").hexdigest())
    assert "Authorization" not in server.asked[0]


def test_over_tls_there_is_a_deadline_too_and_the_environment_names_the_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = "subjectAltName=IP:127.0.0.1"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    words += ["-subj", "/CN=x", "-addext", names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def say(_: str) -> Any:
        yield _HEAD + b"Content-Length: 9999\r\n\r\n["
        yield from drip(b"", 0.05, 6)

    with stranger(say, context) as server:
        with pytest.raises(GitHubUnavailable, match="certificate verify failed"):
            CALLS["contains"](github(server))
        with pytest.raises(GitHubUnavailable, match="invalid path: /nowhere"):
            CALLS["contains"](github(server, ca_file="/nowhere"))
        assert server.asked == []
        with pytest.raises(GitHubUnavailable):
            CALLS["contains"](github(server, timeout=0.3, ca_file=certificate))
        assert len(server.asked) == 1
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        started = time.monotonic()
        with pytest.raises(GitHubUnavailable):
            CALLS["contains"](github(server, timeout=0.3))
    assert time.monotonic() - started < 2.5
    assert f"Bearer {TOKEN}" in server.asked[1]


# --- how long, and how much -----------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_HEAD + b"X-Slow: " + b"x" * 10, id="in a header"),
        pytest.param(_HEAD + b"Content-Length: 9999\r\n\r\n[" + b" " * 10, id="in the body"),
        pytest.param(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n9999\r\n[", id="in a chunk"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, id="before the answer"),
        pytest.param(b"HTTP/1.1 500 Bad\r\n\r\n" + b"x" * 10, id="in an error"),
    ],
)
def test_a_byte_now_and_then_holds_nobody(data: bytes) -> None:
    """The time for a whole answer is three times `timeout`, whatever comes in it."""

    def say(_: str) -> Any:
        begun = 60 if b"\r\n\r\n" in data else 20
        yield data[:begun]
        yield from drip(data[begun:], 0.05, 6)

    with stranger(say) as server:
        started = time.monotonic()
        with pytest.raises(GitHubUnavailable):
            CALLS["contains"](github(server, timeout=0.2))
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("extra", [0, 1])
def test_an_answer_of_the_largest_size_is_read_and_a_larger_one_refused(
    monkeypatch: pytest.MonkeyPatch, extra: int
) -> None:
    from gm_analytics.github import api  # noqa: PLC0415

    monkeypatch.setattr(api, "MAX_JSON", 1000)
    said = b'{"status": "ahead"}'.ljust(1000 + extra)
    with stranger(lambda _: answer(said)) as server:
        if extra:
            with pytest.raises(GitHubUnavailable, match="more than 1,000 bytes"):
                CALLS["contains"](github(server))
        else:
            assert CALLS["contains"](github(server))


@pytest.mark.parametrize("call", sorted(CALLS))
@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
def test_an_endless_answer_is_left(call: str, status: str) -> None:
    def say(_: str) -> Any:
        yield f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n[".encode()
        for _ in range(1024):
            yield b" " * 1024 * 64

    with stranger(say) as server:
        said = outcome(call, server)
    assert len(said) < 1000
    assert server.sent < 48 * 1024 * 1024


def test_a_small_answer_does_not_become_a_large_one() -> None:
    packed = gzip.compress(b" " * 100_000_000)
    with stranger(lambda _: answer(packed, "Content-Encoding: gzip")) as server:
        found = github(server).manifest(REPOSITORY, SHA)
    assert MAX_BYTES < len(found) <= MAX_BYTES + 64 * 1024


# --- of what shape --------------------------------------------------------------------------

WRONG = ["", "<html>", "null", "[]", "{}", "7", '"x"', "[null]", "[[]]", '[{"id": -1}]',
         '{"status": 7}', '{"resources": []}', '{"id": "1"}', "[" * 100_000, '{"message": []}',
         '[{"id": 1, "body": [], "user": {}}]', "\x00", "NaN", '{"status": "ahead"',
         '[{"id": 9, "body": "<!-- m --> x", "user": null, "url": 7}]']  # fmt: skip


def no_traceback(call: str, said: bytes, status: str = "200 OK") -> None:
    """A GitHub that answers so gets an error of ours, or an answer that was good."""
    with stranger(lambda _: answer(said, status=status)) as server:
        words = outcome(call, server)
    assert len(words) < 1000
    assert TOKEN not in words


@pytest.mark.parametrize("call", sorted(CALLS))
@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "500 Unicorn"])
def test_json_of_another_shape_is_no_traceback(call: str, status: str) -> None:
    for said in WRONG:
        no_traceback(call, said.encode(), status)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "body", "user", "status", "resources", "core", "message"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(call=st.sampled_from(sorted(CALLS)), said=JSON)
def test_any_json_is_no_traceback(call: str, said: object) -> None:
    import json  # noqa: PLC0415

    no_traceback(call, json.dumps(said).encode())
