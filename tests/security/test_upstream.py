"""A hostile upstream, or one hostile mirror of a mirror list: what it serves runs nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gm_analytics import errors, settings
from gm_analytics.manifest import Manifest
from gm_analytics.service import Service
from lab.crafted import patch
from lab.packages import Package, build
from lab.site import Site
from lab.upstream import SigningKey
from tests.integration.conftest import at_once, manifest


@pytest.fixture(scope="module")
def signed() -> Iterator[Site]:
    with SigningKey.make() as key, Site.running(key) as running:
        yield running


def service_of(site: Site) -> Service:
    mirrors = [site.mirror.settings(upstream={"signatures": "required"})]
    return Service(settings.Settings.model_validate(site.settings(mirrors=mirrors)))


def refused(site: Site, *names: str) -> str:
    """Apply a manifest that must end as a bad package; give the words."""
    wanted = Manifest.parse(manifest(*names).encode())
    with pytest.raises(errors.BadPackages) as caught:
        service_of(site).operations.apply(wanted, site.mirror.name, at_once())
    return str(caught.value)


def pool_of(site: Site) -> dict[str, str]:
    """Give the SHA-256 of every file of the pool."""
    files = site.mirror.host.root.glob("*.rpm")
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.parametrize(
    "href",
    [
        "--pipe=cd;id>PWN;:.rpm",
        "--eval=%(cd;id>PWN;:).rpm",
        "--define=x %(cd;id>PWN).rpm",
        "-evil.rpm",
        "evil\N{RIGHT-TO-LEFT OVERRIDE}.rpm",
        "$(cd;id>PWN).rpm",
    ],
)
def test_a_signed_package_under_a_hostile_file_name_runs_nothing(signed: Site, href: str) -> None:
    number = hashlib.sha256(href.encode()).hexdigest()[:6]
    package = Package(f"href-{number}")
    [file] = signed.upstream.add(package, refresh=False)
    served = file.rename(file.with_name(href))
    signed.upstream.refresh()
    before = pool_of(signed)
    try:
        words = refused(signed, package.name)
    finally:
        served.unlink()
        signed.upstream.refresh()
    canary = signed.mirror.host.home / "PWN"
    assert not canary.exists()
    assert pool_of(signed) == before
    assert "expected an RPM file name" in words


def hostile(site: Site, number: int, field: bytes) -> tuple[Package, Path]:
    """Have upstream serve a signed package whose header has `field` as NAME; something needs it.

    A manifest could not name it.
    """
    plain = f"{'x' * (len(field) - 2)}{number:02d}"
    package = Package(plain, provides=(f"trap-{number}",))
    [file] = build([package], site.upstream.root)
    patch(file, (plain.encode() + b"\0", field + b"\0"))
    key = site.upstream.key
    assert key is not None
    key.sign([file])
    user = Package(f"user-{number}", requires=(f"trap-{number}",))
    site.upstream.add(user, refresh=False)
    site.upstream.refresh()
    return user, file


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, b"../../../leaf00"),
        (2, b"..\\..\\leaf00\t"),
        (3, b"evil\nleaf00-1-1.x"),
        (4, b"%{lua:}x"),
    ],
)
def test_a_crafted_header_does_not_leave_staging(signed: Site, number: int, name: bytes) -> None:
    service = service_of(signed)
    service.operations.apply(
        Manifest.parse(manifest("leaf00").encode()), signed.mirror.name, at_once()
    )
    before = pool_of(signed)
    assert any(file.startswith("leaf00-") for file in before)
    user, file = hostile(signed, number, name)
    try:
        words = refused(signed, user.name)
    finally:
        file.unlink()
        signed.upstream.refresh()
    assert pool_of(signed) == before
    assert "expected" in words
