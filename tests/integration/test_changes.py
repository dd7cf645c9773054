"""Packages taken out where publications only add; another configuration below a live mirror."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from gm_analytics import settings
from gm_analytics.errors import ConfigurationChanged, MadeOtherwise
from gm_analytics.manifest import Manifest
from gm_analytics.service import Service
from lab.packages import Package
from lab.site import Site

from .conftest import Cli, at_once, manifest


def service_of(site: Site, **changes: Any) -> Service:
    return Service(settings.Settings.model_validate({**site.settings(), **changes}))


def apply(service: Service, site: Site, *names: str) -> str:
    wanted = Manifest.parse(manifest(*names).encode())
    return service.operations.apply(wanted, site.mirror.name, at_once()).state


def live(service: Service, site: Site) -> tuple[int, set[str]]:
    with service.mirrors.read(site.mirror.name) as session:
        held = session.publications.publication()
        return held.number, {p.name for p in session.publications.packages(held.directory)}


def configured(site: Site, cli: Cli, *arguments: str, **changes: Any) -> Any:
    """Run a command with another configuration."""
    path = site.directory / "other.json"
    path.write_text(json.dumps({**site.settings(), **changes}))
    path.chmod(0o600)
    return cli(*arguments, "--config", str(path))


def test_a_package_is_removed_with_what_it_alone_pulled_in(site: Site, cli: Cli) -> None:
    site.upstream.add(Package("shared"), Package("alone"))
    site.upstream.add(
        Package("first", requires=("shared", "alone")), Package("second", requires=("shared",))
    )
    service = service_of(site)
    apply(service, site, "first")
    apply(service, site, "second")
    before, _ = live(service, site)
    asked = cli("remove", "first")
    assert (asked.returncode, "give --yes" in asked.stderr) == (2, True)
    assert "removed    alone-1.0-1.el9" in asked.stdout
    refused = cli("remove", "shared", "--yes")
    assert (refused.returncode, "wanted by first, second" in refused.stderr) == (4, True)
    assert cli("remove", "nosuch", "--yes").returncode == 4
    assert live(service, site)[0] == before, "nothing was done"
    done = cli("remove", "first", "--yes")
    assert done.returncode == 0, done.stderr
    assert live(service, site) == (before + 1, {"second", "shared"})
    listed = cli("updates").stdout
    assert re.search(
        r"^remove-\S+  published  .* remove by hand\n    .*: 2 removed$", listed, re.MULTILINE
    )
    client = site.client()
    client.install("second")
    assert client.install("first", check=False).returncode != 0
    assert apply(service, site, "first") == "published", "a pull request brings it back"
    refused = configured(site, cli, "remove", "first", "--yes", publish="on_merge")
    assert (refused.returncode, "merge a manifest" in refused.stderr) == (2, True)


def test_what_is_published_while_the_web_server_is_away_is_no_failure(
    site: Site, cli: Cli
) -> None:
    service = service_of(site)
    apply(service, site, "leaf00", "leaf01")
    before, names = live(service, site)
    site.mirror.web.stop()
    try:
        done = configured(site, cli, "remove", "leaf01", "--yes")
    finally:
        site.mirror.web.start()
    assert done.returncode == 0, done.stderr
    published, warning = done.stdout.splitlines()[-2:]
    assert published.endswith(f"published as .publications/{before + 1:06d}")
    assert warning.startswith(f"warning: mirror {site.mirror.name}: reading http")
    assert live(service, site) == (before + 1, names - {"leaf01"})


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "another release": ({"upstream": {"releasever": "10"}}, "releasever: 9, now 10"),
    "another upstream": ({"upstream": {"reposdir": "/etc/other"}}, "reposdir: "),
    "another policy": ({}, "publish: on_pull_request, now on_merge"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_another_configuration_is_refused_until_it_is_accepted(
    site: Site, cli: Cli, case: str
) -> None:
    given, said = CHANGES[case]
    plain = service_of(site)
    apply(plain, site, "leaf10", f"leaf{11 + list(CHANGES).index(case)}")
    if case == "another upstream":
        other = site.mirror.host.directory / "other.repos.d"
        subprocess.run(["cp", "-a", str(site.mirror.host.reposdir), str(other)], check=True)
        given = {"upstream": {"reposdir": str(other)}}
    changes: dict[str, Any] = {"mirrors": [site.mirror.settings(**given)]}
    if case == "another policy":
        changes = {"publish": "on_merge"}
    before = live(plain, site)
    changed = service_of(site, **changes)
    with pytest.raises(ConfigurationChanged, match=said):
        apply(changed, site, "leaf20")
    with pytest.raises(ConfigurationChanged):
        changed.operations.rollback(site.mirror.name, None, at_once())
    assert live(changed, site) == before
    changed.operations.plan(Manifest.parse(b'["leaf20"]'), site.mirror.name)
    for command in ("check", "status"):
        told = configured(site, cli, command, **changes).stdout
        assert f"gm-analytics accept-change {site.mirror.name}" in told, told
    asked = configured(site, cli, "accept-change", **changes)
    assert asked.returncode == 2
    assert said in asked.stdout
    assert live(changed, site) == before
    done = configured(site, cli, "accept-change", "--yes", **changes)
    assert done.returncode == 0, done.stderr
    assert live(changed, site) == (before[0] + 1, before[1])
    _only_another_policy_is_rolled_back(changed, site, before[0], case)
    listed = cli("updates").stdout
    assert re.search(
        r"^accept-change-\S+  published  .* accept-change by hand$", listed, re.MULTILINE
    )
    assert f": from now on with {said}" in listed
    again = configured(site, cli, "accept-change", "--yes", **changes)
    assert "nothing to accept" in again.stdout
    if case != "another release":
        assert apply(changed, site, "leaf20") == "published"
    with pytest.raises(ConfigurationChanged):
        apply(plain, site, "leaf21")
    assert cli("accept-change", "--yes").returncode == 0, "and back"


def _only_another_policy_is_rolled_back(
    changed: Service, site: Site, number: int, case: str
) -> None:
    """What was made for another system is refused, whether it is only asked about or done."""
    if case == "another policy":
        assert changed.operations.look_back(site.mirror.name, number)[0] == number
        return
    with pytest.raises(MadeOtherwise, match=f"publication {number}: it was made with another"):
        changed.operations.look_back(site.mirror.name, number)
    with pytest.raises(MadeOtherwise, match=CHANGES[case][1]):
        changed.operations.rollback(site.mirror.name, number, at_once())
