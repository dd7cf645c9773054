"""Streams of modules, groups, environments: what a client of the mirror alone does with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gm_analytics import settings
from gm_analytics.errors import (
    GmError,
    ManifestError,
    ModulesNotPossible,
    UndocumentedModules,
    UnknownPackages,
)
from gm_analytics.manifest import Manifest
from gm_analytics.service import Service
from lab.modules import ModuleDefaults, ModuleObsoletes, ModuleStream
from lab.packages import NOARCH, Environment, Group, Package
from lab.processes import run
from lab.site import Service as Processes
from lab.site import Site

from .conftest import at_once, manifest

MIRROR = "mirror.icesi.edu.co"


def stream(module: str, name: str, *packages: Package, **changes: object) -> ModuleStream:
    return replace(ModuleStream.of(module, name, *packages), **changes)  # type: ignore[arg-type]


def noarch(name: str, version: str, *requires: str) -> Package:
    return Package(name, version, arch=NOARCH, requires=requires)


ENGINE = stream("engine", "1", noarch("engine", "1"))
OLD = stream("runtime", "18", noarch("runtime", "18.1", "engine"), noarch("runtime-dev", "18.1"))
OLD = replace(OLD, requires={"engine": ("1",)})
NEW = stream("runtime", "20", noarch("runtime", "20.1"), noarch("runtime-dev", "20.1"))
NEW = replace(NEW, profiles={"common": ("runtime",), "development": ("runtime", "runtime-dev")})
ALONE = stream("alone", "3.10", noarch("alone", "3.10.1"))
LOST = ModuleStream.of("lost", "1", noarch("lost", "1"), noarch("lost-too", "1"))
DOCUMENTS = (
    ENGINE,
    OLD,
    NEW,
    ALONE,
    ModuleDefaults("engine", "1", {"1": ("common",)}),
    ModuleDefaults("runtime", "18", {"18": ("common",), "20": ("common",)}),
    ModuleObsoletes("runtime", "18", "20"),
)

GROUPS = (
    Group("core", "Core", mandatory=("tzdata",), default=("setup",)),
    Group("standard", "Standard Things", mandatory=("leaf01",)),
    Group("more", "More Things", mandatory=("leaf02",)),
    Environment("minimal-environment", "Minimal Install", ("core",), ("standard", "more")),
)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        upstream = running.upstream
        upstream.modules, upstream.groups = DOCUMENTS, GROUPS
        packages = [one for each in (ENGINE, OLD, NEW, ALONE, LOST) for one in each.packages]
        upstream.add(*packages, noarch("user-of-runtime", "1", "runtime"))
        yield running


def wanted(*specs: str) -> Manifest:
    return Manifest.parse(manifest(*specs).encode())


def test_a_client_installs_streams_and_switches_them_as_with_upstream(
    site: Site, inside: Service
) -> None:
    """A default stream comes along unasked, with what it needs to be enabled."""
    outcome = inside.operations.apply(wanted("user-of-runtime"), MIRROR, at_once())
    assert outcome.state == "published"
    client = site.client()
    client.install("user-of-runtime")
    assert client.names() == {"user-of-runtime", "runtime", "engine"}
    inside.operations.apply(wanted("@runtime:20/development"), MIRROR, at_once())
    client.dnf("--refresh", "module", "switch-to", "runtime:20")
    assert "runtime-20.1-1.module+el9+20.noarch" in client.installed()
    fresh = site.client()
    fresh.install("@runtime:20/development")
    assert fresh.names() == {"runtime", "runtime-dev"}
    listed = set(fresh.dnf("module", "list", "--all").stdout.split())
    assert listed & {"alone", "lost", "engine", "runtime"} == {"engine", "runtime"}
    asked = {p["name"]: p["wanted"] for p in packages(site)}
    assert asked["runtime-dev"] == ["@runtime:20/development"]


def test_what_clients_would_refuse_is_refused_before_in_plan_and_apply_alike(
    site: Site, inside: Service
) -> None:
    refused: dict[str, tuple[type[GmError], str]] = {
        "@alone:3.10": (UnknownPackages, "did you mean @alone:3.10/common?"),
        "alone": (UnknownPackages, "by its modules (did you mean @alone:3.10?)"),
        "runtime-dev-20.1": (UnknownPackages, "by its modules (did you mean @runtime:18"),
        "lost": (UndocumentedModules, "lost-1-1.module+el9+1.noarch"),
    }
    for spec, (kind, words) in refused.items():
        with pytest.raises(kind) as planned:
            inside.operations.plan(wanted(spec), MIRROR)
        assert words in str(planned.value)
        if spec in {"@alone:3.10", "lost"}:
            with pytest.raises(kind) as applied:
                inside.operations.apply(wanted(spec), MIRROR, at_once())
            assert str(applied.value) == str(planned.value)
    with pytest.raises(ManifestError) as two:
        wanted("@runtime:20", "runtime-dev", "@runtime:18/common")
    assert (
        '"@runtime:18/common"; expected one stream of a module: @runtime:20 is wanted at /0'
        in (str(two.value))
    )


@pytest.mark.usefixtures("groups")  # where dnf finds no stream it looks for a group
def test_other_streams_and_profiles_are_told(inside: Service) -> None:
    for spec, words in {
        "@runtime:99": "did you mean @runtime:18, @runtime:20?",
        "@runtime:18/x": "did you mean @runtime:18/common?",
    }.items():
        with pytest.raises(UnknownPackages) as unknown:
            inside.operations.plan(wanted(spec), MIRROR)
        assert words in str(unknown.value)


def test_a_release_that_says_no_platform_is_the_operators_to_set(site: Site) -> None:
    other = site.mirror.settings(upstream={"releasever": "stable"})
    unknown = Service(settings.Settings.model_validate(site.settings(mirrors=[other])))
    for spec in ("user-of-runtime", "@runtime:20", "alone"):
        with pytest.raises(ModulesNotPossible, match=r"upstream\.module_platform_id"):
            unknown.operations.plan(wanted(spec), MIRROR)


def test_what_upstream_says_now_counts_and_not_what_was_published(site: Site) -> None:
    """dnf takes no default of a module if two repositories, one of them ours, have others."""
    asking = {"mirrors": [site.mirror.settings(upstream={"max_age": 0})]}
    inside = Service(settings.Settings.model_validate(site.settings(**asking)))
    inside.operations.apply(wanted("user-of-runtime"), MIRROR, at_once())
    now = ModuleDefaults("runtime", "20", {"20": ("common",)})
    old = DOCUMENTS[5]
    site.upstream.modules = tuple(now if one is old else one for one in DOCUMENTS)
    site.upstream.refresh()
    try:
        inside.operations.apply(wanted("user-of-runtime"), MIRROR, at_once())
    finally:
        site.upstream.modules = DOCUMENTS
        site.upstream.refresh()
    client = site.client()
    client.install("user-of-runtime")
    assert client.installed() >= {"runtime-20.1-1.module+el9+20.noarch"}


def test_signed_previews_merges_and_rollbacks_carry_them_too(site: Site) -> None:
    """An exact set has the streams that are in it alone; a rollback those that were."""
    mirror = site.add_mirror("signed.example")
    site.sign(mirror)
    config = site.config(mirrors=[mirror.settings()], publish="on_merge")
    run([str(Path(sys.executable).parent / "gm-analytics"), "key", "--config", str(config)])
    with Processes.running(site, config) as service:
        pull = site.push(manifest("@runtime:20"), number=5)
        assert service.perform(pull)["state"] == "previewed"
        trusting = {"mirror": mirror, "repo_gpgkey": mirror.key_url}
        site.client(path="previews/5/", **trusting).install("@runtime:20")
        assert service.perform(site.merge(pull))["state"] == "published"
        merged = service.perform(site.merge(site.push(manifest("user-of-runtime"), number=6)))
        assert merged["state"] == "published", merged["message"]
        older = site.client(**trusting)
        older.install("user-of-runtime")
        listed = older.dnf("module", "list", "runtime", "--all").stdout.split()
        assert ("18" in listed, "20" in listed) == (True, False)
    rollback = ["rollback", "--yes", "--config", str(config)]
    run([str(Path(sys.executable).parent / "gm-analytics"), *rollback])
    older.dnf("--refresh", "module", "switch-to", "runtime:20")
    assert "runtime-20.1-1.module+el9+20.noarch" in older.installed()


@pytest.mark.usefixtures("groups")
def test_groups_and_environments_are_found_by_what_dnf_takes(site: Site, inside: Service) -> None:
    """What `plan` finds, `apply` publishes and a client installs, by the same words."""
    for spec, there in {
        "@Core": {"tzdata", "setup"},
        "@Standard Things": {"leaf01"},
        "@^minimal-environment": {"tzdata", "setup"},
    }.items():
        assert inside.operations.plan(wanted(spec), MIRROR)
        assert inside.operations.apply(wanted(spec), MIRROR, at_once()).state == "published"
        client = site.client()
        done = client.install(spec.replace("@^", "@"))
        assert client.names() == there
        assert "no group" not in (done.stdout + done.stderr).casefold(), "of its options"
        assert {p["name"] for p in packages(site) if spec in str(p["wanted"])} == there


def packages(site: Site) -> list[dict[str, object]]:
    live = (site.mirror.host.root / "repodata").resolve().parent / "packages.txt"
    rows = [line.split("\t") for line in live.read_text().splitlines()]
    return [{"name": row[1], "wanted": row[9].split(",")} for row in rows]
