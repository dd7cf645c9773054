"""What clients meet while a mirror changes."""

from __future__ import annotations

import subprocess
from itertools import pairwise

import requests

from gm_analytics import settings
from gm_analytics.manifest import Manifest
from gm_analytics.service import Service
from lab.packages import Package
from lab.site import Service as Processes
from lab.site import Site

from .conftest import at_once, manifest
from .watch import metadata_is_whole, refresh_and_install, watching

MIRROR = "mirror.icesi.edu.co"


def test_a_client_in_a_tight_loop_meets_no_error_during_twenty_publications(
    site: Site, inside: Service
) -> None:
    inside.operations.apply(Manifest.parse(manifest("tree", "nmap").encode()), MIRROR, at_once())
    looks = refresh_and_install(site.client(), "tree", "nmap")
    with (
        watching(looks) as client,
        watching(metadata_is_whole(site.mirror.web.url)) as reader,
    ):
        for number in range(20):
            wanted = Manifest.parse(manifest(f"leaf{number:02d}").encode())
            assert inside.operations.apply(wanted, MIRROR, at_once()).state == "published"
    assert not client.errors, client.errors[:3]
    assert not reader.errors, reader.errors[:3]
    assert client.looks > 5
    assert reader.looks > 20


def test_metadata_of_a_set_that_was_live_is_still_there(site: Site, inside: Service) -> None:
    """A client that holds an old repomd.xml finds what it names within the grace period."""
    look = site.mirror.web.url
    inside.operations.apply(Manifest.parse(manifest("leaf30").encode()), MIRROR, at_once())
    old = requests.get(f"{look}repodata/repomd.xml", timeout=10).text
    for name in ("leaf31", "leaf32", "leaf33"):
        inside.operations.apply(Manifest.parse(manifest(name).encode()), MIRROR, at_once())
    _, *parts = old.split('href="')
    assert len(parts) > 2
    for part in parts:
        assert requests.get(look + part.partition('"')[0], timeout=10).ok


def test_a_plain_repository_is_adopted_without_clients_noticing(site: Site) -> None:
    """As the course project left it: RPMs and a real `repodata` directory in the root."""
    mirror = site.add_mirror("plain.example")
    root = mirror.host.root
    rpm = next(site.upstream.root.glob("leaf40-*.rpm"))
    stray = next(site.upstream.root.glob("leaf41-*.rpm"))
    old = next(site.upstream.root.glob("leaf42-*.rpm"))
    (root / "Packages").mkdir()
    for source, target in ((rpm, root), (old, root / "Packages")):
        subprocess.run(["cp", str(source), str(target)], check=True)
    subprocess.run(["createrepo_c", "-q", str(root)], check=True)
    subprocess.run(["cp", str(stray), str(root)], check=True)
    (root / "broken.rpm").write_bytes(b"no package")
    mirror.host.owned_by_account(root)
    service = Service(settings.Settings.model_validate(site.settings()))
    looks = refresh_and_install(site.client(mirror), "leaf40", "leaf42")
    with watching(looks) as client, watching(metadata_is_whole(mirror.web.url)) as reader:
        found = service.operations.apply(Manifest.parse(b'["leaf43"]'), mirror.name, at_once())
    assert found.state == "published"
    assert not client.errors, client.errors[:3]
    assert not reader.errors, reader.errors[:3]
    assert (root / "repodata").is_symlink()
    shopper = site.client(mirror)
    shopper.install("leaf40", "leaf41", "leaf42", "leaf43")
    assert {"leaf40", "leaf41", "leaf42", "leaf43"} <= shopper.names()


def test_two_mirrors_are_updated_side_by_side_and_one_mirror_one_after_the_other(
    site: Site,
) -> None:
    """The first two can only end if they run at the same time: each waits for the other."""
    other = site.add_mirror("second.example")
    first = site.mirror
    both = [first, other]
    meeting = site.directory / "meeting"
    meeting.mkdir(mode=0o777)
    meeting.chmod(0o777)
    for mirror in both:
        mirror.host.install_program(
            "createrepo_c",
            f"#!/bin/sh\ncase $* in *--update*) : > {meeting}/{mirror.name}; n=0\n"
            f"while [ $(ls {meeting} | wc -l) -lt 2 ]; do\n"
            "n=$((n+1)); [ $n -lt 300 ] || exit 9; sleep 0.1; done;; esac\n"
            'exec /usr/bin/createrepo_c "$@"\n',
        )
    try:
        mirrors = [mirror.settings() for mirror in both]
        with Processes.running(site, site.config(mirrors=mirrors)) as service:
            site.upstream.add(Package("twofold"))
            reply = service.deliver(site.push(manifest("twofold")))
            names = [f"{reply.json()['update_id']}@{mirror.name}" for mirror in both]
            assert [service.end_of(name)["state"] for name in names] == ["published"] * 2
        with Processes.running(site, site.config(mirrors=mirrors[:1])) as service:
            ids = []
            for number in range(50, 54):
                pull = site.push(manifest(f"leaf{number}"), number=number)
                ids.append(service.deliver(pull).json()["update_id"])
            ended = [service.end_of(update_id) for update_id in ids]
    finally:
        for mirror in both:
            mirror.host.restore_program("createrepo_c")
    spans = sorted((s["started_at"], s["completed_at"]) for s in ended)
    for (_, end), (start, _) in pairwise(spans):
        assert end <= start + 0.05, spans


def test_a_newer_delivery_supersedes_one_that_still_waits(site: Site) -> None:
    web = Processes(site, site.config())
    web.start_web()
    try:
        older = web.deliver(site.push(manifest("leaf55"), number=77)).json()["update_id"]
        newer = web.deliver(site.push(manifest("leaf56"), number=77)).json()["update_id"]
        other = web.deliver(site.push(manifest("leaf57"), number=78)).json()["update_id"]
    finally:
        web.stop()
    with Processes.running(site) as service:
        ends = {name: service.end_of(name)["state"] for name in (older, newer, other)}
    assert ends == {older: "superseded", newer: "published", other: "published"}


def test_connexions_own_command_with_a_worker_beside_it_does_the_same(site: Site) -> None:
    with Processes.running(site, split=True) as service:
        for form, name in ((False, "leaf58"), (True, "leaf59")):
            status = service.perform(site.push(manifest(name), number=90), form=form)
            assert status["state"] == "published", service.log
        refused = service.deliver(site.push("[]"), event="ping")
        assert refused.json()["command_return"] == "pong"
