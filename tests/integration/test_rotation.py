"""The key that signs metadata is replaced, and no client that checks it minds."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gm_analytics import settings
from gm_analytics.errors import SignedBefore
from gm_analytics.manifest import Manifest
from gm_analytics.operations import check, status
from gm_analytics.service import Service
from gm_analytics.updates.model import Outcome
from lab.client import Client
from lab.processes import run
from lab.site import Service as Processes
from lab.site import Site
from tests.integration.conftest import at_once, manifest
from tests.support import command_line

BLOCK = "-----BEGIN PGP PUBLIC KEY BLOCK-----"


@pytest.fixture(scope="module")
def signing() -> Iterator[Site]:
    with Site.running() as running:
        running.sign()
        yield running


def key(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command_line.run(("key", "--config", str(site.config()), *arguments))


def service_of(site: Site, **changes: object) -> Service:
    mirrors = [site.mirror.settings(**changes)]
    return Service(settings.Settings.model_validate(site.settings(mirrors=mirrors)))


def apply(site: Site, name: str, **changes: object) -> Outcome:
    wanted = Manifest.parse(manifest(name).encode())
    operations = service_of(site, **changes).operations
    return operations.apply(wanted, site.mirror.name, at_once())


def trusting(site: Site, key_file: Path | None = None) -> Client:
    """A client that fetches the key from the mirror, or has one of its own and takes no other."""
    return site.client(repo_gpgkey=key_file.as_uri() if key_file else site.mirror.key_url)


def has_installed(client: Client, name: str) -> bool:
    done = client.dnf("install", "--refresh", name, check=False)
    assert done.returncode == 0 or "GPG" in done.stderr, done.stderr
    return done.returncode == 0


def test_before_between_and_after(signing: Site) -> None:
    assert key(signing).returncode == 0
    home = signing.mirror.signing_home
    assert home
    public = home / "RPM-GPG-KEY-gm-mirror"
    old, new = home.parent / "old.asc", home.parent / "new.asc"
    old.write_text(public.read_text())
    assert apply(signing, "tree").state == "published"
    of_before, fetching = trusting(signing, old), trusting(signing)
    assert has_installed(of_before, "tree")
    assert has_installed(fetching, "tree")
    assert "there is only" in key(signing, "--retire").stderr

    rotated = key(signing, "--rotate")
    assert rotated.returncode == 0, rotated.stderr
    first, second = re.findall(r"[0-9A-F]{40}", rotated.stdout.splitlines()[0])
    assert public.read_text().count(BLOCK) == 2
    new.write_text(public.read_text().replace(old.read_text(), ""))
    assert new.read_text().count(BLOCK) == 1
    assert "there are two already" in key(signing, "--rotate").stderr
    early = key(signing, "--retire")
    assert early.returncode == 5
    assert f"is not signed by {first} yet: publish it first" in early.stderr

    assert apply(signing, "tree").state == "published", "again, by both"
    assert apply(signing, "tree").state == "unchanged"
    assert apply(signing, "leaf01").state == "published"
    between = trusting(signing, new)
    for client in (of_before, fetching, between):
        assert has_installed(client, "leaf01")
    found = list(status.run(service_of(signing), [signing.mirror.name], checksums=False))
    signatures = [one for one in found if one.subject.endswith("signatures")]
    assert [one.severity for one in signatures] == ["ok"], found
    assert f"signed by {first} and {second}" in signatures[0].said

    retired = key(signing, "--retire")
    assert retired.returncode == 0, retired.stderr
    assert f"key {second}: removed" in retired.stdout
    assert public.read_text() == new.read_text()
    assert apply(signing, "leaf01").state == "unchanged", "what is live is trusted still"
    assert apply(signing, "leaf02").state == "published"
    for client in (fetching, between, trusting(signing)):
        assert has_installed(client, "leaf02")
    assert not has_installed(of_before, "leaf02")
    found = list(status.run(service_of(signing), [signing.mirror.name], checksums=False))
    assert [one for one in found if one.severity == "fail"] == []


def test_what_is_signed_is_not_published_unsigned(signing: Site) -> None:
    """As by a service that runs with a configuration of before, and a delivery."""
    key(signing)
    apply(signing, "leaf03")
    served = signing.mirror.host.root / "repodata" / "repomd.xml.asc"
    home, signing.mirror.signing_home = signing.mirror.signing_home, None
    try:
        with Processes.running(signing) as running:
            ended = running.perform(signing.push(manifest("leaf04")))
        with pytest.raises(SignedBefore):
            apply(signing, "leaf04")
        inside = service_of(signing)
        looked = check.run(inside.settings, lambda: "there", lambda: "lab")
        found = [*looked, *status.run(inside, [signing.mirror.name], checksums=False)]
        off = apply(signing, "leaf04", signing=False) if served.exists() else None
    finally:
        signing.mirror.signing_home = home
    assert ended["state"] == "failed"
    assert "the service has no key" in ended["error"]["message"], ended
    told = [one for one in found if "its metadata is signed by the key" in one.said]
    assert [one.severity for one in told] == ["fail", "fail"], found
    assert all("signing: off" in one.hint for one in told)
    assert off
    assert off.state == "published"
    assert not served.exists()


def test_a_repository_that_somebody_signed_is_not_taken_over_unsigned(signing: Site) -> None:
    other = signing.add_mirror("signed-before.example")
    root = other.host.root
    run(["createrepo_c", "-q", str(root)])
    (root / "repodata" / "repomd.xml.asc").write_text("a signature\n")
    other.host.owned_by_account(root)
    wanted = Manifest.parse(manifest("tree").encode())
    operations = Service(settings.Settings.model_validate(signing.settings())).operations
    with pytest.raises(SignedBefore, match="by whoever made it"):
        operations.apply(wanted, other.name, at_once())
    assert not (root / "repodata").is_symlink()
