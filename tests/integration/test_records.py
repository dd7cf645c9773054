"""Groups, advisories and what an adopted repository had: real dnf, createrepo_c and clients."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gm_analytics import settings
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.signing import key_of
from gm_analytics.operations.by_hand import Operations
from gm_analytics.rpm.compressed import opened
from gm_analytics.service import Service
from gm_analytics.updates.model import Outcome
from lab.client import Client
from lab.packages import GROUPS, NOARCH, Advisory, Group, Package
from lab.processes import run
from lab.site import Mirror, Site
from lab.site import Service as Processes
from lab.upstream import Upstream

from .conftest import at_once, manifest

TEAM = Package("team-tool")


def service_of(site: Site, mirror: Mirror, **changes: object) -> Service:
    config = site.settings(mirrors=[mirror.settings(**changes)], publish="on_pull_request")
    return Service(settings.Settings.model_validate(config))


def apply(site: Site, mirror: Mirror, *names: str, **changes: object) -> Outcome:
    wanted = Manifest.parse(manifest(*names).encode())
    return service_of(site, mirror, **changes).operations.apply(wanted, mirror.name, at_once())


@contextmanager
def second_upstream(site: Site, mirror: Mirror, *groups: Group) -> Iterator[Upstream]:
    """Another repository of upstream's, whose id has `comps` in it."""
    upstream = Upstream(site.directory / "team", groups=groups)
    upstream.root.mkdir(exist_ok=True)
    upstream.add(TEAM)
    file = upstream.repo_file(mirror.host.reposdir, upstream.root.as_uri(), name="team-comps")
    try:
        yield upstream
    finally:
        file.unlink()


def group_of(site: Site, mirror: Mirror, name: str) -> set[str]:
    """Name a group's packages as a client of the mirror sees them."""
    said = site.client(mirror).dnf("group", "info", name).stdout
    return {line.strip() for line in said.splitlines() if re.fullmatch(r" {3}\S+", line)}


def test_groups_are_what_all_repositories_say_now(groups: None, site: Site) -> None:
    """Not what the pool has of an earlier publication, nor what a file's name makes of it."""
    mirror, (development,) = site.mirror, GROUPS
    theirs = Group("development", "Theirs", mandatory=("team-tool",), default=("make",))
    with second_upstream(site, mirror, theirs, Group("team", "Team", mandatory=("tree",))):
        made = apply(site, mirror, "@development", "@team")
        assert {"team-tool-1.0-1.el9.x86_64", "tree-1.8.0-1.el9.x86_64"} <= set(made.added)
        assert group_of(site, mirror, "development") == {
            *(development.mandatory + development.default),
            "team-tool",
        }
    # Upstream thinks of it otherwise by now, and the second repository is gone.
    site.upstream.groups = (replace(development, mandatory=("gcc",), default=("leaf00",)),)
    site.upstream.refresh()
    try:
        apply(site, mirror, "leaf01", upstream={"max_age": 0})
        assert group_of(site, mirror, "development") == {"gcc", "leaf00"}
        assert group_of(site, mirror, "team") == {"tree"}, "what upstream lacks stays as it was"
        made = apply(site, mirror, "@development", upstream={"max_age": 0})
        assert set(made.added) == {"leaf00-1.0-1.el9.noarch"}
    finally:
        site.upstream.groups = GROUPS
        site.upstream.refresh()


# --- advisories -----------------------------------------------------------------------------


def tool(version: str, name: str = "advised", arch: str = NOARCH, epoch: int = 0) -> Package:
    return Package(name, version, arch=arch, epoch=epoch)


OTHER = tool("1.0", "unwanted")
ADVISORIES = (
    Advisory("LABSA-2026:0001", (tool("1.1"),), severity="Important", cves=("CVE-2026-0001",)),
    Advisory("LABSA-2026:0002", (tool("1.2"),), severity="Critical", cves=("CVE-2026-0002",)),
    Advisory("LABBA-2026:0003", (tool("1.2"),), kind="bugfix"),
    Advisory("LABSA-2026:0004", (tool("2.0", "epochal", epoch=1),), severity="Low"),
    Advisory("LABSA-2026:0005", (OTHER,), severity="Critical", cves=("CVE-2026-0005",)),
    # Of two packages one is served; a client may have the other one all the same.
    Advisory("LABSA-2026:0006", (tool("3.0", "half"), tool("9", "unwanted")), severity="Moderate"),
)


@pytest.fixture(scope="module")
def advised(site: Site) -> Iterator[Site]:
    """An upstream with advisories; the newest version is newer than what they name."""
    site.upstream.advisories = ADVISORIES
    site.upstream.add(
        *(tool(version) for version in ("1.0", "1.1", "1.2", "1.3")),
        *(tool(version, "epochal", epoch=1) for version in ("1.0", "2.0")),
        *(tool(version, "half") for version in ("1.0", "3.1")),
        OTHER,
    )
    yield site
    site.upstream.advisories = ()
    site.upstream.refresh()


def installed_before(site: Site, client: Client) -> Client:
    """Have a client of something else with old versions."""
    there = client.baseurl
    old = ("advised-1.0", "epochal-1:1.0", "half-1.0")
    client.dnf(
        "install",
        f"--repofrompath=old,{site.upstream_web.url}",
        "--repo=old",
        "--nogpgcheck",
        *old,
    )
    assert client.baseurl == there
    return client


def listed(client: Client) -> set[tuple[str, ...]]:
    """Give what `dnf updateinfo list` says: ids, kinds and packages."""
    lines = client.dnf("--refresh", "updateinfo", "list").stdout.splitlines()
    return {tuple(line.split()) for line in lines if line.startswith("LAB")}


def test_a_client_gets_the_security_upgrades_that_upstream_s_would(advised: Site) -> None:
    site, mirror = advised, advised.add_mirror("advised.example")
    made = apply(site, mirror, "advised", "epochal", "half", upstream={"max_age": 0})
    brought = {one.id for one in made.advisories}
    assert brought == {"LABSA-2026:0004"}, "what is new brings what its own version fixes"
    ours = installed_before(site, site.client(mirror))
    place = site.directory / "upstream-client"
    theirs = installed_before(site, Client(place, site.upstream_web.url))
    assert listed(ours) == listed(theirs) != set()
    assert {row[0] for row in listed(ours)} == {
        one.id for one in ADVISORIES if one.id != "LABSA-2026:0005"
    }
    info = ours.dnf("updateinfo", "info", "LABSA-2026:0002").stdout
    for words in ("CVE-2026-0002", "Critical", "LABSA-2026:0002 of the lab", "some lines."):
        assert words in info
    for client in (ours, theirs):
        client.dnf("upgrade", "--security")
    assert ours.installed() == theirs.installed()
    assert "advised-1.3-1.el9.noarch" in ours.installed()
    assert listed(ours) == listed(theirs)


def test_each_publication_has_its_own_and_none_grows(advised: Site) -> None:
    """With a key, previews, a rollback and a diff; many publications are as large as one."""
    site, mirror = advised, advised.add_mirror("growing.example")
    site.sign(mirror)
    service = service_of(site, mirror, upstream={"max_age": 0})
    key_of(service.settings.mirror(mirror.name)).make(mirror.name)
    apply(site, mirror, "advised-1.1", upstream={"max_age": 0})
    assert updateinfo(mirror) == {"LABSA-2026:0001"}
    made = apply(site, mirror, "advised", upstream={"max_age": 0})
    assert [(one.id, one.severity, one.cves, one.packages) for one in made.advisories] == [
        ("LABSA-2026:0002", "Critical", ("CVE-2026-0002",), ("advised-1.3-1.el9.noarch",)),
        ("LABBA-2026:0003", "", (), ("advised-1.3-1.el9.noarch",)),
    ]
    assert updateinfo(mirror) == {one.id for one in ADVISORIES[:3]}
    before = size(mirror)
    for number in range(3):
        apply(site, mirror, f"leaf1{number}")
    assert updateinfo(mirror) == {one.id for one in ADVISORIES[:3]}
    assert size(mirror) == before
    plan = service.operations.compare(mirror.name, 2, 3)
    assert {one.id for one in plan.advisories} == {"LABSA-2026:0002", "LABBA-2026:0003"}
    service.operations.rollback(mirror.name, 2, at_once())
    assert updateinfo(mirror) == {"LABSA-2026:0001"}
    client = site.client(mirror, repo_gpgkey=mirror.key_url)
    assert "advised-1.1-1.el9.noarch" in client.available()
    # What upstream withdraws goes with the next publication.
    site.upstream.advisories = ADVISORIES[1:]
    site.upstream.refresh()
    apply(site, mirror, "leaf20", "advised", upstream={"max_age": 0})
    assert updateinfo(mirror) == {one.id for one in ADVISORIES[1:3]}


def test_a_preview_has_them_and_its_outcome_names_them(advised: Site) -> None:
    site, mirror = advised, advised.add_mirror("previewed.example")
    site.upstream.advisories = ADVISORIES
    site.upstream.refresh()
    config = site.config(mirrors=[mirror.settings(upstream={"max_age": 0})], publish="on_merge")
    with Processes.running(site, config) as service:
        status = service.perform(site.push(manifest("advised-1.2", "leaf40"), number=77))
        assert status["state"] == "previewed"
    (advice, _) = status["outcome"]["advisories"]
    assert (advice["id"], advice["severity"]) == ("LABSA-2026:0002", "Critical")
    client = installed_before(site, site.client(mirror, "previews/77/"))
    assert {row[0] for row in listed(client)} == {one.id for one in ADVISORIES[:3]}


def live(mirror: Mirror) -> Path:
    return (mirror.host.root / "repodata").resolve()


def updateinfo_file(mirror: Mirror) -> bytes:
    found = re.search(
        r"repodata/[^\"]*updateinfo[^\"]*", (live(mirror) / "repomd.xml").read_text()
    )
    return gzip.decompress((live(mirror).parent / found[0]).read_bytes()) if found else b""


def updateinfo(mirror: Mirror) -> set[str]:
    return set(re.findall("<id>([^<]*)</id>", updateinfo_file(mirror).decode()))


def size(mirror: Mirror) -> int:
    return len(updateinfo_file(mirror))


# --- adopted --------------------------------------------------------------------------------

OLD, MODULAR = Package("old-tool", arch=NOARCH), Package("old-modular", arch=NOARCH)
MODULES = """---
document: modulemd
version: 2
data: {name: old, stream: "1", version: 1, context: c, arch: x86_64, summary: s, description: d,
  license: {module: [MIT]}, artifacts: {rpms: [old-modular-0:1.0-1.el9.noarch]}}
...
"""


def plain(site: Site, name: str) -> Mirror:
    """A mirror with a plain repository, whose metadata have more than packages."""
    mirror = site.add_mirror(name)
    root = mirror.host.root
    old = Upstream(root, groups=(Group("ours", "Ours", mandatory=("old-tool",)),))
    old.advisories = (
        Advisory("OLD-1", (OLD,), severity="Low"),
        # Upstream has another one under this id.
        Advisory("LABSA-2026:0001", (OLD,), severity="Low"),
        Advisory("OLD-2", (tool("9", "elsewhere"),)),
    )
    old.add(OLD, MODULAR)
    for file, text in {
        "modules.yaml": MODULES,
        "productid": "-----BEGIN CERTIFICATE-----\n",
        "appstream.xml": "<components/>",
    }.items():
        (root / file).write_text(text)
        how = "--no-compress" if file == "productid" else "--compress-type=gz"
        run(["modifyrepo_c", how, str(root / file), str(root / "repodata")])
    mirror.host.owned_by_account(root)
    return mirror


def product(mirror: Mirror) -> str:
    """Read the record that is not compressed, as whoever knows of no compression does."""
    (href,) = re.findall(r"repodata/[^\"]*productid", (live(mirror) / "repomd.xml").read_text())
    return (live(mirror).parent / href).read_text()


def comps(mirror: Mirror) -> str:
    """Read the groups as they are served: on Debian 13 dnf dies of any."""
    names = re.findall(
        r"repodata/([^\"]*comps\.xml[^\"]*)", (live(mirror) / "repomd.xml").read_text()
    )
    content = (live(mirror) / names[-1]).read_bytes()
    return b"".join(opened(content, 10_000)).decode()


def kinds(mirror: Mirror) -> set[str]:
    repomd = (mirror.host.root / "repodata" / "repomd.xml").read_text()
    found = set(re.findall(r'<data type="([^"]*)"', repomd))
    return found - {"primary", "filelists", "other", "group", "group_gz"}


EVERYTHING = {"updateinfo", "modules", "productid", "appstream"}


@pytest.mark.parametrize("signed", [False, True])
def test_what_was_there_beside_packages_stays(advised: Site, signed: bool) -> None:
    """Until a set is exact, which says so; and a rollback brings it back."""
    site, mirror = advised, plain(advised, f"plain{signed}.example")
    if signed:
        site.sign(mirror)
        key_of(service_of(site, mirror).settings.mirror(mirror.name)).make(mirror.name)
    site.upstream.advisories = ADVISORIES
    site.upstream.refresh()
    for name in ("advised", "leaf30"):
        made = apply(site, mirror, name, upstream={"max_age": 0})
        assert not any("dropped" in warning for warning in made.warnings)
        assert kinds(mirror) == EVERYTHING
        assert product(mirror).startswith("-----BEGIN")
        assert "OLD-1" in updateinfo(mirror)
        assert "OLD-2" not in updateinfo(mirror), "nothing of it is served"
        assert "Critical" in updateinfo_file(mirror).decode()
        assert updateinfo_file(mirror).count(b"LABSA-2026:0001</id>") == 1
    check = {"repo_gpgkey": mirror.key_url} if signed else {}
    client = site.client(mirror, **check)
    assert "<id>ours</id>" in comps(mirror)
    assert "old" in client.dnf("module", "list").stdout
    client.install("old-tool", "advised")
    exact = Operations(service_of(site, mirror).mirrors, "exact")
    wanted = Manifest.parse(manifest("leaf31").encode())
    made = exact.apply(wanted, mirror.name, at_once())
    assert made.warnings[-1] == (
        "what the repository that was taken over had beside packages is dropped: advisories, "
        "appstream, groups, modules, productid"
    )
    assert kinds(mirror) == set()
    apply(site, mirror, "leaf32")
    assert kinds(mirror) == set(), "a later set has what the exact one had"
    for number in (2, 1):
        service_of(site, mirror).operations.rollback(mirror.name, number, at_once())
        assert kinds(mirror) == EVERYTHING
        assert "OLD-1" in updateinfo(mirror)
    assert "<id>ours</id>" in comps(mirror)
    apply(site, mirror, "leaf33")
    assert kinds(mirror) == EVERYTHING
