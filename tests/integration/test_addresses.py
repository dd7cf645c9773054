"""The addresses that publications and days have, by the programs that clients use."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import requests

from gm_analytics import settings
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.signing import PUBLIC_NAME, Key
from gm_analytics.operations import standing, status
from gm_analytics.operations.findings import Finding
from gm_analytics.operations.standing import Made
from gm_analytics.service import Service
from lab.client import Client
from lab.site import Mirror, Site

from .conftest import at_once, manifest
from .watch import metadata_is_whole, refresh_and_install, watching

DAY = 86_400
NO_LINKS = (
    "return 404;",
    'return 404;\n    }\n    location ~ "ackages/[^/]*$" {\n        return 403;',
)
"""A web server that follows no link to a package, as the one of earlier versions."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        running.sign()
        assert running.mirror.signing_home
        Key(running.mirror.signing_home).make(running.mirror.name)
        yield running


def service_of(site: Site, mirror: Mirror | None = None, **changes: object) -> Service:
    which = (mirror or site.mirror).settings(**changes)
    return Service(settings.Settings.model_validate(site.settings(mirrors=[which])))


def apply(site: Site, *names: str, mirror: Mirror | None = None, **changes: object) -> int:
    """Publish, and give the number of what is live."""
    service, target = service_of(site, mirror, **changes), mirror or site.mirror
    wanted = Manifest.parse(manifest(*names).encode())
    service.operations.apply(wanted, target.name, at_once())
    return live(target)


def live(mirror: Mirror) -> int:
    return int((mirror.host.root / "repodata").readlink().parts[1])


def trusting(site: Site, path: str = "", **options: bool) -> Client:
    return site.client(path=path, repo_gpgkey=site.mirror.key_url, **options)


def ago(mirror: Mirror, number: int, days: float) -> None:
    """Take a publication for one that came so many days ago."""
    when = time.time() - days * DAY
    root = mirror.host.root
    for place in (f"publications/{number}", f".publications/{number:06d}/packages.txt"):
        os.utime(root / place, (when, when))


def day(days: float) -> str:
    return (datetime.now(UTC).date() - timedelta(days=days)).isoformat()


def said(site: Site, mirror: Mirror, made: Made | None = None) -> list[Finding]:
    service = service_of(site, mirror)
    return list(status.run(service, [mirror.name], checksums=True, made=lambda _: made or Made()))


def of(found: list[Finding], subject: str) -> list[Finding]:
    return [finding for finding in found if finding.subject.endswith(subject)]


@contextmanager
def unreadable(rpm: Path) -> Iterator[None]:
    """Have other bytes in a file, which createrepo finds out only if it reads it again."""
    content, times = rpm.read_bytes(), rpm.stat()
    try:
        rpm.write_bytes(bytes(len(content)))
        os.utime(rpm, ns=(times.st_atime_ns, times.st_mtime_ns))
        yield
    finally:
        rpm.write_bytes(content)
        os.utime(rpm, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_one_signed_set_of_metadata_serves_the_root_its_address_and_its_day(site: Site) -> None:
    first, second = apply(site, "leaf01"), apply(site, "leaf02")
    url = site.mirror.web.url
    listed = requests.get(f"{url}repodata/mirrorlist", timeout=10)
    assert listed.text == f"{url}publications/{second}/\n"
    assert listed.headers["Cache-Control"] == "no-cache"
    for path, options in (
        ("", {}),
        ("repodata/mirrorlist", {"mirrorlist": True}),
        (f"publications/{second}/", {}),
        (f"publications/{day(0)}/", {}),
        (f"publications/{day(-30)}/repodata/mirrorlist", {"mirrorlist": True}),
    ):
        client = trusting(site, path, **options)
        client.install("leaf02")
        assert client.names() == {"leaf02"}, path
    older = trusting(site, f"publications/{first}/")
    assert older.install("leaf02", check=False).returncode != 0
    older.install("leaf01")
    assert not [one for one in said(site, site.mirror) if not one.good]


def test_a_rollback_is_live_with_a_mirrorlist_of_its_own(site: Site) -> None:
    before = apply(site, "leaf03")
    after = apply(site, "leaf04")
    client = trusting(site, "repodata/mirrorlist", mirrorlist=True)
    assert "leaf04" in " ".join(client.available())
    service_of(site).operations.rollback(site.mirror.name, before, at_once())
    assert live(site.mirror) == after + 1
    mirrorlist = requests.get(f"{site.mirror.web.url}repodata/mirrorlist", timeout=10).text
    assert mirrorlist.endswith(f"/publications/{after + 1}/\n")
    assert "leaf04" not in " ".join(client.available())
    trusting(site, f"publications/{after}/").install("leaf04")


def test_a_past_day_installs_what_was_live_then_and_goes_with_its_publication(site: Site) -> None:
    """Of what retention keeps; an RPM that a kept address names stays, whatever goes."""
    old, middle = apply(site, "leaf05"), apply(site, "leaf06")
    ago(site.mirror, old, 9)
    ago(site.mirror, middle, 5)
    for number in range(1, old):
        if (site.mirror.host.root / f"publications/{number}").exists():
            ago(site.mirror, number, 20)
    newest = apply(site, "leaf07")
    client = trusting(site, f"publications/{day(7)}/")
    assert "leaf06" not in " ".join(client.available())
    client.install("leaf05")
    dated = trusting(site, f"publications/{day(3)}/repodata/mirrorlist", mirrorlist=True)
    dated.install("leaf06")
    url = site.mirror.web.url
    assert requests.get(f"{url}publications/{day(3)}/repodata/mirrorlist", timeout=10).text == (
        f"{url}publications/{middle}/\n"
    )
    for number in range(1, middle):
        place = site.mirror.host.root / f".publications/{number:06d}"
        if place.exists():
            os.utime(place, (time.time() - 90 * DAY,) * 2)
    keeping = service_of(site, retention={"publications": 2, "days": 1}, grace_minutes=1)
    gone = keeping.operations.collect(site.mirror.name, dry_run=False).publications
    assert old in gone
    assert middle not in gone
    left = {one.name for one in (site.mirror.host.root / "publications").iterdir()}
    assert not {day(7), day(9), str(old)} & left
    assert {day(3), day(0), str(middle), str(newest)} <= left
    trusting(site, f"publications/{day(3)}/").install("leaf06", "leaf05")
    assert requests.get(
        f"{url}publications/{old}/repodata/repomd.xml", timeout=10
    ).status_code == (404)


def test_a_server_that_follows_no_link_to_packages_keeps_plain_metadata(site: Site) -> None:
    """As an nginx of an earlier version's: clients by baseurl go on, and `status` tells."""
    mirror = site.add_mirror("old.example")
    with mirror.web.saying(NO_LINKS):
        apply(site, "leaf09", "leaf16", mirror=mirror)
        found = said(site, mirror)
        (address,) = of(found, "address")
        assert (address.severity, "baseurl alone" in address.said) == ("warn", True)
        assert requests.get(f"{mirror.web.url}repodata/mirrorlist", timeout=10).status_code == 404
        site.client(mirror).install("leaf09")
        held = site.client(mirror)
        held.makecache()
    looks = refresh_and_install(site.client(mirror), "leaf09")
    with (
        watching(looks) as client,
        watching(metadata_is_whole(mirror.web.url)) as reader,
    ):
        apply(site, "leaf10", mirror=mirror)  # with the link, from metadata without
        with unreadable(next(mirror.host.root.glob("leaf16-*.rpm"))):
            apply(site, "leaf17", mirror=mirror)  # from metadata with it
    assert not client.errors, client.errors[:3]
    assert not reader.errors, reader.errors[:3]
    held.dnf("install", "--setopt=metadata_expire=never", "leaf09")
    assert not [one for one in said(site, mirror) if not one.good]
    site.client(mirror, "repodata/mirrorlist", mirrorlist=True).install("leaf09", "leaf10")
    assert not (mirror.host.root / "publications/2").exists()


def test_another_address_is_named_after_the_next_update_though_it_changes_nothing(
    site: Site,
) -> None:
    mirror = site.add_mirror("moved.example")
    first = apply(site, "leaf20", mirror=mirror)
    assert apply(site, "leaf20", mirror=mirror) == first
    other = mirror.web.url.replace("127.0.0.1", "localhost")
    service = service_of(site, mirror, url=other)
    found = list(status.run(service, [mirror.name], checksums=False))
    assert [one.said for one in found if not one.good] == [
        f"its mirrorlist does not name {other}publications/{first}/"
    ]
    assert apply(site, "leaf20", mirror=mirror, url=other) == first + 1
    listed = requests.get(f"{other}repodata/mirrorlist", timeout=10).text
    assert listed == f"{other}publications/{first + 1}/\n"
    assert apply(site, "leaf20", mirror=mirror, url=other) == first + 1


def test_an_adopted_repository_with_a_directory_packages_has_addresses_all_the_same(
    site: Site,
) -> None:
    mirror = site.add_mirror("adopted.example")
    root = mirror.host.root
    (root / "Packages").mkdir()
    rpm = next(site.upstream.root.glob("leaf11-*.rpm"))
    shutil.copy(rpm, root / "Packages")
    subprocess.run(["createrepo_c", "-q", str(root)], check=True)
    mirror.host.owned_by_account(root)
    before = site.client(mirror)
    before.makecache()
    apply(site, "leaf12", mirror=mirror)
    assert (root / "gm-packages").is_symlink()
    for path, options in (("", {}), ("repodata/mirrorlist", {"mirrorlist": True})):
        site.client(mirror, path, **options).install("leaf11", "leaf12")
    before.dnf("install", "--setopt=metadata_expire=never", "leaf11")
    assert not [one for one in said(site, mirror) if not one.good]


def test_status_tells_of_a_mirror_that_is_behind_or_frozen(site: Site, tmp_path: Path) -> None:
    """Such as a host that was brought back from a backup, or a web server of another's."""
    mirror = site.add_mirror("behind.example")
    first = apply(site, "leaf13", mirror=mirror)
    copy = tmp_path / "copy"
    shutil.copytree(mirror.host.root, copy, symlinks=True)
    second = apply(site, "leaf14", mirror=mirror)
    good = said(site, mirror, Made(second, time.time() - 60, time.time()))
    assert not [one for one in good if not one.good]
    made = Made(second + 1, time.time() + 5, time.time() + 9)
    (behind,) = of(said(site, mirror, made), "age")
    assert behind.severity == "fail"
    assert f"publication {second} is live, though publication {second + 1} was made" in behind.said
    # What is served is the older publication's, as a cache would have it.
    stale = (
        f"rewrite /repo/repodata/repomd.xml$ /repo/publications/{first}/repodata/repomd.xml last;"
    )
    with mirror.web.saying(("/$named;", f"/$named; {stale}")):
        found = said(site, mirror)
    (frozen,) = of(found, "age")
    assert f"clients are served publication {first}, which was live before" in frozen.said


def test_the_store_says_what_was_made_last(site: Site) -> None:
    mirror = site.add_mirror("made.example")
    service = service_of(site, mirror)
    assert Made.newest(service.store, mirror.name) == Made()
    apply(site, "leaf15", mirror=mirror)
    newest = Made.newest(service.store, mirror.name)
    assert 0 < newest.began <= newest.ended
    with service.mirrors.read(mirror.name) as session:
        look, past = session.host.look(), session.publications.history()
        assert past.live
        now = standing.look(service.settings.mirror(mirror.name), session, look, past.live, newest)
    assert (now.live, now.served, now.behind, now.frozen) == (2, 2, False, False)


class Switching(SimpleHTTPRequestHandler):
    """Serves a root that switches to another publication between repomd.xml and its signature."""

    switch: ClassVar[Callable[[], None]]

    def do_GET(self) -> None:
        if self.path.endswith("/repomd.xml.asc"):
            self.switch()
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


def test_a_switch_between_repomd_and_its_signature_is_met_by_baseurl_alone(site: Site) -> None:
    """What happens to a client now and then, each time."""
    mirror = site.add_mirror("switching.example")
    site.sign(mirror)
    assert mirror.signing_home
    Key(mirror.signing_home).make(mirror.name)
    root = mirror.host.root
    handler = partial(Switching, directory=str(root))
    Switching.switch = lambda _: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        both = [apply(site, name, mirror=mirror, url=url) for name in ("leaf18", "leaf19")]

        switched: list[int] = []

        def switch(_: object) -> None:
            switched.append(other := both[live(mirror) == both[0]])
            (root / ".new").symlink_to(f".publications/{other:06d}/repodata")
            (root / ".new").rename(root / "repodata")

        Switching.switch = switch
        for path, code in (("", 1), ("repodata/mirrorlist", 0)):
            switched.clear()
            place = site.directory / f"switching{code}"
            client = Client(
                place, url + path, mirrorlist=bool(path), repo_gpgkey=f"{url}{PUBLIC_NAME}"
            )
            done = client.makecache(check=False)
            assert (done.returncode, "Bad GPG signature" in done.stderr) == (code, bool(code)), (
                done.stderr
            )
            assert switched
        server.shutdown()
