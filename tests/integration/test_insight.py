"""What an update tells of a closure: who wanted what, and what to know of it."""

from __future__ import annotations

import pytest

from gm_analytics.manifest import Manifest
from gm_analytics.rpm.package import Package as Published
from gm_analytics.rpm.provenance import REFUSED
from gm_analytics.service import Service
from gm_analytics.updates.model import Outcome
from lab.packages import Package
from lab.site import Mirror, Site
from lab.upstream import SigningKey

from .conftest import at_once, manifest


def apply(inside: Service, mirror: Mirror, *specs: str) -> Outcome:
    return inside.operations.apply(
        Manifest.parse(manifest(*specs).encode()), mirror.name, at_once()
    )


def wanted(mirror: Mirror) -> dict[str, set[str]]:
    """Give what packages.txt of the live publication says: names, and who wanted them."""
    listed = (mirror.host.root / "repodata").resolve().parent / "packages.txt"
    packages = map(Published.from_line, listed.read_text().splitlines())
    return {package.name: set(package.wanted) for package in packages}


def test_each_package_is_published_with_the_specs_that_pulled_it_in(
    site: Site, inside: Service
) -> None:
    """By a capability with a version, a file, and either side of a rich dependency."""
    site.upstream.add(
        Package("who-app", requires=("who-lib >= 1:2", "/usr/bin/who-tool"), recommends=("tree",)),
        Package("who-lib", "2.5", epoch=1),
        Package("who-tool", programs=("/usr/bin/who-tool", "/usr/bin/who-else")),
        Package("who-rich", requires=("(who-absent or who-lib)", "(leaf01 if leaf02)")),
    )
    outcome = apply(inside, site.mirror, "who-app", "who-rich-1.0", "/usr/bin/who-else", "leaf02")
    changes = {c.nevra.partition("-1.0")[0].partition("-1:2")[0]: c for c in outcome.changes}
    assert {name: set(change.wanted) for name, change in changes.items()} == wanted(site.mirror)
    assert wanted(site.mirror) == {
        "who-app": {"who-app"},
        "who-lib": {"who-app", "who-rich-1.0"},
        "who-tool": {"who-app", "/usr/bin/who-else"},
        "who-rich": {"who-rich-1.0"},
        "leaf01": {"who-rich-1.0"},
        "leaf02": {"leaf02"},
    }


@pytest.mark.usefixtures("groups")
def test_a_group_wanted_its_members_and_what_they_need(site: Site, inside: Service) -> None:
    mirror = site.add_mirror("groups.example")
    again = Service(inside.settings.model_validate(site.settings()))
    apply(again, mirror, "@development", "m4")
    found = wanted(mirror)
    assert found["make"] == found["cpp"] == {"@development"}
    assert found["m4"] == {"@development", "m4"}


def test_two_versions_that_conflict_were_wanted_by_their_own_specs(
    site: Site, inside: Service
) -> None:
    apply(inside, site.mirror, "nmap-7.92", "nmap-7.94")
    listed = (site.mirror.host.root / "repodata").resolve().parent / "packages.txt"
    packages = map(Published.from_line, listed.read_text().splitlines())
    found = {f"{p.name}-{p.version}": p.wanted for p in packages if p.name.startswith("nmap")}
    assert found == {
        f"{name}-{version}": (f"nmap-{version}",)
        for name in ("nmap", "nmap-ncat")
        for version in ("7.92", "7.94")
    }


def test_what_was_left_out_and_what_is_unsigned_is_told(site: Site, inside: Service) -> None:
    signed = Package("told-signed", recommends=("told-spell", "told-lib"))
    plain = Package("told-plain", requires=("told-lib",))
    site.upstream.add(signed, plain, Package("told-lib"), Package("told-spell"))
    with SigningKey.make() as key:
        key.sign([site.upstream.path(signed)])
    site.upstream.refresh()
    assert apply(inside, site.mirror, "told-signed", "told-plain").warnings == (
        "1 recommended package left out: told-spell",
        f"2 packages are not signed: {Package('told-lib').nvra}, {plain.nvra}{REFUSED}",
    )
