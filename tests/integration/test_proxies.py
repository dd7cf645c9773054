"""What stands between: reverse and forward proxies, private authorities, a bastion."""

from __future__ import annotations

import socket
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from gm_analytics import settings
from gm_analytics.errors import GmError, HostKeyRefused, MirrorUnreachable
from gm_analytics.github.client import GitHub
from gm_analytics.manifest import Manifest
from gm_analytics.operations import check
from gm_analytics.service import Service
from gm_analytics.updates.model import Outcome
from lab.deliveries import deliver
from lab.mirror_host import MirrorHost
from lab.processes import reserve_port, run
from lab.site import Service as Processes
from lab.site import Site
from lab.web import WebServer
from tests.install.network import pump
from tests.integration.conftest import at_once, manifest
from tests.support import command_line
from tests.support.serving import Quiet, serving

PROGRAM = str(Path(sys.executable).parent / "gm-analytics")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        apply(running, "tree")
        yield running


def apply(site: Site, name: str, **changes: Any) -> Outcome:
    given = site.settings(mirrors=[site.mirror.settings(**changes)])
    operations = Service(settings.Settings.model_validate(given)).operations
    wanted = Manifest.parse(manifest(name).encode())
    return operations.apply(wanted, site.mirror.name, at_once())


def said(site: Site, subject: str, **changes: Any) -> str:
    """Check the mirror; give the line about something."""
    given = site.settings(mirrors=[site.mirror.settings(**changes)])
    config = settings.Settings.model_validate(given)
    found = list(check.run(config, lambda: "there", lambda: "lab"))
    wanted = f"mirror {site.mirror.name} {subject}".rstrip()
    return next(f"{one.severity} {one.text}" for one in found if one.subject == wanted)


# --- a bastion --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bastion(site: Site) -> Iterator[MirrorHost]:
    with MirrorHost.running(site.directory / "bastion", ()) as running:
        yield running


def jump(bastion: MirrorHost, **changes: Any) -> dict[str, Any]:
    files = {"identity_file": str(bastion.identity_file), "known_hosts": str(bastion.known_hosts)}
    return {"host": bastion.host, "port": bastion.port, "user": bastion.user, **files, **changes}


def test_a_mirror_is_reached_through_a_bastion(site: Site, bastion: MirrorHost) -> None:
    with bastion.saying("authorized_keys", ("restrict ", "restrict,port-forwarding ")):
        assert apply(site, "leaf01", jump=jump(bastion)).state == "published"
        line = said(site, "", jump=jump(bastion))
    assert bastion.accepted_connections() == 2
    assert line.startswith("ok ")
    assert f", through {bastion.user}@127.0.0.1:{bastion.port}, host key as in" in line


def test_a_bastion_that_forwards_nothing_is_told_as_that(site: Site, bastion: MirrorHost) -> None:
    with pytest.raises(MirrorUnreachable, match="the bastion does not connect to it") as caught:
        apply(site, "leaf02", jump=jump(bastion))
    assert f"-J {bastion.user}@127.0.0.1:{bastion.port} " in caught.value.hint


def test_a_bastion_has_a_key_of_its_own(site: Site, bastion: MirrorHost) -> None:
    """That of the mirror is not it."""
    with pytest.raises(HostKeyRefused, match=rf"of \[127\.0\.0\.1\]:{bastion.port} is not in"):
        apply(site, "leaf02", jump=jump(bastion, known_hosts=None))


def test_a_bastion_that_is_away_is_named(site: Site, bastion: MirrorHost) -> None:
    port = reserve_port()
    with pytest.raises(MirrorUnreachable, match=rf"127\.0\.0\.1:{port}: .*onnect"):
        apply(site, "leaf02", jump=jump(bastion, port=port))


# --- forward proxies and authorities ------------------------------------------------------------


@contextmanager
def forwarding(asked: list[str], to: str = "", certificate: Path | None = None) -> Iterator[str]:
    """A proxy, or a server that gives what is at another address."""

    class Handler(Quiet):
        def do_GET(self) -> None:  # noqa: N802  # http.server calls it so
            asked.append(self.path)
            with requests.Session() as session:
                session.trust_env = False
                reply = session.get(to + self.path, timeout=5)
            self.send_response(reply.status_code)
            self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

    with serving(Handler, certificate) as url:
        yield url


def test_a_proxy_of_the_configuration_is_asked_and_named(site: Site) -> None:
    asked: list[str] = []
    with forwarding(asked) as proxy:
        secret = proxy.replace("//", "//ana:secret@")
        line = said(site, "web", proxy=secret)
        assert apply(site, "leaf03", proxy=proxy).state == "published"
    assert line.startswith("ok ")
    assert f", through the proxy {proxy} serves the live publication" in line
    assert f"{site.mirror.web.url}repodata/repomd.xml" in asked


def test_a_proxy_that_is_away_is_named_as_the_cause(site: Site) -> None:
    line = said(site, "web", proxy="http://127.0.0.1:9")
    assert line.startswith("fail ")
    assert ", through the proxy http://127.0.0.1:9: Connection refused. " in line


@pytest.mark.parametrize(
    ("environment", "configured", "is_asked"),
    [
        ({}, None, True),
        ({"NO_PROXY": "127.0.0.1"}, None, False),
        ({"no_proxy": "localhost,127.0.0.1"}, None, False),
        ({}, "none", False),
    ],
)
def test_a_proxy_of_the_environment_counts(
    site: Site, environment: dict[str, str], configured: str | None, is_asked: bool
) -> None:
    asked: list[str] = []
    more = {"proxy": configured} if configured else {}
    config = site.config(mirrors=[site.mirror.settings(**more)])
    cleared = dict.fromkeys(("https_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"))
    with forwarding(asked) as proxy:
        environment = {**cleared, "http_proxy": proxy, **environment}
        done = command_line.run(("check", "--config", str(config)), environment=environment)
    assert done.returncode == 0, done.stdout
    named = f", through the proxy {proxy} of the environment serves the live" in done.stdout
    assert (bool(asked), named) == (is_asked, is_asked), done.stdout


def certified(tmp_path: Path) -> Path:
    """Make a certificate of 127.0.0.1, beside `public.pem`; give the file that has its key too."""
    certificate = tmp_path / "certificate.pem"
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(certificate), "-out", str(tmp_path / "public.pem")])  # fmt: skip
    certificate.write_text(certificate.read_text() + (tmp_path / "public.pem").read_text())
    return certificate


def test_a_private_authority_is_believed_where_it_is_named(site: Site, tmp_path: Path) -> None:
    certificate = certified(tmp_path)
    with forwarding([], site.mirror.web.url.rstrip("/").removesuffix("/repo"), certificate) as url:
        refused = said(site, "web", url=f"{url}/repo/")
        taken = said(site, "web", url=f"{url}/repo/", ca_file=str(tmp_path / "public.pem"))
    assert "certificate verify failed" in refused
    assert "mirrors[].ca_file" in refused
    assert taken.startswith("ok ")


@contextmanager
def connecting(asked: list[str], status: int = 200) -> Iterator[str]:
    """A proxy for what is encrypted, which asks it to be let through: CONNECT."""

    class Handler(Quiet):
        def do_CONNECT(self) -> None:  # noqa: N802  # as above
            asked.append(f"{self.path} {self.headers.get('Proxy-Authorization', '')}".rstrip())
            self.send_response(status)
            self.end_headers()
            if status == 200:
                host, _, port = self.path.partition(":")
                with socket.create_connection((host, int(port))) as outside:
                    pump(self.connection, outside)

    with serving(Handler) as url:
        yield url


def test_github_is_asked_over_tls_through_a_proxy(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certified(tmp_path)
    sha = site.push(manifest("tree"), "proxied").head_sha
    lab = site.github.api_url.removesuffix("/api/v3")
    asked: list[str] = []
    elsewhere: list[str] = []

    def read(**changes: Any) -> bytes:
        addresses = {"api_url": f"{url}/api/v3", "raw_url": f"{url}/raw"}
        files = {"ca_file": str(tmp_path / "public.pem")}
        config = settings.GitHub.model_validate({**addresses, **files, **changes})
        return GitHub(config).manifest(site.repository.name, sha)

    with (
        forwarding([], lab, certificate) as url,
        connecting(asked) as proxy,
        connecting(elsewhere, 403) as refusing,
    ):
        where = url.removeprefix("https://")
        named = proxy.replace("//", "//ana:secret@")
        assert b"tree" in read(proxy=named)
        word = b64encode(b"ana:secret").decode()
        assert asked == [f"{where} Basic {word}"]
        monkeypatch.setenv("HTTPS_PROXY", refusing)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert b"tree" in read(proxy="none")
        assert b"tree" in read(proxy=proxy)
        assert (asked[1:], elsewhere) == ([where], []), "that of the configuration goes before"
        with pytest.raises(GmError, match="403") as caught:
            read()
        assert set(elsewhere) == {where}
        with pytest.raises(GmError) as caught:
            read(proxy=refusing.replace("//", "//ana:secret@"))
        assert "secret" not in str(caught.value) + caught.value.hint


# --- a reverse proxy ----------------------------------------------------------------------------


@pytest.mark.parametrize("after", ["", "/"], ids=["kept", "taken off"])
def test_the_service_works_behind_a_prefix(site: Site, after: str) -> None:
    place = site.directory / f"front{len(after)}"
    front = WebServer(place, site.directory, "/none/")
    public = f"http://127.0.0.1:{front.port}/gm"
    with Processes.running(site, site.config(public_url=public)) as running:
        pass_on = f"location /gm/ {{ proxy_pass http://127.0.0.1:{running.port}{after}; }}"
        front.start(("location / {", f"{pass_on}\n    location / {{"))
        try:
            pull = site.push(manifest(f"leaf1{len(after)}"))
            address = f"{public}/ci_server/updates/"
            reply = deliver(address, pull.payload(), site.secret)
            assert reply.status_code == 202, reply.text
            status = reply.json()["status_url"]
            assert status == f"{public}/ci_server/updates/{reply.json()['update_id']}"
            assert running.end_of(reply.json()["update_id"])["state"] == "published"
            page = requests.get(status, headers={"Accept": "text/html"}, timeout=10)
            assert (page.status_code, "text/html" in page.headers["content-type"]) == (200, True)
            found = requests.get(f"{public}/swagger.json", timeout=10).json()
            assert found["basePath"] == "/gm"
        finally:
            front.stop()
