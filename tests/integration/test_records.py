"""Groups, advisories and what an adopted repository had: real dnf, createrepo_c and clients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gm_analytics import settings
from gm_analytics.manifest import Manifest
from gm_analytics.service import Service
from gm_analytics.updates.model import Outcome
from lab.packages import GROUPS, Group, Package
from lab.site import Mirror, Site
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
