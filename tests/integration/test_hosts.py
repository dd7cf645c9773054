"""Mirror hosts as they are: what their settings, their network and their package managers do."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from gm_analytics import errors, settings
from gm_analytics.errors import GmError, NotInstallable, UnknownPackages
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.session import Session
from gm_analytics.service import Service
from lab.packages import Package
from lab.processes import reserve_port
from lab.site import Mirror, Site
from tests.integration.conftest import Cli, at_once, manifest, needs_root


@contextmanager
def upstream_of(site: Site, text: str = "", **changed: str) -> Iterator[None]:
    """Have upstream's repository file say something else for a while, and more."""
    path = site.mirror.host.reposdir / "upstream.repo"
    known = path.read_text()
    lines = [line for line in known.splitlines() if line.partition("=")[0] not in changed]
    path.write_text("\n".join([*lines, *(f"{k}={v}" for k, v in changed.items()), text, ""]))
    try:
        yield
    finally:
        path.write_text(known)


def applied(site: Site, *names: str, mirror: Mirror | None = None) -> GmError | None:
    """Apply a manifest; give the error that comes of it."""
    target, config = mirror or site.mirror, site.settings()
    operations = Service(settings.Settings.model_validate(config)).operations
    try:
        operations.apply(Manifest.parse(manifest(*names).encode()), target.name, at_once())
    except GmError as error:
        return error
    return None


# --- variables --------------------------------------------------------------------------------


@needs_root
def test_variables_of_the_host_have_their_values(site: Site) -> None:
    """As in the stock files of CentOS Stream, Rocky and Oracle; another value is noticed."""
    host = site.mirror.host
    address = site.upstream_web.url.replace("/upstream/", "/$contentdir/")
    target = settings.Mirror.model_validate(site.mirror.settings())
    with upstream_of(site, baseurl=address):
        missing = applied(site, "tree")
        assert isinstance(missing, errors.UpstreamUnavailable)
        assert "/$contentdir/repodata/repomd.xml" in str(missing)
        assert "/etc/dnf/vars" in missing.hint
        (host.variables / "contentdir").write_text("upstream\n")
        assert applied(site, "tree") is None
        with Session(target, locked=False) as session:
            before = session.package_manager.state("looking")
            assert before == session.package_manager.state("looking")
            (host.variables / "contentdir").write_text("other\n")
            assert session.package_manager.state("looking") != before
    (host.variables / "contentdir").unlink()


# --- modes ------------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("mask", ["077", "027"])
def test_clients_can_read_what_is_published_whatever_the_umask(
    site: Site, cli: Cli, mask: str
) -> None:
    """What was adopted, what a refused manifest leaves, publications and previews."""
    mirror = site.add_mirror(f"umask-{mask}.example")
    root = mirror.host.root
    shutil.copy(next(site.upstream.root.glob("leaf00-*.rpm")), root)
    subprocess.run(["createrepo_c", "-q", str(root)], check=True)
    mirror.host.owned_by_account(root)
    site.config()
    address = f"{mirror.web.url}repodata/repomd.xml"
    with mirror.host.logging_in("/bin/bash", {".bashrc": f"umask {mask}\n"}):
        cli("plan", "-", "--mirror", mirror.name, stdin=manifest("tree"))
        assert cli("apply", "-", "--mirror", mirror.name, stdin=manifest("nosuch")).returncode
        assert requests.get(address, timeout=10).status_code == 200
        # As versions before left it.
        (root / ".publications").chmod(0o700)
        done = cli("apply", "-", "--mirror", mirror.name, stdin=manifest("tree"))
        assert done.returncode == 0, done.stderr
    assert requests.get(address, timeout=10).status_code == 200
    assert site.client(mirror).install("tree").returncode == 0
    places = [root / ".publications", *(root / "repodata" / "..").resolve().rglob("*")]
    closed = [path for path in places if not path.stat().st_mode & 0o004]
    assert closed == []


# --- what the package manager says ------------------------------------------------------------

CAUSES = {
    "name": ("http://nope.invalid/", {}, "esolve host", "not resolved", "DNS"),
    "refused": ("http://127.0.0.1:{port}/", {}, "onnect to", "takes no connections", "makecache"),
    "404": ("{upstream}nowhere/", {}, "404", "answered 404", "releasever"),
    "proxy": (
        "{upstream}",
        {"proxy": "http://nope.invalid:3128"},
        "proxy",
        "the proxy",
        "`proxy`",
    ),
    "directory": ("file:///nowhere/at/all/", {}, "nowhere", "cannot be read", "directory"),
    "client certificate": (
        "https://127.0.0.1:{listening}/",
        {"sslclientcert": "/etc/shadow", "sslclientkey": "/etc/shadow"},
        "ertificate",
        "client certificate",
        "sslclientcert",
    ),
}


@pytest.mark.parametrize("case", CAUSES)
def test_the_cause_is_told_with_what_to_do(site: Site, case: str) -> None:
    address, more, said, public, cure = CAUSES[case]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ports = {"port": reserve_port(), "listening": listening.getsockname()[1]}
        baseurl = address.format(upstream=site.upstream_web.url, **ports)
        with upstream_of(site, baseurl=baseurl, retries="1", timeout="5", **more):
            error = applied(site, "leaf01")
    assert isinstance(error, errors.UpstreamUnavailable), error
    assert said in str(error)
    assert len(str(error)) < 2500
    assert public in error.public, str(error)
    assert cure in error.hint


def test_a_crash_over_a_group_is_told_with_what_to_do(site: Site) -> None:
    """As of any group on Debian 13; without a group the program has to be another."""
    site.mirror.host.install_program("dnf", "#!/bin/sh\nkill -SEGV $$\n")
    group, other = applied(site, "@development"), applied(site, "leaf01")
    site.mirror.host.restore_program("dnf")
    assert isinstance(group, errors.CommandFailed)
    assert isinstance(other, errors.CommandFailed)
    assert group.hint == group.public_hint
    assert "Name the packages in place of the group" in group.hint
    assert "the program that crashed" in other.hint


def test_a_crash_while_a_candidate_is_proved_is_no_fault_of_the_candidate(site: Site) -> None:
    script = "for w; do case $w in --setopt=reposdir=*candidate.d) kill -SEGV $$ ;; esac; done"
    site.mirror.host.install_program("dnf", f'#!/bin/sh\n{script}\nexec /usr/bin/dnf "$@"\n')
    error = applied(site, "leaf02")
    site.mirror.host.restore_program("dnf")
    assert not isinstance(error, NotInstallable)
    assert "proving the candidate: exit code 139 (SIGSEGV" in str(error)


# --- what it hides ----------------------------------------------------------------------------


def test_excluded_packages_are_named_as_that_with_their_places(site: Site) -> None:
    site.upstream.add(Package("banned"), Package("needs-banned", requires=("banned",)))
    with upstream_of(site, exclude="banned"):
        mixed = applied(site, "leaf03", "banned", "nosuch")
        alone = applied(site, "banned-1.0")
        needing = applied(site, "leaf03", "needs-banned")
    assert isinstance(mixed, UnknownPackages)
    assert mixed.hidden == {"banned": "exclude"}
    assert "banned at /1 (entry 2): excluded: upstream has it, but" in str(mixed)
    assert "No match for argument: nosuch at /2" in str(mixed)
    assert "Correct the names" in mixed.hint
    assert isinstance(alone, UnknownPackages)
    assert "have whoever runs the mirror change `exclude`" in alone.public_hint
    assert isinstance(needing, errors.Unresolvable)
    assert "needs-banned at /1" in str(needing)
    assert "filtered out by exclude filtering" in str(needing)
    assert "excluded" in needing.hint


MODULES = """---
document: modulemd
version: 2
data:
  name: lab
  stream: "1"
  version: 1
  context: 00000000
  arch: x86_64
  summary: a module
  description: a module
  license: {module: [MIT]}
  artifacts: {rpms: ["modular-0:1.0-1.el9.x86_64"]}
...
"""


def test_a_package_that_modules_hide_is_named_as_that(site: Site, tmp_path: Path) -> None:
    site.upstream.add(Package("modular"))
    (tmp_path / "modules.yaml").write_text(MODULES)
    repodata = site.upstream.root / "repodata"
    modifyrepo = ["modifyrepo_c", "--mdtype=modules", str(tmp_path / "modules.yaml")]
    subprocess.run([*modifyrepo, str(repodata)], check=True, capture_output=True)
    error = applied(site, "modular")
    site.upstream.refresh()
    assert isinstance(error, UnknownPackages), error
    assert "modular at /0 (entry 1): filtered: upstream has it, but" in str(error)
    assert "Ask for a module stream that has it" in error.hint
