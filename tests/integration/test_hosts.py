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


