"""What clients check by: upstream's keys, served with a publication, and the file that says so."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from gm_analytics import settings
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.publication import Publication
from gm_analytics.operations import clients
from gm_analytics.service import Service
from gm_analytics.updates.model import Outcome
from lab.client import Client
from lab.github import certificates, make_certificate
from lab.packages import Package
from lab.processes import wait_for
from lab.site import Service as Processes
from lab.site import Site
from lab.upstream import SigningKey, Upstream
from tests.support import command_line

from .conftest import at_once, manifest


@pytest.fixture(scope="module")
def key() -> Iterator[SigningKey]:
    with SigningKey.make() as made:
        yield made


@pytest.fixture(scope="module")
def other() -> Iterator[SigningKey]:
    with SigningKey.make() as made:
        yield made


@pytest.fixture(scope="module")
def third() -> Iterator[SigningKey]:
    with SigningKey.make() as made:
        yield made


@pytest.fixture(scope="module")
def signed(key: SigningKey) -> Iterator[Site]:
    with Site.running(key) as running:
        yield running


Run = Callable[..., "subprocess.CompletedProcess[str]"]


def commands(site: Site, **changes: Any) -> Run:
    """Run `gm-analytics` with a site's configuration, and changes of it."""
    config = site.config(**changes)
    return lambda *words: command_line.run((words[0], "--config", str(config), *words[1:]))


def service_of(site: Site, **changes: Any) -> Service:
    return Service(settings.Settings.model_validate(site.settings(**changes)))


def apply(site: Site, *names: str, **changes: Any) -> Outcome:
    wanted = Manifest.parse(manifest(*names).encode())
    return service_of(site, **changes).operations.apply(wanted, site.mirror.name, at_once())


def live(site: Site) -> Publication:
    text = (site.mirror.host.root / "repodata" / ".." / "publication.json").read_text()
    found = Publication.parse(text)
    assert found
    return found


def file_of(site: Site) -> clients.ClientFile:
    service = service_of(site)
    return clients.of_live(service.mirrors, service.settings.mirror(site.mirror.name))


def client_with(site: Site, text: str) -> Client:
    client = site.client()
    for file in (client.directory / "reposdir").glob("*.repo"):
        file.unlink()
    (client.directory / "reposdir" / "gm-mirror.repo").write_text(text)
    return client


def fingerprint(key: SigningKey) -> str:
    listed = key.gpg("--with-colons", "--list-keys").splitlines()
    return next(line.split(":")[9] for line in listed if line.startswith("fpr"))


def test_a_client_checks_each_package_by_the_keys_that_are_served(
    signed: Site, key: SigningKey
) -> None:
    assert apply(signed, "tree").state == "published"
    found = live(signed).signatures
    assert found is not None
    assert [one.fingerprint for one in found.keys] == [fingerprint(key)]
    assert not found.unsigned
    assert not found.lacking
    [served] = found.keys
    reply = requests.get(f"{signed.mirror.web.url}{served.path}", timeout=10)
    assert reply.status_code == 200
    assert "BEGIN PGP PUBLIC KEY" in reply.text
    file = file_of(signed)
    assert "gpgcheck=1\n" in file.text
    assert f"gpgkey={signed.mirror.web.url}keys/RPM-GPG-KEY-{fingerprint(key)}" in file.text
    client = client_with(signed, file.text)
    client.dnf("--setopt=gpgcheck=1", "install", "tree")
    assert "tree" in client.names()


def test_keys_that_are_known_are_neither_read_nor_put_there_again(
    signed: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(signed, "tree")
    before = live(signed)
    monkeypatch.setattr("gm_analytics.mirror.repository.keys", lambda *_: pytest.fail("asked"))
    assert apply(signed, "tree", "leaf01").state == "published"
    assert live(signed).number > before.number
    assert live(signed).signatures == before.signatures


def test_a_publication_of_an_earlier_version_is_told_of_with_the_next_one(signed: Site) -> None:
    """It had neither `signatures` nor a list of signers, and no key is served."""
    apply(signed, "tree")
    place = signed.mirror.host.root / "repodata" / ".."
    values = json.loads((place / "publication.json").read_text())
    del values["signatures"]
    (place / "publication.json").write_text(json.dumps(values))
    (place / "signers.txt").unlink()
    shutil.rmtree(signed.mirror.host.root / "keys")
    file = file_of(signed)
    assert "gpgcheck=0\n" in file.text
    assert "# gpgcheck=0: it is not known who signed the packages" in file.text
    assert apply(signed, "tree", "leaf02").state == "published"
    client_with(signed, file_of(signed).text).install("leaf02")


def test_what_is_signed_by_two_and_by_nobody(
    signed: Site, key: SigningKey, other: SigningKey
) -> None:
    """A second upstream, whose key is fetched from an address with one of yum's variables."""
    extra = Upstream.create(signed.directory / "extra", [Package("by-other")], key=other)
    stray = Upstream.create(signed.directory / "stray", [Package("by-nobody")])
    shutil.copy(other.public_key, signed.upstream.root / "RPM-GPG-KEY-9")
    reposdir = signed.mirror.host.reposdir
    files = [
        extra.repo_file(reposdir, extra.root.as_uri(), name="extra"),
        stray.repo_file(reposdir, stray.root.as_uri(), name="stray"),
    ]
    shutil.copy(key.public_key, reposdir / "RPM-GPG-KEY-lab")  # `repo_file` put the other's there
    lines = files[0].read_text().splitlines()
    address = f"gpgkey={signed.upstream_web.url}RPM-GPG-KEY-$releasever"
    files[0].write_text("\n".join([*(one for one in lines if "gpgkey" not in one), address, ""]))
    told = apply(signed, "tree", "by-other", "by-nobody")
    assert told.state == "published"
    assert any("clients that check signatures" in warning for warning in told.warnings)
    found = live(signed).signatures
    assert found is not None
    prints = sorted([fingerprint(key), fingerprint(other)])
    assert [one.fingerprint for one in found.keys] == prints
    assert found.unsigned == (Package("by-nobody").filename,)
    file = file_of(signed)
    assert f"# not signed: {Package('by-nobody').nvra}" in file.text
    client = client_with(signed, file.text)
    client.install("tree", "by-other")
    refused = client.install("by-nobody", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert f"Package {Package('by-nobody').filename} is not signed" in said
    client.dnf("--nogpgcheck", "install", "by-nobody")
    for one in files:
        one.unlink()


def test_a_key_that_signed_nothing_is_not_served(signed: Site, third: SigningKey) -> None:
    """Whoever has the mirror's host may name any key, and say of any package who signed it."""
    add = Package("forged")
    signed.upstream.add(add)
    reposdir, root = signed.mirror.host.reposdir, signed.mirror.host.root
    apply(signed, "leaf03")
    shutil.copy(third.public_key, reposdir / "RPM-GPG-KEY-third")
    with next(reposdir.glob("*.repo")).open("a") as text:
        text.write(f"\tfile://{reposdir}/RPM-GPG-KEY-third\n")
    ids = fingerprint(third)[-16:]
    with (root / "repodata" / ".." / "signers.txt").open("a") as text:
        text.write(f"{add.filename}\t{ids}\n")
    assert apply(signed, "leaf03", "forged").state == "published"
    found = live(signed).signatures
    assert found is not None
    assert fingerprint(third) not in {one.fingerprint for one in found.keys}
    assert found.lacking == (ids,)
    assert f"not known: {ids}" in file_of(signed).text


# --- a preview ----------------------------------------------------------------------------------


def test_the_comments_line_checks_what_it_tries(signed: Site, key: SigningKey) -> None:
    """As it is pasted into a shell, and by the file that is served."""
    signed.github.token = "lab-token"
    github = {**signed.settings()["github"], "token": "lab-token"}
    with Processes.running(signed, signed.config(publish="on_merge", github=github)) as service:
        status = service.perform(signed.push(manifest("leaf10"), number=10))
        assert status["state"] == "previewed", status["message"]
        wait_for(lambda: "leaf10" in str(signed.github.comments.get(10)), "the comment", 30)
    comment = signed.github.comments[10][-1]["body"]
    line = re.search("^sudo dnf (.*install .*)$", comment, re.MULTILINE)
    assert line
    assert "nogpgcheck" not in comment
    words = shlex.split(line[1])
    [gpgkey] = [word for word in words if word.startswith("--setopt=pr-10.gpgkey=")]
    assert f"/keys/RPM-GPG-KEY-{fingerprint(key)}-" in gpgkey
    stray = signed.client()
    refused = stray.dnf(*(w for w in words if w != gpgkey), check=False)
    assert refused.returncode != 0, "it checks: without the key nothing is installed"
    stray.dnf(*words)
    assert "leaf10" in stray.names()
    served = requests.get(f"{signed.mirror.web.url}previews/10.repo", timeout=10).text
    assert "gpgcheck=1" in served
    client_with(signed, served).install("leaf10")


# --- over TLS, with a name and a password -------------------------------------------------------


def test_where_metadata_are_signed_too_both_are_checked(key: SigningKey, tmp_path: Path) -> None:
    """`gm-analytics client` says all of it, and its password to nobody who did not ask."""
    with Site.running(key) as site, safe(site) as mirrors:
        run = commands(site, mirrors=mirrors)
        assert run("key").returncode == 0
        done = apply(site, "tree", mirrors=mirrors)
        assert done.state == "published"
        assert not done.unseen, "the service logs in as well"
        said = run("client").stdout
        assert "s3cret" not in said
        assert "# add password=" in said
        target = tmp_path / "gm-mirror.repo"
        assert run("client", "--output", str(target)).returncode == 0
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        text = target.read_text() + f"sslcacert={site.directory}/tls/trusted.pem\n"
        expected = {"gpgcheck=1", "repo_gpgcheck=1", "sslverify=1", "username=fleet"}
        assert expected <= set(text.splitlines())
        client = client_with(site, text)
        client.install("tree")
        assert "tree" in client.names()
        for wrong in ("password=other\n", ""):
            left = client_with(site, re.sub("password=.*\n", wrong, text))
            refused = left.install("tree", check=False)
            assert "401" in refused.stdout + refused.stderr
        status = run("status").stdout
        assert "the keys that clients check packages by are served" in status
        assert "DIFF mirror" not in status


@contextmanager
def safe(site: Site) -> Iterator[list[dict[str, Any]]]:
    """Serve the site's mirror over TLS to who has the password; give its configuration."""
    site.sign()
    (place := site.directory / "tls").mkdir()
    certificate = make_certificate(place, "127.0.0.1")
    (trusted := place / "trusted.pem").write_text(certificates(certificate))
    (place / "htpasswd").write_text("fleet:{PLAIN}s3cret$word\n")
    (word := place / "password").write_text("s3cret$word\n")
    for file in (trusted, place / "htpasswd"):
        file.chmod(0o644)
    port = site.mirror.web.port
    tls = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};"
    login = f"auth_basic mirror; auth_basic_user_file {place}/htpasswd;"
    changes = ((f"listen 127.0.0.1:{port};", f"listen 127.0.0.1:{port} ssl; {tls} {login}"),)
    url = site.mirror.web.url.replace("http:", "https:")
    http = {"username": "fleet", "password_file": str(word)}
    with site.mirror.web.saying(*changes):
        yield [site.mirror.settings(url=url, ca_file=str(trusted), http=http)]
