"""What a mirror keeps: publications, rollbacks, retention, lock files, and drift."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator

import pytest
import requests
import yaml

from gm_analytics.errors import UnknownPublication
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.publication import Publication
from gm_analytics.operations.by_hand import ByHand
from gm_analytics.operations.exported import FORMATS
from gm_analytics.service import Service as Inside
from gm_analytics.updates import model
from gm_analytics.updates.model import Outcome
from gm_analytics.updates.ports import World
from gm_analytics.updates.story import perform
from lab.deliveries import PullRequest
from lab.packages import Package
from lab.processes import run
from lab.site import Service, Site

from .conftest import Cli, at_once, manifest


def mirror_of(site: Site) -> Inside:
    """Give the service in this process, as it is configured now."""
    return Inside.from_file(site.directory / "gm_analytics.yaml")


def published(site: Site) -> tuple[Held, ...]:
    with mirror_of(site).mirrors.read(site.mirror.name) as session:
        return session.publications.history().publications


def apply(site: Site, *names: str) -> int:
    """Apply a manifest; give the number of what is live then."""
    wanted = Manifest.parse(manifest(*names).encode())
    outcome = mirror_of(site).operations.apply(wanted, site.mirror.name, at_once())
    return Publication.number_of(outcome.publication)


def roll_back(site: Site, number: int | None = None) -> Outcome:
    return mirror_of(site).operations.rollback(site.mirror.name, number, at_once())


def live(site: Site) -> int:
    return next(one.number for one in published(site) if one.served)


@pytest.fixture(autouse=True)
def config(site: Site) -> None:
    """Each test begins with the plain configuration."""
    site.config()


@pytest.fixture
def on_merge(site: Site) -> Iterator[Service]:
    """`gm-analytics serve` with `publish: on_merge`; the command line has it too."""
    with Service.running(site, site.config(publish="on_merge")) as running:
        site.repository.commit({"packages.json": "[]"})
        yield running


def test_publications_are_listed_with_what_made_them(site: Site, cli: Cli) -> None:
    with Service.running(site) as service:
        pull = site.push(manifest("tree"))
        update = service.perform(pull)
    assert apply(site, "leaf01") == 3
    before = site.mirror.host.accepted_connections()
    listed = cli("publications").stdout.splitlines()
    assert site.mirror.host.accepted_connections() - before == 1
    assert [line.split()[0] for line in listed] == ["1", "2", "*"]
    assert listed[0].endswith("as it was found")
    assert listed[1].endswith(f"{pull.head_sha[:12]}  {pull.repository}#1 {update['update_id']}")
    assert re.search(r"[\d-]+ [\d:]+ UTC +\d+ packages +- +apply-", listed[2])
    as_json = json.loads(cli("publications", "--json").stdout)
    assert [(one["number"], one["live"]) for one in as_json] == [(1, False), (2, False), (3, True)]
    assert (as_json[0]["packages"], as_json[1]["commit"]) == (0, pull.head_sha)
    assert as_json[2]["packages"] == as_json[1]["packages"] + 1


def test_two_publications_are_compared_as_a_plan_is(site: Site, cli: Cli) -> None:
    older = apply(site, "nmap-7.92")
    newer = apply(site, "nmap-7.94")
    found = cli("diff", str(older), str(newer))
    assert re.search(
        r"^upgraded +nmap-3:7\.94\S+ .*\(now nmap-3:7\.92", found.stdout, re.MULTILINE
    )
    back = json.loads(cli("diff", "--json", str(newer), str(older)).stdout)
    assert {change["kind"] for change in back["changes"]} == {"removed"}
    assert cli("diff", str(newer), str(newer)).stdout == "nothing would change\n"
    unknown = cli("diff", str(newer), "4711")
    assert (unknown.returncode, "publication 4711: unknown; kept are 1, 2" in unknown.stderr) == (
        4,
        True,
    )


def test_a_client_follows_a_rollback_and_the_one_back(site: Site, cli: Cli) -> None:
    """One client all along: it takes the older set because its revision is newer."""
    site.upstream.add(Package("wayward"))
    older = apply(site, "leaf02")
    client = site.client()
    without = client.available()
    newer = apply(site, "wayward")
    assert Package("wayward").nevra in client.available()

    done = cli("rollback")
    assert done.returncode == 0, done.stderr
    assert f"removed {Package('wayward').nevra}" in done.stdout.splitlines()
    assert live(site) == newer + 1
    assert client.available() == without
    assert published(site)[-1].what == f"rollback to {older}"

    roll_back(site)
    assert Package("wayward").nevra in client.available()
    assert published(site)[-1].what == f"rollback to {newer}"
    site.client().install("wayward")


@pytest.mark.usefixtures("groups")
def test_a_rollback_keeps_the_groups_that_the_older_set_had(site: Site, cli: Cli) -> None:
    apply(site, "@development")
    apply(site, "leaf03")
    roll_back(site)
    client = site.client()
    client.install("@development")
    assert "gcc" in client.names()


def test_what_cannot_be_rolled_back_to_is_refused_and_nothing_changes(
    site: Site, cli: Cli
) -> None:
    site.upstream.add(Package("fleeting"))
    older = apply(site, "fleeting")
    newer = apply(site, "leaf04")
    for number, words in (
        (4711, "publication 4711: unknown; kept are 1"),
        (newer, f"rolling back to publication {newer}: it is live"),
    ):
        refused = cli("rollback", str(number))
        assert (refused.returncode, words in refused.stderr) == (4, True), refused.stderr
    (site.mirror.host.root / Package("fleeting").filename).unlink()
    refused = cli("rollback", str(older))
    assert refused.returncode == 4
    assert f"the pool no longer has {Package('fleeting').filename}" in refused.stderr
    assert live(site) == newer


def test_a_rolled_back_merge_stays_rolled_back(site: Site, on_merge: Service) -> None:
    """Whatever comes again of it: its commit, or its manifest in another one."""
    site.upstream.add(Package("first"), Package("second"))
    one = site.push(manifest("first"), branch="first", number=31)
    on_merge.perform(one)
    merged = site.merge(one)
    assert on_merge.perform(merged)["state"] == "published"
    two = site.push(manifest("first", "second"), branch="second", number=32)
    on_merge.perform(two)
    later = site.merge(two)
    published = on_merge.perform(later)
    assert published["state"] == "published"

    roll_back(site)
    client = site.client()
    assert client.available() == {Package("first").nevra}
    again = site.push(manifest("second", "first"), branch="again", number=33)
    said = "was rolled back by a person: what it held is published again by a person alone"
    previewed = on_merge.perform(again)
    assert previewed["state"] == "previewed"
    assert said in previewed["outcome"]["warnings"][-1]
    for event in (again, later):  # and the merge itself, whatever id it is delivered under
        ignored = story_of(site, event if event is later else site.merge(event))
        assert (ignored.state, said in ignored.message) == ("ignored", True), ignored
    assert client.available() == {Package("first").nevra}

    revert = site.push(manifest("first"), branch="revert", number=34)
    assert on_merge.perform(site.merge(revert))["state"] == "unchanged"
    anew = site.push(manifest("first", "second"), branch="anew", number=35)
    assert on_merge.perform(site.merge(anew))["state"] == "published", "reverted, and merged anew"
    assert client.available() == {Package("first").nevra, Package("second").nevra}


def story_of(site: Site, pull: PullRequest, aim: model.Aim = model.MERGE) -> Outcome:
    """Perform an update of a delivery as it is, however often it was delivered before."""
    update = model.Update(
        f"story-{pull.head_sha[:12]}", site.mirror.name, pull.repository, pull.number,
        pull.head_sha, aim=aim, merge_sha=pull.merge_commit_sha or "",
        merged_at=pull.merged_at or "",
    )  # fmt: skip
    service = mirror_of(site)
    text = service.github.manifest(pull.repository, update.commit)
    return perform(update, World(ByHand(Manifest.parse(text)), service.mirrors), at_once())


# --- retention ------------------------------------------------------------------------------


def keeping(site: Site, **retention: int) -> None:
    """Configure how much the mirror keeps."""
    mirror = site.mirror.settings(retention=retention, grace_minutes=1)
    site.config(mirrors=[mirror], publish="on_merge")


def let_time_pass(site: Site) -> None:
    """Have all that the mirror holds seem older than the longest grace period here, an hour."""
    root, then = site.mirror.host.root, time.time() - 7200
    for path in (*root.glob(".publications/*"), *root.glob(".previews/*"), *root.glob("*.rpm")):
        os.utime(path, (then, then))


def on_disk(site: Site) -> set[str]:
    return {path.name for path in site.mirror.host.root.glob("*.rpm")}


def bytes_on_disk(site: Site) -> int:
    root = str(site.mirror.host.root)
    without = ("--exclude=.cache", "--exclude=added.txt", "--exclude=publications")
    return int(run(["du", "-sb", *without, root]).stdout.split()[0])


def test_after_ten_publications_the_disk_is_freed_and_every_kept_one_still_installs(
    site: Site, cli: Cli
) -> None:
    keeping(site, publications=100)
    for number in range(10):
        site.upstream.add(Package(f"weight{number}", size=100_000, requires=("tzdata",)))
        apply(site, f"weight{number}")
    let_time_pass(site)
    keeping(site, publications=3, days=0)
    before, listed = bytes_on_disk(site), published(site)

    trial = cli("gc", "--dry-run")
    assert trial.returncode == 0, trial.stderr
    assert (bytes_on_disk(site), published(site)) == (before, listed)
    done = cli("gc")
    assert done.returncode == 0, done.stderr
    assert done.stdout == trial.stdout.replace("would go", "went")
    match = re.search(r"RPMs? went: ([\d,]+) bytes before, ([\d,]+) after$", done.stdout)
    assert match, done.stdout
    said = int(match[1].replace(",", "")) - int(match[2].replace(",", ""))
    assert said == before - bytes_on_disk(site)
    assert said > 7 * 100_000
    by_hand = cli("updates").stdout
    assert re.search(r"^gc-\S+  unchanged  .* gc by hand\n    .* removed$", by_hand, re.MULTILINE)

    kept = [one.number for one in published(site)]
    assert kept == [one.number for one in listed][-3:]
    tzdata = next(name for name in on_disk(site) if name.startswith("tzdata"))
    wanted = {Package(f"weight{number}").filename for number in (7, 8, 9)}
    assert on_disk(site) == wanted | {tzdata}
    for number, weight in zip(kept[:-1], (7, 8), strict=True):
        roll_back(site, number)
        site.client().install(f"weight{weight}")
    assert cli("gc", "--dry-run").stdout.startswith("0 publications, 0 previews and 0 RPMs")


def test_what_a_client_may_be_reading_stays(site: Site, cli: Cli) -> None:
    """A client that took the metadata just before a publication still gets all its packages."""
    keeping(site, publications=1, days=0)
    site.upstream.add(Package("outgoing"))
    apply(site, "outgoing")
    let_time_pass(site)
    client = site.client()
    client.makecache()
    apply(site, "leaf05")
    assert cli("gc").returncode == 0
    client.dnf("install", "--setopt=mirror.metadata_expire=-1", "outgoing")
    let_time_pass(site)
    assert f"rpm {Package('outgoing').filename}" in cli("gc").stdout
    assert Package("outgoing").filename not in on_disk(site)


def test_an_update_that_publishes_removes_what_is_not_kept_by_itself(site: Site, cli: Cli) -> None:
    keeping(site, publications=1, days=0)
    site.upstream.add(Package("passing"))
    gone = apply(site, "passing")
    apply(site, "leaf06")
    let_time_pass(site)
    newest = apply(site, "leaf07")
    assert gone not in [one.number for one in published(site)]
    assert live(site) == newest
    assert Package("passing").filename not in on_disk(site)


def test_an_rpm_that_an_unfinished_update_has_looked_at_stays(site: Site, cli: Cli) -> None:
    """A worker may have died between adding it to the pool and publishing it.

    What the service did not add is nobody's to remove.
    """
    apply(site, "leaf25")
    root = site.mirror.host.root
    stray, awaited = root / "stray-1-1.noarch.rpm", root / "awaited-1-1.noarch.rpm"
    foreign = root / "foreign-1-1.noarch.rpm"
    with (root / ".publications" / "added.txt").open("a") as ledger:
        ledger.write(f"{stray.name}\n{awaited.name}\n")
    staging = root / ".staging" / "unfinished"
    staging.mkdir(parents=True)
    (staging / "facts").write_text(f"{awaited.name}\tawaited\t0\t1\t1\tnoarch\t1\tff\t\t\n")
    for path in (stray, awaited, foreign):
        path.write_bytes(b"x")
    let_time_pass(site)
    assert cli("gc").returncode == 0
    assert (stray.exists(), awaited.exists(), foreign.exists()) == (False, True, True)


def test_a_mirror_that_serves_nothing_loses_nothing() -> None:
    """A plain repository is only taken over by an update; until then nothing names its RPMs."""
    with Site.running() as site:
        rpm = site.mirror.host.root / "precious-1-1.noarch.rpm"
        rpm.write_bytes(b"x")
        os.utime(rpm, (0, 0))
        site.config()
        with pytest.raises(UnknownPublication, match="nothing is published"):
            mirror_of(site).operations.collect(site.mirror.name, dry_run=False)
        assert rpm.exists()


# --- lock files -----------------------------------------------------------------------------


def lock_of(cli: Cli) -> str:
    printed = cli("lock")
    assert printed.returncode == 0, printed.stderr
    return printed.stdout


def locked(site: Site, cli: Cli, text: str, *names: str) -> subprocess.CompletedProcess[str]:
    """Apply a manifest as a lock file has it."""
    path = site.directory / "packages.lock.json"
    path.write_text(text)
    return cli("apply", "--locked", str(path), "-", stdin=manifest(*names))


def digests(site: Site) -> dict[str, str]:
    """Give the SHA-256 of every RPM of the live set."""
    with mirror_of(site).mirrors.read(site.mirror.name) as session:
        held = session.publications.publication()
        found = {
            package.file: package.sha256
            for package in session.publications.packages(held.directory)
        }
    for file, digest in found.items():
        assert hashlib.sha256((site.mirror.host.root / file).read_bytes()).hexdigest() == digest
    return found


def test_a_lock_gives_the_same_bytes_after_upstream_changed(site: Site, cli: Cli) -> None:
    """From the pool, whatever upstream has now: exactly the older set with `on_merge`."""
    fresh = site.mirror.settings(upstream={"max_age": 0})
    site.config(publish="on_merge", mirrors=[fresh])
    old, new = Package("engine", "1.0", requires=("gear",)), Package("engine", "2.0")
    site.upstream.add(old, Package("gear"))
    apply(site, "engine")
    text, before = lock_of(cli), digests(site)
    assert [one["wanted_by"] for one in json.loads(text)["packages"] if "engine" in one["nevra"]]
    formats = {form: cli("lock", "--format", form).stdout for form in FORMATS}
    assert formats["gm"] == text
    [arch] = yaml.safe_load(formats["rpms.lock.yaml"])["arches"]
    listed = {one["name"]: one for one in arch["packages"]}
    assert set(listed) == {"engine", "gear"}
    assert listed["gear"]["checksum"] == f"sha256:{before[Package('gear').filename]}"
    assert requests.get(listed["gear"]["url"], timeout=10).ok
    assert listed["gear"]["sourcerpm"].endswith(".src.rpm")
    for form in ("spdx", "cyclonedx"):
        assert "pkg:rpm/" in formats[form]
        assert listed["gear"]["sourcerpm"] in formats[form], "headers were read"
        assert "MIT" in formats[form]
    site.upstream.add(new)
    site.upstream.remove(old)
    apply(site, "engine", "leaf08")
    assert new.filename in digests(site)

    done = locked(site, cli, text, "engine")
    assert done.returncode == 0, done.stderr
    assert digests(site) == before
    client = site.client()
    client.install("engine")
    assert old.nevra in client.installed()


def test_what_the_pool_lacks_is_fetched_by_its_name_beside_what_it_has(
    site: Site, cli: Cli
) -> None:
    """Upstream has a newer one and lost what it needs, which only the pool has."""
    site.config(publish="on_merge")
    old, need = Package("motor", "1.0", requires=("spark = 1.0",)), Package("spark", "1.0")
    site.upstream.add(old, need)
    apply(site, "motor")
    text, before = lock_of(cli), digests(site)
    apply(site, "leaf09")
    site.upstream.add(Package("motor", "2.0"), Package("spark", "2.0"))
    site.upstream.remove(need)
    (site.mirror.host.root / old.filename).unlink()
    done = locked(site, cli, text, "motor")
    assert done.returncode == 0, done.stderr
    assert digests(site) == before


def test_a_lock_that_cannot_be_followed_names_every_rpm_and_changes_nothing(
    site: Site, cli: Cli
) -> None:
    site.config(publish="on_merge")
    rebuilt, removed, poisoned = Package("rebuilt"), Package("removed"), Package("poisoned")
    site.upstream.add(rebuilt, removed, poisoned)
    names = ("rebuilt", "removed", "poisoned")
    apply(site, *names)
    text = lock_of(cli)
    now = apply(site, "leaf10")
    site.upstream.add(rebuilt.rebuilt())
    site.upstream.remove(removed)
    for package in (rebuilt, removed):
        (site.mirror.host.root / package.filename).unlink()
    (site.mirror.host.root / poisoned.filename).write_bytes(b"other")

    refused = locked(site, cli, text, *names)
    assert refused.returncode == 4
    assert f"{rebuilt.nevra}: upstream has other bytes" in refused.stderr
    assert f"{removed.nevra}: upstream no longer has it" in refused.stderr
    assert f"{poisoned.nevra}: the pool has other bytes" in refused.stderr
    assert live(site) == now
    assert not (site.mirror.host.root / rebuilt.filename).exists()


def test_a_lock_of_another_manifest_is_refused_with_the_difference(site: Site, cli: Cli) -> None:
    apply(site, "leaf11")
    text = lock_of(cli)
    refused = locked(site, cli, text, "leaf12")
    assert refused.returncode == 2
    assert "leaf12 is in the manifest alone; leaf11 is in the lock file alone" in refused.stderr
    assert cli("lock", "--publication", "4711").returncode == 4


def test_with_on_pull_request_the_locked_rpms_are_added(site: Site, cli: Cli) -> None:
    apply(site, "leaf13")
    text = lock_of(cli)
    apply(site, "leaf14")
    done = locked(site, cli, text, "leaf13")
    assert done.stdout.startswith("unchanged: "), done.stderr
    assert {"leaf13", "leaf14"} <= {nevra.split("-")[0] for nevra in site.client().available()}


# --- drift ----------------------------------------------------------------------------------


def differing(site: Site, cli: Cli, *options: str) -> list[str]:
    """Give the findings that differ; with none the exit code must be 0, else 3."""
    found = cli("status", *options)
    told = [line for line in found.stdout.splitlines() if "not signed, which clients" not in line]
    lines = [line for line in told if not line.startswith("ok ")]
    assert found.returncode == (3 if lines else 0), found.stdout + found.stderr
    assert all(line.startswith("DIFF") for line in lines)
    return lines


def test_a_mirror_in_step_says_what_agrees(site: Site, cli: Cli) -> None:
    site.config(publish="on_merge")
    site.repository.commit({"packages.json": manifest("leaf15", "tree")})
    number = apply(site, "leaf15", "tree")
    found = cli("status", "--checksums")
    assert found.returncode == 0, found.stdout
    said = found.stdout.splitlines()
    assert re.search(rf"publication {number}, apply-\S+, is live$", said[0])
    assert said[1].endswith(f"its default branch: live since publication {number}")
    assert re.search(r"repomd.xml and the \d+ files that it names are the live", said[2])
    assert re.search(r"it describes what packages.txt has: \d+ packages?$", said[3])
    assert said[4].endswith("not signed, which clients that check refuse"), "as the lab's are"
    assert re.search(r"\d+ RPMs? served, each with its checksum$", said[5])
    assert said[6].endswith("address: clients may refresh by repodata/mirrorlist")
    assert said[7].endswith("upstream: it looks as it did when what is live was solved")
    severities = [one["severity"] for one in json.loads(cli("status", "--json").stdout)]
    assert severities == [*["ok"] * 4, "warn", *["ok"] * 3]


def test_with_on_pull_request_an_older_publication_still_satisfies(site: Site, cli: Cli) -> None:
    site.repository.commit({"packages.json": manifest("leaf16")})
    number = apply(site, "leaf16")
    apply(site, "leaf17")
    site.push(manifest("nosuch"), branch="not-the-followed-one")
    assert differing(site, cli) == []
    assert f"live since publication {number}" in cli("status").stdout
    site.repository.commit({"packages.json": "[]"})
    assert "it names no packages" in cli("status").stdout


def test_a_manifest_that_is_not_live_differs(site: Site, cli: Cli) -> None:
    site.config(publish="on_merge")
    site.repository.commit({"packages.json": manifest("leaf18")})
    apply(site, "leaf18")
    assert differing(site, cli) == []
    site.repository.commit({"packages.json": manifest("leaf19")})
    assert re.search(r"^DIFF manifest team/packages at its default branch", *differing(site, cli))
    site.repository.commit({"packages.json": "no JSON"})
    assert "no JSON" in differing(site, cli)[0]
    site.repository.commit({"packages.json": None})
    assert "no manifest: team/packages has no packages.json at HEAD" in differing(site, cli)[0]
    site.repository.commit({"packages.json": manifest("leaf18")})
    roll_back(site)
    assert "no publication that is live was made from it" in differing(site, cli)[0]


def test_what_is_served_otherwise_than_published_differs(site: Site, cli: Cli) -> None:
    site.config(publish="on_merge")
    site.repository.commit({"packages.json": manifest("leaf20", "leaf21", "leaf22")})
    apply(site, "leaf20", "leaf21", "leaf22")
    root = site.mirror.host.root
    gone, short, changed = (next(root.glob(f"leaf2{n}-*.rpm")) for n in range(3))
    gone.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    changed.write_bytes(bytes(len(changed.read_bytes())))
    found = differing(site, cli)
    assert len(found) == 2
    assert f"{gone.name}: 404 Not Found" in found[0]
    assert re.search(rf"{short.name}: [\d,]+ bytes; expected [\d,]+\. Run `gm-ana", found[1])
    found = differing(site, cli, "--checksums")
    assert len(found) == 3
    assert f"{changed.name}: not the bytes that were published. Run `gm-ana" in found[2]

    repomd = (root / "repodata" / "repomd.xml").read_text()
    named = re.search(r'href="(repodata/[^"]*-primary[^"]*)"', repomd)
    assert named
    primary = root / named[1]
    content = primary.read_bytes()
    primary.write_bytes(b"")
    assert any(f"{named[1]}: not the bytes" in line for line in differing(site, cli))
    primary.write_bytes(content)


def test_another_repository_at_the_mirrors_address_differs(site: Site, cli: Cli) -> None:
    apply(site, "leaf23")
    site.config(mirrors=[site.mirror.settings(url=site.upstream_web.url)])
    assert any("repomd.xml: not the bytes" in line for line in differing(site, cli))


def test_what_cannot_be_compared_is_told_from_what_differs(site: Site, cli: Cli) -> None:
    site.repository.commit({"packages.json": manifest("leaf24")})
    apply(site, "leaf24")
    site.mirror.web.stop()
    try:
        found = cli("status", site.mirror.name)
    finally:
        site.mirror.web.start()
    assert found.returncode == 1
    assert re.search(
        r"^\?    mirror \S+ web: repodata/repomd.xml: Connection", found.stdout, re.MULTILINE
    )
    site.mirror.host.stop()
    try:
        found = cli("status")
    finally:
        site.mirror.host.start()
    assert found.returncode == 1
    assert found.stdout.startswith("?    mirror ")
    assert "opening an SSH session" in found.stdout
    assert cli("status", "nosuch").returncode == 2
