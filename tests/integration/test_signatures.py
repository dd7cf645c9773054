"""Signatures: of what is downloaded, by upstream's keys; of what is served, by the mirror's."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from gm_analytics import errors, settings
from gm_analytics.manifest import Manifest
from gm_analytics.operations import exported
from gm_analytics.service import Service
from gm_analytics.updates.model import Outcome
from lab.client import Client
from lab.packages import Package
from lab.processes import run
from lab.site import Mirror, Site
from lab.site import Service as Processes
from lab.upstream import SigningKey, Upstream
from tests.support import command_line

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


def service_of(site: Site, signatures: str, mirror: Mirror | None = None) -> Service:
    mirrors = [(mirror or site.mirror).settings(upstream={"signatures": signatures})]
    return Service(settings.Settings.model_validate(site.settings(mirrors=mirrors)))


def apply(site: Site, *names: str, signatures: str = "upstream") -> Outcome:
    service = service_of(site, signatures)
    wanted = Manifest.parse(manifest(*names).encode())
    return service.operations.apply(wanted, site.mirror.name, at_once())


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
    assert package.filename in words
    assert ("NOT OK" if signatures == "off" else "GPG check FAILED") in words
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
    told = refused(signed, foreign.name, signatures="required")
    assert foreign.filename in told
    assert "packages of this mirror" not in told, "its own pool has no file to correct"
    asked = len(signed.upstream_web.requests())
    user = add(signed, Package("pooled-user", requires=(need.name,)), signed.upstream.key)
    assert apply(signed, user.name, signatures="required").state == "published"
    fetched = [Path(path).name for path in signed.upstream_web.paths()[asked:]]
    assert user.filename in fetched
    assert need.filename not in fetched
    [file] = signed.mirror.host.reposdir.glob("*.repo")
    with_key = file.read_text()
    without = re.sub("^gpgkey=.*$", "", with_key, flags=re.MULTILINE)
    file.write_text(without)
    said = f"Problem repository: {with_key.partition(chr(10))[0]}: gpgcheck=1, and no gpgkey"
    with pytest.raises(errors.KeyMissing, match=re.escape(said)) as caught:
        apply(signed, need.name, "leaf29", signatures="required")
    file.write_text(with_key)
    assert caught.value.fault == "operator"


# --- what is served -------------------------------------------------------------------------


@pytest.fixture
def signing() -> Iterator[Site]:
    """A lab of its own: these tests change what it serves."""
    with Site.running() as running:
        running.sign()
        key(running)
        yield running


def key(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `gm-analytics key`."""
    return command_line.run(("key", "--config", str(site.config()), *arguments))


def trusting(site: Site, path: str = "") -> Client:
    """Make a client with repo_gpgcheck=1 that fetches the key from the mirror."""
    return site.client(path=path, repo_gpgkey=site.mirror.key_url)


def tamper(path: Path) -> None:
    """Change a file that is served, as somebody on the mirror host could."""
    content = path.read_bytes()
    fresh = path.with_name("tampered")
    fresh.write_bytes(content.replace(b"<revision>", b"<revision>1"))
    assert fresh.read_bytes() != content
    fresh.replace(path)
    path.chmod(0o644)


def test_a_client_that_checks_metadata_installs_from_each_publication(signing: Site) -> None:
    client = trusting(signing)
    for name in ("leaf01", "leaf02"):
        assert apply(signing, name).state == "published"
        client.dnf("install", "--refresh", name)
    assert client.names() == {"leaf01", "leaf02"}
    # Also with the lines that `gm-analytics client` prints for it.
    said = command_line.run(("client", "--config", str(signing.config()))).stdout
    lines = said[said.index("[gm-mirror]") :].splitlines()
    assert {"repo_gpgcheck=1", f"gpgkey={signing.mirror.key_url}"} < set(lines)
    other = signing.client()
    (other.directory / "reposdir" / "mirror.repo").write_text("\n".join(lines))
    other.install("leaf01")


def test_a_client_refuses_metadata_that_were_tampered_with(signing: Site) -> None:
    apply(signing, "tree")
    trusting(signing).install("tree")
    tamper(signing.mirror.host.root / "repodata" / "repomd.xml")
    done = trusting(signing).install("tree", check=False)
    assert done.returncode != 0
    assert "GPG signature verification error" in done.stdout + done.stderr
    assert signing.client().install("tree").returncode == 0, "one that checks nothing"


def test_a_client_refuses_packages_lists_that_were_tampered_with(signing: Site) -> None:
    """The signature covers repomd.xml, and that the digest of each other file."""
    apply(signing, "tree")
    root = signing.mirror.host.root
    text = (root / "repodata" / "repomd.xml").read_text()
    primary = root / re.findall(r'href="(repodata/[^"]*primary\.xml\.gz)"', text)[0]
    content = gzip.decompress(primary.read_bytes())
    primary.unlink()
    primary.write_bytes(gzip.compress(content.replace(b"<name>tree<", b"<name>evil<")))
    done = trusting(signing).install("evil", check=False)
    assert done.returncode != 0
    assert "checksum doesn't match" in done.stdout + done.stderr


def test_a_client_refuses_the_signature_of_another_key(
    signing: Site, other_key: SigningKey
) -> None:
    """Whoever has the mirror host can sign as well, but not with the key that clients have."""
    apply(signing, "tree")
    public = signing.directory / "public"
    public.write_bytes((signing.mirror.host.root / "RPM-GPG-KEY-gm-mirror").read_bytes())
    repomd = signing.mirror.host.root / "repodata" / "repomd.xml"
    tamper(repomd)
    repomd.with_name("repomd.xml.asc").unlink()
    other_key.gpg("--armor", "--detach-sign", "--output", f"{repomd}.asc", str(repomd))
    (signing.mirror.host.root / "RPM-GPG-KEY-gm-mirror").write_bytes(
        other_key.public_key.read_bytes()
    )
    knowing = signing.client(repo_gpgkey=public.as_uri())
    done = knowing.install("tree", check=False)
    assert done.returncode != 0
    assert "GPG signature verification error" in done.stdout + done.stderr


def accept_change(signing: Site, config: Path) -> None:
    """Go on with another policy, which a signed publication tells."""
    done = command_line.run(("accept-change", "--yes", "--config", str(config)))
    assert done.returncode == 0, done.stderr


def test_a_preview_is_signed_too(signing: Site) -> None:
    apply(signing, "leaf01")
    accept_change(signing, signing.config(publish="on_merge"))
    with Processes.running(signing, signing.config(publish="on_merge")) as service:
        pull = signing.push(manifest("leaf03"), number=5)
        status = service.perform(pull)
        assert status["state"] == "previewed", status["message"]
        assert [step["name"] for step in status["steps"]].count("sign") == 1
        trusting(signing, "previews/5/").install("leaf03")
        taken = requests.get(f"{signing.mirror.web.url}previews/5.repo", timeout=10).text
        assert "repo_gpgcheck=1\ngpgkey=http" in taken
        client = signing.client()
        (client.directory / "reposdir" / "gm-preview-5.repo").write_text(taken)
        client.dnf("--repo=gm-preview-5", "install", "leaf03")
        assert service.perform(signing.merge(pull))["state"] == "published"
        trusting(signing).install("leaf03")
    accept_change(signing, signing.config())
    trusting(signing).install("leaf03")


def test_a_rollback_is_signed_too_also_to_what_was_not(signing: Site) -> None:
    home, signing.mirror.signing_home = signing.mirror.signing_home, None
    apply(signing, "leaf01")
    signing.mirror.signing_home = home
    apply(signing, "leaf02")
    done = command_line.run(("rollback", "--config", str(signing.config())))
    assert done.returncode == 0, done.stderr
    client = trusting(signing)
    client.install("leaf01")
    assert client.install("leaf02", check=False).returncode != 0
    assert apply(signing, "leaf01").state == "unchanged"


def test_a_lock_file_is_applied_where_signatures_are_required(signed: Site) -> None:
    """Also with a pool of which no publication names anything."""
    need = add(signed, Package("locked-need"), signed.upstream.key)
    user = add(signed, Package("locked-user", requires=(need.name,)), signed.upstream.key)
    assert apply(signed, user.name, signatures="required").state == "published"
    lock = exported.lock(service_of(signed, "required").mirrors, signed.mirror.name)
    only = replace(lock, packages=tuple(p for p in lock.packages if "locked" in p.package.name))
    other = signed.add_mirror("locked.example")
    shutil.copy(signed.upstream.path(need), other.host.root)
    other.host.owned_by_account(other.host.root)
    wanted = Manifest.parse(manifest(user.name).encode())
    service = service_of(signed, "required", other)
    assert service.operations.apply(wanted, other.name, at_once(), only).state == "published"
    signed.client(other).install(user.name)


def test_what_was_live_before_there_was_a_key_is_signed_by_the_next_update(site: Site) -> None:
    """Also if that update changes nothing else."""
    assert apply(site, "tree").state == "published"
    assert apply(site, "tree").state == "unchanged"
    site.sign()
    key(site)
    try:
        assert trusting(site).install("tree", check=False).returncode != 0
        assert apply(site, "tree").state == "published"
        trusting(site).install("tree")
        assert apply(site, "tree").state == "unchanged"
    finally:
        site.mirror.signing_home = None


def test_a_signature_that_is_not_served_is_a_finding(
    signing: Site, caplog: pytest.LogCaptureFixture
) -> None:
    repodata = signing.mirror.host.root / "repodata"
    apply(signing, "tree")
    (repodata / "repomd.xml.asc").unlink()
    assert "clients may not see it yet" in apply(signing, "tree").warnings[-1]
    assert "no signature of the mirror's key" in caplog.text


def test_the_key_command_makes_one_key_and_keeps_it(site: Site) -> None:
    site.sign()
    try:
        first, second = key(site), key(site)
    finally:
        home, site.mirror.signing_home = site.mirror.signing_home, None
    assert home is not None
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert ": made, in" in first.stdout
    assert second.stdout == first.stdout.replace(": made, in", ": there already, in")
    secrets = run(["gpg", "--homedir", str(home), "--list-secret-keys", "--with-colons"]).stdout
    assert secrets.count("\nsec:") + secrets.startswith("sec:") == 1
    public = (home / "RPM-GPG-KEY-gm-mirror").read_text()
    assert public.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    assert home.stat().st_mode & 0o777 == 0o700


def test_the_key_command_says_what_is_missing(site: Site) -> None:
    done = key(site)
    assert done.returncode == 2
    assert "mirrors[].signing_home: mirror.icesi.edu.co has no key; expected a directory" in (
        done.stderr
    )


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("missing", "looking for it: it is missing; make one with `gm-analytics key`"),
        ("empty", "looking for it: it is missing; make one with `gm-analytics key`"),
        ("open", "opening its directory: found mode 0755; expected 0700"),
        ("file", "looking for it: it is missing"),
    ],
)
def test_an_update_without_a_usable_key_fails_before_it_downloads(
    site: Site, case: str, words: str
) -> None:
    home = site.directory / f"key-{case}"
    if case == "file":
        home.touch()
    elif case != "missing":
        home.mkdir(mode=0o755 if case == "open" else 0o700)
        home.chmod(0o755 if case == "open" else 0o700)
    site.mirror.host.clear_commands()
    site.mirror.signing_home = home
    try:
        with pytest.raises(errors.SigningFailed) as caught:
            apply(site, "leaf09")
        checked = run([str(Path(sys.executable).parent / "gm-analytics"), "check",
                       "--config", str(site.config())], check=False)  # fmt: skip
    finally:
        site.mirror.signing_home = None
    assert words in str(caught.value)
    assert not [c for c in site.mirror.host.commands("dnf") if "--downloadonly" in c.arguments]
    assert checked.returncode == 1
    assert f"mirror.icesi.edu.co key: signing key in {home}: {words}" in checked.stdout
