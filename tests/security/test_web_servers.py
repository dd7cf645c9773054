"""A mirror's web server that is a stranger's holds nobody, and ends no `status` of the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gm_analytics.errors import GitHubError, NotVisible
from gm_analytics.mirror import served
from gm_analytics.mirror.served import Differs, File, Served, wait_until_visible
from gm_analytics.operations import status
from gm_analytics.operations.findings import Finding
from gm_analytics.operations.status import Kept
from tests.security.strangers import Say, Stranger, answer, drip, stranger
from tests.security.test_credentials import CALLS, github, mirror_settings

NOTHING = sha256(b"").hexdigest()
OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def web_of(directory: Path, say: Say) -> Iterator[tuple[Stranger, Served]]:
    with (
        stranger(say) as server,
        Served(mirror_settings(directory, url=server.url)) as web,
    ):
        yield server, web


# --- how long --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(OK + b"X-Slow: " + b"x" * 10, id="in a header"),
        pytest.param(OK + b"Content-Length: 9999\r\n\r\n<" + b" " * 10, id="in the body"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n9999\r\n<", id="in a chunk"),
    ],
)
def test_a_byte_now_and_then_holds_no_mirrors_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    """The time for all attempts is `WHOLE`, and the last of them may take as long again."""
    monkeypatch.setattr(served, "WHOLE", 0.4)
    monkeypatch.setattr(served, "SLOWEST", 1024**3)

    def say(_: str) -> Iterable[bytes]:
        yield data[:20]
        yield from drip(data[20:], 0.02, 8)

    with stranger(say) as server:
        mirror = mirror_settings(tmp_path, url=server.url)
        started = time.monotonic()
        with pytest.raises(NotVisible):
            wait_until_visible(mirror, NOTHING)
    assert time.monotonic() - started < 2


class Staying(BaseHTTPRequestHandler):
    """Answers each request over the connection of the one before."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.connections.add(self.client_address)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "1")
        self.end_headers()
        self.wfile.write(b"x")

    def log_message(self, *_: object) -> None:
        pass


def test_each_answer_over_one_connection_has_its_own_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "WHOLE", 0.4)
    monkeypatch.setattr(served, "SLOWEST", 1024**3)
    with ThreadingHTTPServer(("127.0.0.1", 0), Staying) as server:
        server.connections = set()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        file = File("f", sha256(b"x").hexdigest(), size=1)
        with Served(mirror_settings(tmp_path, f"http://127.0.0.1:{server.server_port}")) as web:
            web.file(file)
            time.sleep(0.5)
            web.file(file)
        server.shutdown()
        assert len(server.connections) == 1  # type: ignore[attr-defined]


# --- how much --------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [File("f", NOTHING, size=1000), File("f", NOTHING, most=1000)])
def test_an_endless_file_is_left(tmp_path: Path, file: File) -> None:
    def say(_: str) -> Iterable[bytes]:
        yield OK + b"\r\n"
        yield from [b" " * 65536] * 1024

    with web_of(tmp_path, say) as (server, web), pytest.raises(Differs, match="not the bytes"):
        web.file(file)
    assert server.sent < 32 * 1024 * 1024


@pytest.mark.parametrize("extra", [0, 1])
def test_a_file_of_the_size_that_is_known_is_read_and_a_larger_one_refused(
    tmp_path: Path, extra: int
) -> None:
    """As many bytes as asked for have the checksum; those after them do not count as them."""
    said = OK + b"\r\n" + b"x" * (1000 + extra)
    with web_of(tmp_path, lambda _: [said]) as (_, web):
        file = File("f", sha256(b"x" * 1000).hexdigest(), size=1000)
        if extra:
            with pytest.raises(Differs, match="not the bytes"):
                web.file(file)
        else:
            web.file(file)


# --- where, and what -------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["301 Moved Permanently", "302 Found", "308 Permanent Redirect"])
def test_no_redirect_is_followed(tmp_path: Path, code: str) -> None:
    with (
        stranger(lambda _: answer(b"")) as evil,
        web_of(tmp_path, lambda _: answer(b"", f"Location: {evil.url}/x", status=code)) as found,
    ):
        for digest in (NOTHING, None):
            with pytest.raises(Differs, match=f"f: {code}: it redirects") as caught:
                found[1].file(File("f", digest))
            assert not caught.value.unknown
    assert evil.asked == []


LOCATIONS = ["/x", "http://[", "\xff", "http://:99999999/", "//"]


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_redirects_body_is_not_read(tmp_path: Path, location: str) -> None:
    def say(_: str) -> Iterable[bytes]:
        yield f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode("latin-1")
        yield from [b" " * 65536] * 1024

    with web_of(tmp_path, say) as (server, web), pytest.raises(Differs, match="302 Found"):
        web.file(File("f", NOTHING))
    assert server.sent < 32 * 1024 * 1024


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_redirects_body_is_not_read_of_who_answers_for_github(location: str) -> None:
    def say(_: str) -> Iterable[bytes]:
        yield f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode("latin-1")
        yield from [b" " * 65536] * 1024

    with stranger(say) as server, pytest.raises(GitHubError):
        CALLS["contains"](github(server))
    assert server.sent < 8 * 32 * 1024 * 1024


@pytest.mark.parametrize("length", ["abc", "-5", "1_0", "9" * 5000, ""])
def test_a_length_that_is_no_number_differs(tmp_path: Path, length: str) -> None:
    said = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode()
    with (
        web_of(tmp_path, lambda _: [said]) as (_, web),
        pytest.raises(Differs, match=r"f: Content-Length '.{0,80}'; expected a number$") as caught,
    ):
        web.file(File("f", size=5))
    assert not caught.value.unknown


# --- repomd.xml ------------------------------------------------------------------------------

_SHA1 = sha1(b"x", usedforsecurity=False).hexdigest()
OLD = (
    '<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision>'
    '<data type="primary_db"><checksum type="sha">{sum}</checksum>'
    '<location href="{href}"/><database_version>10</database_version></data></repomd>'
)
"""As createrepo of EL 6 wrote it."""


def findings(directory: Path, repomd: bytes, *, made: bool) -> list[Finding]:
    def say(request: str) -> list[bytes]:
        return answer(repomd if "repomd.xml" in request else b"x")

    with stranger(say) as server:
        mirror = mirror_settings(directory, url=server.url)
        kept = Kept((), None, made=made)
        return list(status._web(mirror, sha256(repomd).hexdigest(), kept, checksums=False))


MALFORMED: Any = {
    "no XML": b"not xml",
    "nothing": b"",
    "other XML": b"<html/>",
    "an unknown encoding": b"<?xml version='1.0' encoding='nosuch'?><repomd/>",
    "an encoding of many bytes": b"<?xml version='1.0' encoding='shift_jis'?><repomd/>",
    "a deep one": b"<a>" * 80_000,
    "no checksum": OLD.format(sum="", href="repodata/f").encode(),
    "an unknown checksum": OLD.replace('"sha"', '"nosuch"')
    .format(sum=_SHA1, href="repodata/f")
    .encode(),
    "a checksum without a length": OLD.replace('"sha"', '"shake_128"')
    .format(sum=_SHA1, href="repodata/f")
    .encode(),
    "a path elsewhere": OLD.format(sum=_SHA1, href="../../f").encode(),
    "a size that is none": OLD.replace("<database_version>10</database_version>", "<size>x</size>")
    .format(sum=_SHA1, href="repodata/f")
    .encode(),
    "a large size": OLD.replace(
        "<database_version>10</database_version>", "<size>999999999999</size>"
    )
    .format(sum=_SHA1, href="repodata/f")
    .encode(),
}


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("case", MALFORMED)
def test_a_repomd_of_another_form_fails_for_its_mirror(
    tmp_path: Path, case: str, made: bool
) -> None:
    (found,) = findings(tmp_path, MALFORMED[case], made=made)
    assert (found.subject, found.severity) == ("mirror m web", "fail")
    assert found.said.startswith("repodata/repomd.xml: found ")
    assert len(found.said) < 600


def test_a_repository_that_was_taken_over_may_have_other_files(tmp_path: Path) -> None:
    repomd = OLD.format(sum=_SHA1, href="repodata/f").encode()
    found = findings(tmp_path, repomd, made=False)
    assert [one.severity for one in found] == ["ok", "ok"]
    assert "the 1 files that it names are" in found[0].said
