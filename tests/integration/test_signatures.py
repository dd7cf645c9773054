"""Signatures: of what is downloaded, by upstream's keys; of what is served, by the mirror's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gm_analytics import errors, settings
from gm_analytics.manifest import Manifest
from gm_analytics.records import Outcome
from gm_analytics.service import Service
from lab.packages import Package
from lab.site import Site
from lab.upstream import SigningKey, Upstream

from .conftest import at_once, manifest


@pytest.fixture(scope="module")
def other_key() -> Iterator[SigningKey]:
    with SigningKey.make() as key:
        yield key


@pytest.fixture(scope="module")
def signed() -> Iterator[Site]:
    """An upstream whose packages are signed, and whose repository file says gpgcheck=1."""
    with SigningKey.make() as key, Site.running(key) as running:
        yield running


@pytest.fixture
def unchecked(signed: Site) -> Iterator[Upstream]:
    """A second upstream repository of unsigned packages, whose file says gpgcheck=0."""
    extra = Upstream.create(signed.directory / "unchecked", [Package("stray")])
    reposdir = signed.mirror.host.reposdir
    file = extra.repo_file(reposdir, extra.root.as_uri(), name="unchecked")
    yield extra
    file.unlink()


def apply(site: Site, *names: str, signatures: str = "upstream") -> Outcome:
    mirrors = [site.mirror.settings(upstream={"signatures": signatures})]
    service = Service(settings.Settings.model_validate(site.settings(mirrors=mirrors)))
    wanted = Manifest.parse(manifest(*names).encode())
    return service.apply(wanted, site.mirror.name, at_once())


def refused(site: Site, *names: str, signatures: str = "upstream") -> str:
    """Apply a manifest whose packages must be refused; give the words. No client sees a change."""
    repodata = site.mirror.host.root / "repodata"
    before = repodata.readlink() if repodata.is_symlink() else None
    with pytest.raises(errors.BadPackages) as caught:
        apply(site, *names, signatures=signatures)
    if before is not None:
        assert repodata.readlink() == before
    return str(caught.value)


def add(site: Site, package: Package, key: SigningKey | None) -> Package:
    """Publish a package upstream that is signed with this key."""
    own, site.upstream.key = site.upstream.key, key
    site.upstream.add(package)
    site.upstream.key = own
    return package


def in_pool(site: Site, package: Package) -> bool:
    return (site.mirror.host.root / package.filename).exists()


# --- what is downloaded ---------------------------------------------------------------------


@pytest.mark.parametrize("signatures", ["upstream", "required"])
def test_a_package_of_upstreams_key_is_taken(signed: Site, signatures: str) -> None:
    name = add(signed, Package(f"good-{signatures}"), signed.upstream.key).name
    assert apply(signed, name, signatures=signatures).state == "published"


@pytest.mark.parametrize("signatures", ["upstream", "required"])
def test_an_unsigned_package_is_refused(signed: Site, signatures: str) -> None:
    package = add(signed, Package(f"unsigned-{signatures}"), None)
    words = refused(signed, package.name, signatures=signatures)
    assert f"Package {package.filename} is not signed" in words
    assert not in_pool(signed, package)


@pytest.mark.parametrize("signatures", ["upstream", "required"])
def test_a_package_of_another_key_is_refused(
    signed: Site, other_key: SigningKey, signatures: str
) -> None:
    package = add(signed, Package(f"foreign-{signatures}"), other_key)
    words = refused(signed, package.name, signatures=signatures)
    assert f"Public key for {package.filename} is not installed" in words
    assert str(signed.mirror.host.reposdir / "RPM-GPG-KEY-lab") in words, "the key that is trusted"
    assert not in_pool(signed, package)


@pytest.mark.parametrize("signatures", ["upstream", "required", "off"])
def test_a_package_that_was_tampered_with_is_refused(signed: Site, signatures: str) -> None:
    """Whoever changed it made new metadata of it too, so that its checksum there is right."""
    package = add(signed, Package(f"tampered-{signatures}", size=4096), signed.upstream.key)
    signed.upstream.corrupt(package, refresh=True)
    words = refused(signed, package.name, signatures=signatures)
    assert f"{package.filename}: DIGESTS" in words
    assert "NOT OK" in words
    assert not in_pool(signed, package)


@pytest.mark.parametrize("signatures", ["upstream", "required"])
def test_a_package_whose_header_was_tampered_with_is_refused(
    signed: Site, signatures: str
) -> None:
    """The signature covers the header, and the header the payload's digest."""
    package = add(signed, Package(f"forged-{signatures}"), signed.upstream.key)
    forge(signed.upstream, package)
    words = refused(signed, package.name, signatures=signatures)
    assert package.filename in words
    assert not in_pool(signed, package)


def forge(upstream: Upstream, package: Package) -> None:
    """Change a letter of the summary in a package's header, and make metadata of it."""
    path = upstream.path(package)
    content = path.read_bytes()
    assert content.count(b" of the lab\0") == 1
    path.unlink()
    path.write_bytes(content.replace(b" of the lab\0", b" of the LAB\0"))
    path.chmod(0o644)
    upstream.refresh()


@pytest.mark.parametrize("case", ["unsigned", "foreign"])
def test_off_takes_what_upstream_would_have_checked(
    signed: Site, other_key: SigningKey, case: str
) -> None:
    package = add(signed, Package(f"{case}-off"), {"foreign": other_key}.get(case))
    assert apply(signed, package.name, signatures="off").state == "published"
    signed.client().install(package.name)


def test_a_repository_that_says_gpgcheck_0_is_believed_unless_signatures_are_required(
    signed: Site, unchecked: Upstream
) -> None:
    file = signed.mirror.host.reposdir / "unchecked.repo"
    words = refused(signed, "stray", signatures="required")
    assert "Problem repository: [unchecked]: gpgcheck=1, and no gpgkey in its file" in words
    with file.open("a") as text:
        text.write(f"gpgkey=file://{signed.mirror.host.reposdir}/RPM-GPG-KEY-lab\n")
    words = refused(signed, "stray", signatures="required")
    assert f"Package {Package('stray').filename} is not signed" in words
    assert apply(signed, "stray").state == "published"


def test_what_came_into_the_pool_unchecked_is_checked_where_signatures_are_required(
    signed: Site, other_key: SigningKey
) -> None:
    """The pool is checked with upstream's keys, and what is good there is still taken from it."""
    need = add(signed, Package("pooled-need"), signed.upstream.key)
    bad = add(signed, Package("pooled-bad"), None)
    foreign = add(signed, Package("pooled-foreign"), other_key)
    assert apply(signed, need.name, bad.name, foreign.name, signatures="off").state == "published"
    words = refused(signed, bad.name, signatures="required")
    assert f"Package {bad.filename} is not signed" in words
    assert foreign.filename in refused(signed, foreign.name, signatures="required")
    asked = len(signed.upstream_web.requests())
    user = add(signed, Package("pooled-user", requires=(need.name,)), signed.upstream.key)
    assert apply(signed, user.name, signatures="required").state == "published"
    fetched = [Path(path).name for path in signed.upstream_web.paths()[asked:]]
    assert user.filename in fetched
    assert need.filename not in fetched
