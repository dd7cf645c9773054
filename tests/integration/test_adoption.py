"""A repository that was there before is taken over whole; who only looks changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gm_analytics import settings
from gm_analytics.errors import AdoptionShort, BadAnswer
from gm_analytics.manifest import Manifest
from gm_analytics.rpm.compressed import pieces
from gm_analytics.service import Service
from lab.site import Mirror, Site

from .conftest import Cli, at_once, manifest, needs_root


def service_of(site: Site, mirror: Mirror, **changes: object) -> Service:
    config = site.settings(mirrors=[mirror.settings(**changes)], publish="on_merge")
    return Service(settings.Settings.model_validate(config))


def apply(service: Service, mirror: Mirror, *names: str) -> str:
    wanted = Manifest.parse(manifest(*names).encode())
    return service.operations.apply(wanted, mirror.name, at_once()).state


def copied(site: Site, name: str, to: Path) -> Path:
    to.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(next(site.upstream.root.glob(f"{name}-*.rpm")), to))


def createrepo(root: Path) -> None:
    subprocess.run(["createrepo_c", "-q", str(root)], check=True)


def age(root: Path) -> None:
    """Have everything seem older than each time that matters."""
    then = time.time() - 90 * 86_400
    for path in (*root.glob(".publications/*"), *root.glob("*.rpm"), *root.rglob("packages.txt")):
        os.utime(path, (then, then))


STINGY = {"publications": 1, "days": 0}


def test_rpms_of_a_root_without_metadata_stay(site: Site) -> None:
    """Nothing serves them, so nothing is taken over; they are still not ours to remove."""
    mirror = site.add_mirror("bare.example")
    root = mirror.host.root
    there = copied(site, "leaf00", root)
    mirror.host.owned_by_account(root)
    service = service_of(site, mirror, retention=STINGY, grace_minutes=1)
    for name in ("leaf01", "leaf02", "leaf03"):
        assert apply(service, mirror, name) == "published"
        age(root)
    found = service.operations.collect(mirror.name, dry_run=False)
    assert there.name not in {rpm.file for rpm in found.rpms}
    assert there.exists()
    assert not list(root.glob("leaf01-*")), "what the service added goes"


def test_what_was_adopted_is_served_until_a_merge_and_never_removed(site: Site) -> None:
    mirror = site.add_mirror("kept.example")
    root = mirror.host.root
    there = [copied(site, "leaf04", root), copied(site, "leaf05", root / "Packages" / "l")]
    createrepo(root)
    mirror.host.owned_by_account(root)
    service = service_of(site, mirror, retention=STINGY, grace_minutes=1)
    for name in ("leaf06", "leaf07", "leaf08"):
        assert apply(service, mirror, name) == "published"
        age(root)
    service.operations.collect(mirror.name, dry_run=False)
    assert all(path.exists() for path in there)
    assert not (root / there[1].name).exists(), "the link in the pool was the service's"


@needs_root
def test_what_cannot_be_linked_is_copied(site: Site) -> None:
    """Files of another owner, and a folder that lies on another disk."""
    mirror = site.add_mirror("elsewhere.example")
    root = mirror.host.root
    other = Path(tempfile.mkdtemp(dir="/dev/shm"))
    other.chmod(0o755)
    try:
        copied(site, "leaf10", root)
        copied(site, "leaf12", other).chmod(0o644)
        (root / "other").symlink_to(other)
        copied(site, "leaf11", root / "Packages").chmod(0o644)
        createrepo(root)
        mirror.host.owned_by_account(root)
        shutil.chown(root / "Packages", "root", "root")
        for path in (root / "Packages").iterdir():
            shutil.chown(path, "root", "root")
        service = service_of(site, mirror)
        service.operations.apply(Manifest.parse(b'["leaf13"]'), mirror.name, at_once())
        with service.mirrors.read(mirror.name) as session:
            first = session.publications.publication(1)
            names = {package.name for package in session.publications.packages(first.directory)}
        listed = {"leaf10", "leaf11", *(["leaf12"] if "leaf12" in primary(root) else [])}
        assert names == listed
        shutil.rmtree(root / "Packages")
        shutil.rmtree(other)
        service.operations.rollback(mirror.name, 1, at_once())
        client = site.client(mirror)
        client.install(*listed)
    finally:
        shutil.rmtree(other, ignore_errors=True)


def primary(root: Path) -> str:
    first = root / ".publications" / "000001" / "repodata"
    (packed,) = first.glob("*primary.xml*")
    return b"".join(pieces(packed.name, packed.read_bytes())).decode()


@pytest.mark.parametrize("damage", ["missing", "in a folder", "other bytes", "two of one name"])
def test_a_repository_that_lacks_what_it_names_is_not_taken_over(site: Site, damage: str) -> None:
    mirror = site.add_mirror(f"short-{damage.replace(' ', '-')}.example")
    root = mirror.host.root
    copied(site, "leaf20", root)
    lost = copied(site, "leaf21", root / "Packages" if damage == "in a folder" else root)
    if damage == "two of one name":
        shutil.copy(copied(site, "leaf22", root / "b"), root / "b" / lost.name)
        createrepo(root)
        # createrepo names both; each is another package.
    else:
        createrepo(root)
    if damage == "other bytes":
        lost.write_bytes(lost.read_bytes() + b"x")
    elif damage != "two of one name":
        lost.unlink()
    mirror.host.owned_by_account(root)
    with pytest.raises(AdoptionShort, match="nothing was taken over") as caught:
        apply(service_of(site, mirror), mirror, "leaf23")
    assert any(lost.name in name for name in caught.value.files)
    assert (root / "repodata").is_dir()
    assert not (root / "repodata").is_symlink()


def test_metadata_that_cannot_be_read_are_not_taken_over(site: Site) -> None:
    mirror = site.add_mirror("damaged.example")
    root = mirror.host.root
    copied(site, "leaf24", root)
    createrepo(root)
    for path in (root / "repodata").glob("*primary.xml*"):
        path.write_bytes(b"")
    mirror.host.owned_by_account(root)
    with pytest.raises(BadAnswer, match="reading its metadata"):
        apply(service_of(site, mirror), mirror, "leaf25")
    assert not (root / "repodata").is_symlink()


# --- looking --------------------------------------------------------------------------------


def tree(root: Path) -> dict[str, tuple[int, int, int]]:
    """Give all that lies below a root, with what a change would change."""
    found = {}
    for path in (root, *root.rglob("*")):
        seen = path.lstat()
        found[str(path.relative_to(root))] = (seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns)
    return found


@contextmanager
def holding(lock: Path) -> Iterator[None]:
    """Hold a mirror's lock, as a long update does."""
    if not lock.parent.exists():
        yield
        return
    process = subprocess.Popen(["flock", str(lock), "cat"], stdin=subprocess.PIPE)
    try:
        time.sleep(0.3)
        yield
    finally:
        process.communicate()


def left_by(mirror: Mirror) -> list[Path]:
    """Give what the mirror's own account left beside its root; others look meanwhile."""
    found = []
    for path in Path(tempfile.gettempdir()).glob("gm-analytics-look.*"):
        with suppress(FileNotFoundError):
            if path.stat().st_uid == mirror.host.uid:
                found.append(path)
    return found


@pytest.mark.parametrize("state", ["empty", "plain", "live"])
def test_looking_changes_nothing_and_waits_for_no_update(site: Site, cli: Cli, state: str) -> None:
    mirror = site.add_mirror(f"looked-at-{state}.example")
    root = mirror.host.root
    if state != "empty":
        copied(site, "leaf30", root / "Packages")
        createrepo(root)
        mirror.host.owned_by_account(root)
    service = service_of(site, mirror)
    if state == "live":
        apply(service, mirror, "leaf31", "tree")
    site.config(mirrors=[mirror.settings()], publish="on_merge")
    before = tree(root)
    with holding(root / ".lock") if state == "live" else _nothing():
        before = tree(root)
        planned = cli("plan", "-", stdin=manifest("leaf31", "leaf32"))
        assert planned.returncode == 0, planned.stderr
        assert "leaf32-1.0-1.el9.noarch" in planned.stdout
        gone = "leaf30" if state == "plain" else "tree"
        assert (f"removed    {gone}" in planned.stdout) == (state != "empty")
        trial = cli("gc", "--dry-run")
        assert trial.returncode == (0 if state == "live" else 4), trial.stderr
        assert tree(root) == before
        cli("check")  # tries what an update does, in a directory that goes again
    times = {".": before["."]}
    assert tree(root) | times == before
    assert not left_by(mirror)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
