"""What a mirror keeps: publications, rollbacks, retention, lock files, and drift."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from lab.packages import Package
from lab.site import Service, Site

from .conftest import Cli, manifest


def published(cli: Cli) -> list[dict[str, object]]:
    listed = cli("publications", "--json")
    assert listed.returncode == 0, listed.stderr
    found: list[dict[str, object]] = json.loads(listed.stdout)
    return found


def apply(cli: Cli, *names: str) -> int:
    """Apply a manifest; give the number of what is live then."""
    done = cli("apply", "-", stdin=manifest(*names))
    assert done.returncode == 0, done.stderr
    return live(cli)


def live(cli: Cli) -> int:
    return next(int(str(one["number"])) for one in published(cli) if one["live"])


@pytest.fixture
def on_merge(site: Site) -> Iterator[Service]:
    """`gm-analytics serve` with `publish: on_merge`; the command line has it too."""
    with Service.running(site, site.config(publish="on_merge")) as running:
        site.repository.commit({"packages.json": "[]"})
        yield running
    site.config()


def test_publications_are_listed_with_what_made_them(site: Site, cli: Cli) -> None:
    with Service.running(site) as service:
        pull = site.push(manifest("tree"))
        update = service.perform(pull)
    assert apply(cli, "leaf01") == 3
    before = site.mirror.host.accepted_connections()
    listed = cli("publications").stdout.splitlines()
    assert site.mirror.host.accepted_connections() - before == 1
    assert [line.split()[0] for line in listed] == ["1", "2", "*"]
    assert listed[0].endswith("as it was found")
    assert listed[1].endswith(f"{pull.head_sha[:12]}  {pull.repository}#1 {update['update_id']}")
    assert re.search(r"T[\d:]+\+00:00 +\d+ packages +- +apply-", listed[2])
    counts = [one["packages"] for one in published(cli)]
    assert counts[0] == 0
    assert int(str(counts[2])) == int(str(counts[1])) + 1


def test_two_publications_are_compared_as_a_plan_is(site: Site, cli: Cli) -> None:
    older = apply(cli, "nmap-7.92")
    newer = apply(cli, "nmap-7.94")
    found = cli("diff", str(older), str(newer))
    assert re.search(
        r"^upgraded +nmap-3:7\.94\S+ .*\(now nmap-3:7\.92", found.stdout, re.MULTILINE
    )
    back = json.loads(cli("diff", "--json", str(newer), str(older)).stdout)
    assert {change["kind"] for change in back["changes"]} == {"removed"}
    assert cli("diff", str(newer), str(newer)).stdout == "nothing would change\n"
    unknown = cli("diff", str(newer), "4711")
    assert (unknown.returncode, "publication 4711: unknown; kept are 1, 2" in unknown.stderr) == (
        1,
        True,
    )


def test_a_client_follows_a_rollback_and_the_one_back(site: Site, cli: Cli) -> None:
    """One client all along: it takes the older set because its revision is newer."""
    site.upstream.add(Package("wayward"))
    older = apply(cli, "leaf02")
    client = site.client()
    without = client.available()
    newer = apply(cli, "wayward")
    assert Package("wayward").nevra in client.available()

    done = cli("rollback")
    assert done.returncode == 0, done.stderr
    assert f"removed {Package('wayward').nevra}" in done.stdout.splitlines()
    assert live(cli) == newer + 1
    assert client.available() == without
    assert cli("publications").stdout.splitlines()[-1].endswith(f"rollback to {older}")

    assert cli("rollback").returncode == 0
    assert Package("wayward").nevra in client.available()
    assert cli("publications").stdout.splitlines()[-1].endswith(f"rollback to {newer}")
    site.client().install("wayward")


def test_a_rollback_keeps_the_groups_that_the_older_set_had(site: Site, cli: Cli) -> None:
    apply(cli, "@development")
    apply(cli, "leaf03")
    assert cli("rollback").returncode == 0
    client = site.client()
    client.install("@development")
    assert "gcc" in client.names()


def test_what_cannot_be_rolled_back_to_is_refused_and_nothing_changes(
    site: Site, cli: Cli
) -> None:
    site.upstream.add(Package("fleeting"))
    older = apply(cli, "fleeting")
    newer = apply(cli, "leaf04")
    for number, words in (
        (4711, "publication 4711: unknown; kept are 1"),
        (newer, f"rolling back to publication {newer}: it is live"),
    ):
        refused = cli("rollback", str(number))
        assert (refused.returncode, words in refused.stderr) == (1, True), refused.stderr
    (site.mirror.host.root / Package("fleeting").filename).unlink()
    refused = cli("rollback", str(older))
    assert refused.returncode == 1
    assert f"the pool no longer has {Package('fleeting').filename}" in refused.stderr
    assert live(cli) == newer


def test_a_rolled_back_merge_stays_rolled_back_until_it_is_merged_anew(
    site: Site, cli: Cli, on_merge: Service
) -> None:
    """An older merge that is delivered late does not win; the same manifest merged later does."""
    site.upstream.add(Package("first"), Package("second"))
    one = site.push(manifest("first"), branch="first", number=31)
    on_merge.perform(one)
    merged = site.merge(one)
    assert on_merge.perform(merged)["state"] == "published"
    two = site.push(manifest("first", "second"), branch="second", number=32)
    on_merge.perform(two)
    later = site.merge(two)
    assert on_merge.perform(later)["state"] == "published"

    assert cli("rollback").returncode == 0
    client = site.client()
    assert client.available() == {Package("first").nevra}
    assert on_merge.perform(merged)["state"] == "superseded"
    assert client.available() == {Package("first").nevra}
    assert on_merge.perform(later)["state"] == "published", "not taken for live already"
    assert client.available() == {Package("first").nevra, Package("second").nevra}
