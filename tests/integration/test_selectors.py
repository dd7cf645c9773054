"""What a manifest and a mirror's configuration select: releases, architectures, weak ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from gm_analytics import settings
from gm_analytics.manifest import Manifest
from gm_analytics.rpm.package import Package as Published
from gm_analytics.service import Service
from lab.client import Client
from lab.deliveries import PullRequest
from lab.packages import ARCH, Package
from lab.processes import wait_for
from lab.site import Service as Processes
from lab.site import Site
from lab.upstream import Upstream
from lab.web import WebServer

from .conftest import at_once, manifest

OTHER = "aarch64" if ARCH != "aarch64" else "x86_64"


def published(root: Path) -> dict[str, Published]:
    """Give the packages of a repository's live publication by their NEVRAs."""
    listed = (root / "repodata").resolve().parent / "packages.txt"
    packages = map(Published.from_line, listed.read_text().splitlines())
    return {package.nevra: package for package in packages}


def test_a_manifest_fills_a_mirror_of_each_release_and_architecture_and_another_its_own(
    site: Site, tmp_path: Path
) -> None:
    """Mirrors on one host, of one upstream whose address has all in it, and two manifests."""
    library = Package("release-lib", "9.1")
    old = Package("release-app", "9.0", requires=("release-lib",))
    new = Package("release-app", "10.0", arch=OTHER, requires=("release-extra",))
    extra = Package("release-extra", "10.2", arch=OTHER)
    # Not below pytest's own folder: each pytest of this user makes it the owner's alone again.
    tree = site.directory / "distribution"
    Upstream.create(tree / "9" / ARCH, (library, old))
    Upstream.create(tree / "10" / OTHER, (new, extra))
    host = site.add_mirror("several.example").host
    with (
        WebServer.serving(site.directory / "several-web", tree, "/distribution/") as web,
        Processes.running(site, site.config(mirrors=several(site, web))) as service,
    ):
        reply = service.deliver(site.push(manifest("release-app", "release-app")))
        url = f"{service.url}/{reply.json()['update_id']}"
        mirrors = wait_for(lambda: ended(url), "all mirrors", 60) or []
        listed = set(published(host.root / "el10"))
        more = site.repository.commit({"more.json": manifest("release-lib")}, "more")
        pull = PullRequest(more, site.repository.name, number=2, head_ref="more")
        url = f"{service.url}/{service.deliver(pull).json()['update_id']}"
        others = wait_for(lambda: ended(url), "all mirrors", 60) or []
    states = {mirror["mirror"]: mirror["state"] for mirror in mirrors}
    assert states == {"el9": "published", "el10": "published", "more": "unchanged"}, mirrors
    assert set(published(host.root / "el9")) == {library.nevra, old.nevra}
    states = {mirror["mirror"]: mirror["state"] for mirror in others}
    assert states == {"el9": "unchanged", "el10": "unchanged", "more": "published"}, others
    assert set(published(host.root / "more")) == {library.nevra}
    assert set(published(host.root / "el10")) == listed == {new.nevra, extra.nevra}
    client = Client(tmp_path / "client", f"{site.mirrors[-1].web.url}el9/")
    client.install("release-app")
    assert client.installed() == {library.nevra, old.nevra}


def test_a_capability_is_asked_for_as_a_name_is(site: Site, tmp_path: Path) -> None:
    """By plan, apply and a client; what the repository keeps says who wanted what."""
    wish, service = (
        "libssl.so.3()(64bit)",
        Service(settings.Settings.model_validate(site.settings())),
    )
    asked, name = Manifest.parse(manifest(wish, "pcre").encode()), site.mirror.name
    planned = service.operations.plan(asked, name)
    assert "openssl-libs-1:3.0.7-1.el9.x86_64" in {change.nevra for change in planned.changes}
    service.operations.apply(asked, name, at_once())
    there = published(site.mirror.host.root)
    wanted = {package.name: package.wanted for package in there.values()}
    assert wanted["openssl-libs"] == wanted["ca-certificates"] == (wish,)
    assert wanted["pcre"] == ("pcre",)
    assert set(wanted["glibc"]) == {wish, "pcre"}
    client = Client(tmp_path / "client", site.mirror.web.url)
    client.install(wish)
    assert "openssl-libs-1:3.0.7-1.el9.x86_64" in client.installed()


def several(site: Site, web: WebServer) -> list[dict[str, Any]]:
    """Give three mirrors on the newest host, each with its own root, the last with a manifest."""
    mirror = site.mirrors[-1]
    for repository in mirror.host.reposdir.iterdir():
        repository.unlink()
    address = f"{web.url}$releasever/$basearch/"
    (mirror.host.reposdir / "distribution.repo").write_text(
        f"[distribution]\nname=distribution\nbaseurl={address}\ngpgcheck=0\n"
    )
    names = ("el9", "el10", "more")
    mirror.host.ssh("mkdir", *(f"{mirror.host.root}/{name}" for name in names))
    own = {"more": {"manifest": "more.json"}}
    return [
        mirror.settings(
            upstream={"releasever": release, "arch": arch},
            name=name,
            root=f"{mirror.host.root}/{name}",
            url=f"{mirror.web.url}{name}/",
            **own.get(name, {}),
        )
        for name, release, arch in zip(names, ("9", "10", "9"), (ARCH, OTHER, ARCH), strict=True)
    ]


def ended(url: str) -> list[dict[str, Any]] | None:
    mirrors: list[dict[str, Any]] = requests.get(url, timeout=10).json()["mirrors"]
    states = {mirror["state"] for mirror in mirrors}
    return None if states & {"waiting", "running"} else mirrors


@pytest.mark.parametrize("weak", [True, False])
def test_recommended_packages_are_mirrored_by_policy(site: Site, weak: bool) -> None:
    mirror = site.add_mirror(f"weak-{weak}.example".lower())
    site.upstream.add(Package("weakly", recommends=("weak-one",)), Package("weak-one"))
    service = Service(
        settings.Settings.model_validate(
            site.settings(mirrors=[mirror.settings(upstream={"weak_dependencies": weak})])
        )
    )
    wish = Manifest.parse(manifest("weakly").encode())
    outcome = service.operations.apply(wish, mirror.name, at_once())
    found = {package.name: package.wanted for package in published(mirror.host.root).values()}
    both = {"weakly": ("weakly",), "weak-one": ("weakly",)}
    assert found == (both if weak else {"weakly": ("weakly",)})
    assert any("weak-one" in told for told in outcome.warnings[:-1]) == (not weak)


@pytest.mark.skipif(ARCH != "x86_64", reason="i686 is what x86_64 also runs")
def test_an_architecture_is_selected(site: Site) -> None:
    """Each spec has its own, and what the other needs is not its."""
    native = Package("both-ways", requires=("both-lib(x86-64)",))
    library = Package("both-lib", provides=("both-lib(x86-64)",))
    old = replace(native, arch="i686", requires=("both-lib(x86-32)",))
    older = replace(library, arch="i686", provides=("both-lib(x86-32)",))
    site.upstream.add(native, library, old, older)
    mirror = site.add_mirror("both.example")
    given = site.settings(mirrors=[mirror.settings()])
    service = Service(settings.Settings.model_validate(given))
    wish = Manifest.parse(manifest("both-ways", "both-ways.i686").encode())
    assert service.operations.apply(wish, mirror.name, at_once()).state == "published"
    found = {nevra: p.wanted for nevra, p in published(mirror.host.root).items()}
    assert found == {
        native.nevra: ("both-ways",),
        library.nevra: ("both-ways",),
        old.nevra: ("both-ways.i686",),
        older.nevra: ("both-ways.i686",),
    }
