"""Lost and damaged RPMs: found, fetched again bit for bit, or named; no update ends for them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gm_analytics import settings
from gm_analytics.errors import PoolIncomplete
from gm_analytics.manifest import Manifest
from gm_analytics.service import Service
from lab.packages import Package
from lab.site import Mirror, Site
from lab.upstream import SigningKey

from .conftest import Cli, at_once, manifest


def lose(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def change(path: Path) -> None:
    """Of its own length and time, so that only its checksum tells."""
    content = path.read_bytes()
    path.write_bytes(content[:-10] + bytes(byte ^ 0xFF for byte in content[-10:]))


DAMAGES: tuple[Callable[[Path], None], ...] = (lose, cut, change)


@pytest.fixture
def mirror(site: Site) -> Mirror:
    """A mirror of the test's own; the command line knows no other."""
    found = site.add_mirror(f"m{len(site.mirrors)}.example")
    configure(site, found)
    return found


def configure(site: Site, mirror: Mirror, **changes: object) -> Service:
    fresh = mirror.settings(upstream={"max_age": 0})
    site.config(mirrors=[fresh], **changes)
    return Service(settings.Settings.model_validate(site.settings(mirrors=[fresh], **changes)))


def apply(service: Service, mirror: Mirror, *names: str) -> str:
    wanted = Manifest.parse(manifest(*names).encode())
    return service.operations.apply(wanted, mirror.name, at_once()).state


def test_what_is_lost_or_damaged_comes_back_bit_for_bit(
    site: Site, cli: Cli, mirror: Mirror
) -> None:
    service = configure(site, mirror)
    apply(service, mirror, "leaf00", "leaf01", "leaf02", "tree")
    root = mirror.host.root
    files = [next(root.glob(f"leaf0{number}-*.rpm")) for number in range(3)]
    before = {path: path.read_bytes() for path in root.glob("*.rpm")}
    readers = [path.open("rb") for path in files]
    for path, damage in zip(files, DAMAGES, strict=True):
        damage(path)
    said = cli("status", "--checksums").stdout
    assert f"Run `gm-analytics repair {mirror.name}`" in said

    # An update that does not need them goes on, and says so nowhere but in the log.
    assert apply(service, mirror, "leaf03") == "published"
    done = cli("repair")
    assert done.returncode == 0, done.stderr + done.stdout
    assert {f"fetched {path.name}" for path in files} <= set(done.stdout.splitlines())
    assert {path: path.read_bytes() for path in before} == before
    for reader in readers:
        reader.close()
    assert cli("status", "--checksums").stdout.count("DIFF") <= 1, "but the manifest's"
    client = site.client(mirror)
    client.install("leaf00", "leaf01", "leaf02", "leaf03", "tree")
    again = cli("repair")
    assert " 0 lost or damaged" in again.stdout
    assert "published as" not in again.stdout
    listed = cli("updates").stdout
    assert re.search(
        r"^repair-\S+  published  .* repair by hand\n.* 3 lost or damaged", listed, re.MULTILINE
    )


def test_what_nobody_has_any_more_is_named(site: Site, cli: Cli, mirror: Mirror) -> None:
    service = configure(site, mirror)
    gone, rebuilt, kept = Package("gone-now"), Package("built-again"), Package("still-there")
    site.upstream.add(gone, rebuilt, kept)
    apply(service, mirror, "gone-now", "built-again", "still-there")
    for package in (gone, rebuilt, kept):
        change(mirror.host.root / package.filename)
    site.upstream.remove(gone, refresh=False)
    site.upstream.add(rebuilt.rebuilt())
    done = cli("repair")
    assert done.returncode == 4, done.stderr
    assert f"fetched {kept.filename}" in done.stdout
    assert f"not repaired: {gone.nevra}: upstream no longer has it" in done.stdout
    assert f"not repaired: {rebuilt.nevra}: upstream has built it again" in done.stdout
    refused = cli("repair", "--accept-resigned")
    assert refused.returncode == 4
    assert "another payload" in refused.stdout
    listed = cli("updates", "--state", "failed").stdout
    assert re.search(r"^repair-.* repair by hand\n.*another payload", listed, re.MULTILINE)


@pytest.mark.parametrize("damage", [lose, change])
def test_an_update_that_needs_what_is_lost_names_the_command(
    site: Site, cli: Cli, mirror: Mirror, damage: Callable[[Path], None]
) -> None:
    service = configure(site, mirror)
    apply(service, mirror, "leaf04")
    path = next(mirror.host.root.glob("leaf04-*.rpm"))
    damage(path)
    with pytest.raises(PoolIncomplete) as refused:
        apply(service, mirror, "leaf04", "leaf05")
    assert refused.value.files == [path.name]
    assert f"Run `gm-analytics repair {mirror.name}`" in refused.value.hint
    assert cli("repair").returncode == 0
    assert apply(service, mirror, "leaf04", "leaf05") == "published"


def test_with_a_key_an_update_refuses_and_names_the_command(
    site: Site, cli: Cli, mirror: Mirror
) -> None:
    """What is signed is a list of what can be installed, and none that lacks a file."""
    site.sign(mirror)
    service = configure(site, mirror)
    assert cli("key").returncode == 0
    apply(service, mirror, "leaf10", "leaf11")
    (path,) = mirror.host.root.glob("leaf10-*.rpm")
    path.unlink()
    with pytest.raises(PoolIncomplete, match=path.name) as caught:
        apply(service, mirror, "leaf12")
    assert f"gm-analytics repair {mirror.name}" in caught.value.hint
    assert cli("repair").returncode == 0
    assert apply(service, mirror, "leaf12") == "published"


def test_an_older_publication_is_repaired_so_that_it_can_be_gone_back_to(
    site: Site, cli: Cli, mirror: Mirror
) -> None:
    service = configure(site, mirror, publish="on_merge")
    apply(service, mirror, "leaf20")
    apply(service, mirror, "leaf21")
    (path,) = mirror.host.root.glob("leaf20-*.rpm")
    path.unlink()
    refused = cli("rollback")
    assert (refused.returncode, path.name in refused.stderr) == (4, True)
    assert "gm-analytics repair --publication N" in refused.stderr
    assert cli("repair", "--publication", "2").returncode == 0
    assert cli("rollback").returncode == 0
    site.client(mirror).install("leaf20")


def test_what_upstream_signed_again_comes_beside_the_older_one_when_a_person_says_so(
    site: Site, cli: Cli, mirror: Mirror
) -> None:
    service = configure(site, mirror)
    package = Package("autographed")
    (path,) = site.upstream.add(package)
    apply(service, mirror, "autographed")
    before = mirror.host.root / package.filename
    older = before.read_bytes()
    with SigningKey.make() as key:
        key.sign([path])
    site.upstream.refresh()
    site.upstream.add(Package("needs-it", requires=("autographed",)))
    lose(before)
    plain = cli("repair")
    assert plain.returncode == 4, plain.stderr
    assert "--accept-resigned" in plain.stdout
    before.write_bytes(older)
    mirror.host.owned_by_account(before)
    change(before)
    done = cli("repair", "--accept-resigned")
    assert done.returncode == 0, done.stderr + done.stdout
    fresh = hashlib.sha256(path.read_bytes()).hexdigest()
    name = f"{package.filename.removesuffix('.rpm')}.{fresh[:8]}.rpm"
    assert f"signed again: {package.nevra} is {name} now" in done.stdout
    assert (mirror.host.root / name).read_bytes() == path.read_bytes()
    assert apply(service, mirror, "needs-it") == "published"
    site.client(mirror).install("needs-it")
    assert " 0 lost or damaged" in cli("repair").stdout
