"""What is refused before anything is visible, and in which words."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from gm_analytics import errors, settings
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.session import Session
from gm_analytics.service import Service
from lab.packages import Package
from lab.site import Mirror, Site

from .conftest import at_once, manifest, needs_root

_FILE = Path(__file__).parents[1] / "hostile_specs.json"
HOSTILE = [case["text"] for case in json.loads(_FILE.read_text()) if "text" in case]


def live(mirror: Mirror) -> str:
    link = mirror.host.root / "repodata"
    return str(link.readlink()) if link.is_symlink() else ""


def refused(site: Site, *names: str, mirror: Mirror | None = None, **changes: object) -> str:
    """Apply a manifest that must be refused; give the words. What is live must stay."""
    target = mirror or site.mirror
    service = Service(settings.Settings.model_validate(site.settings(**changes)))
    before = live(target)
    with pytest.raises(errors.GmError) as caught:
        service.operations.apply(Manifest.parse(manifest(*names).encode()), target.name, at_once())
    if before:
        assert live(target) == before
    return str(caught.value)


def test_unknown_packages_are_all_named(site: Site) -> None:
    words = refused(site, "tree", "nosuch", "nmap", "neither")
    assert "No match for argument: nosuch" in words
    assert "No match for argument: neither" in words
    assert "argument: tree" not in words


@pytest.mark.usefixtures("groups")
def test_unknown_packages_are_told_with_their_places_and_what_is_near(site: Site) -> None:
    names = ("tree", "openssl-lib", "nmap-9.99", "@developmnt", "git", "vim", "pkgconfig(nmap)")
    words = refused(site, *names)
    assert "openssl-lib at /1 (entry 2) (did you mean openssl-libs?)" in words
    assert (
        "nmap-9.99 at /2 (entry 3) (did you mean nmap-3:7.94-1.el9, nmap-3:7.92-1.el9?)" in words
    )
    assert "@developmnt at /3 (entry 4) (did you mean @development?)" in words
    # It has the program; they begin with the name; it is what the capability is of.
    assert "git at /4 (entry 5) (did you mean git-core?)" in words
    assert "vim at /5 (entry 6) (did you mean vim-spell, vim-enhanced?)" in words
    assert "pkgconfig(nmap) at /6 (entry 7) (did you mean nmap?)" in words


def test_a_mirror_that_cannot_list_names_says_what_it_would_have_said(site: Site) -> None:
    site.mirror.host.install_program(
        "dnf",
        '#!/bin/sh\nfor word; do [ "$word" != repoquery ] || exit 1; done\n'
        'exec /usr/bin/dnf "$@"\n',
    )
    words = refused(site, "nmap-9.99")
    site.mirror.host.restore_program("dnf")
    assert words.endswith("No match for argument: nmap-9.99 at /0 (entry 1)")


def test_an_unsatisfied_dependency_is_told_in_yums_words(site: Site) -> None:
    words = refused(site, "tree", "broken")
    assert "resolving broken at /1 (entry 2): " in words
    assert "nothing provides" in words


def test_a_package_manager_that_crashes_is_told_as_one(site: Site) -> None:
    """As dnf 4 does of any group on Debian 13."""
    site.mirror.host.install_program("dnf", "#!/bin/sh\nkill -SEGV $$\n")
    words = refused(site, "@development")
    site.mirror.host.restore_program("dnf")
    assert "resolving @development: exit code 139 (SIGSEGV: the program itself crashed)" in words


def test_a_damaged_download_is_refused(site: Site) -> None:
    damaged = Package("damaged")
    site.upstream.add(damaged)
    site.upstream.corrupt(damaged)
    words = refused(site, "damaged")
    assert re.search(r"checksum|digest", words, re.IGNORECASE), words


def test_a_file_that_is_damaged_after_the_download_is_refused(site: Site) -> None:
    """yum was content, the disk was not: the RPM's own digests are checked again."""
    site.upstream.add(Package("tampered"))
    site.mirror.host.install_program(
        "dnf",
        '#!/bin/sh\n/usr/bin/dnf "$@"; code=$?\nfor word; do case $word in --setopt=cachedir=*)\n'
        'for rpm in "${word#--setopt=cachedir=}"/*/packages/tampered-*.rpm; do\n'
        '[ ! -f "$rpm" ] || printf xxxx | dd of="$rpm" bs=1 seek=$(($(stat -c %s "$rpm") - 40)) '
        "conv=notrunc 2>/dev/null; done\n;; esac; done\nexit $code\n",
    )
    words = refused(site, "tampered")
    site.mirror.host.restore_program("dnf")
    assert "checking downloaded packages" in words
    assert "NOT OK" in words


def test_a_nevra_that_the_pool_holds_with_other_bytes_is_refused(site: Site) -> None:
    package = Package("twice")
    site.upstream.add(package)
    shutil.copy(site.upstream.path(package), site.mirror.host.root)
    site.upstream.add(package.rebuilt())
    assert "same NEVRA with other bytes" in refused(site, "twice")


@needs_root
def test_a_disk_that_would_not_hold_it_refuses_before_the_download(site: Site) -> None:
    small = site.add_mirror("small.example", tmpfs_mb=2)
    words = refused(site, "firmware-blob", mirror=small)
    match = re.search(r"([\d,]+) bytes needed, ([\d,]+) free", words)
    assert match, words
    assert int(match[1].replace(",", "")) > int(match[2].replace(",", ""))
    assert not any("--downloadonly" in c.arguments for c in small.host.commands("dnf"))


def test_what_the_candidate_alone_cannot_install_is_refused(site: Site) -> None:
    """The proof is a real yum run: here one that finds the candidate wanting."""
    site.upstream.add(Package("unprovable"))
    site.mirror.host.install_program(
        "createrepo_c",
        "#!/bin/sh\nfor word; do case $word in --pkglist=*) sed -i /unprovable/d "
        '"${word#--pkglist=}";; esac; done\nexec /usr/bin/createrepo_c "$@"\n',
    )
    words = refused(site, "unprovable")
    site.mirror.host.restore_program("createrepo_c")
    assert "proving that a client can install unprovable" in words


def test_two_entries_that_have_one_file_are_refused_by_rpm_s_own_test(site: Site) -> None:
    """The solver knows nothing of it, and every client would meet it."""
    for name in ("one-face", "two-face"):  # apart, so that the file differs
        site.upstream.add(Package(name, programs=("/usr/libexec/face",)))
    words = refused(site, "one-face", "tree", "two-face")
    conflict = "file /usr/libexec/face conflicts between attempted installs of one-face-1.0-1.el9"
    assert conflict in words
    assert "and two-face-1.0-1.el9" in words


def test_an_obsoleted_name_is_told_with_its_place_in_a_plan_too(site: Site) -> None:
    site.upstream.add(Package("older"), Package("newer", obsoletes=("older < 2",)))
    renamed = Package("renamed", obsoletes=("known-as",), provides=("known-as",))
    site.upstream.add(Package("known-as"), renamed)
    told = "older at /1 (entry 2) is obsoleted by newer"
    assert refused(site, "tree", "older").endswith(told)
    operations = Service(settings.Settings.model_validate(site.settings())).operations
    with pytest.raises(errors.Obsoleted) as caught:
        operations.plan(Manifest.parse(manifest("tree", "older").encode()), site.mirror.name)
    assert str(caught.value).endswith(told)
    wanted = Manifest.parse(manifest("known-as", "older-1.0").encode())
    assert operations.apply(wanted, site.mirror.name, at_once()).state == "published", (
        "a client finds what provides the name, and a version that was asked for"
    )


def test_a_file_that_only_filelists_tell_of_is_refused_unless_clients_read_them(
    site: Site,
) -> None:
    site.upstream.add(Package("has-tool", programs=("/usr/share/tool/run",)))
    site.upstream.add(Package("needs-tool", requires=("/usr/share/tool/run",)))
    words = refused(site, "needs-tool")
    assert "needs-tool-1.0-1.el9" in words
    told = ("nothing provides /usr/share/tool/run needed by needs-tool",  # dnf 4 from 4.19 on
            "requires /usr/share/tool/run, a file of has-tool-1.0-1.el9")  # fmt: skip
    assert any(one in words for one in told)
    given = site.settings(mirrors=[site.mirror.settings(filelists=True)])
    operations = Service(settings.Settings.model_validate(given)).operations
    wanted = Manifest.parse(manifest("needs-tool").encode())
    assert operations.apply(wanted, site.mirror.name, at_once()).state == "published"


def test_an_unknown_host_key_is_refused(site: Site) -> None:
    empty = site.directory / "no_known_hosts"
    empty.touch()
    words = refused(site, "tree", mirrors=[site.mirror.settings(known_hosts=str(empty))])
    assert "host key refused" in words


def test_another_host_key_than_the_pinned_one_is_refused(site: Site) -> None:
    other = site.add_mirror("impostor.example")
    pinned = site.directory / "pinned"
    key = other.host.known_hosts.read_text().split(maxsplit=1)[1]
    pinned.write_text(f"[127.0.0.1]:{site.mirror.host.port} {key}")
    words = refused(site, "tree", mirrors=[site.mirror.settings(known_hosts=str(pinned))])
    assert "host key refused" in words


def test_without_user_namespaces_and_helper_the_update_says_what_is_needed(site: Site) -> None:
    site.mirror.host.install_program("unshare", "#!/bin/sh\nexit 1\n", logged=False)
    words = refused(site, "tree")
    site.mirror.host.restore_program("unshare")
    assert "user namespaces for ordinary accounts" in words


def test_a_writer_that_holds_the_lock_is_waited_for(site: Site) -> None:
    target = settings.Mirror.model_validate(site.mirror.settings())
    with Session(target) as first, Session(target) as second:
        first.survey()
        with pytest.raises(errors.LockHeld):
            second.survey()
        first.host.close()
        assert second.survey().state == "live"


def test_quoting_alone_runs_nothing(site: Site) -> None:
    """With the manifest's check bypassed, hostile specs reach yum as names and as nothing else."""
    target = settings.Mirror.model_validate(site.mirror.settings())
    canary = site.mirror.host.home / "canary"
    specs = [spec for spec in HOSTILE if "\0" not in spec and spec.isprintable() | spec.isascii()]
    specs += [
        f"$(touch {canary})",
        f"`touch {canary}`",
        f"x; touch {canary}",
        f"x\ntouch {canary}",
    ]
    assert len(specs) >= 60
    with Session(target) as session:
        for start in range(0, len(specs), 8):
            batch = tuple(spec[:5000] for spec in specs[start : start + 8])
            with pytest.raises(errors.GmError):
                session.package_manager.download("hostile", batch, 1 << 40, 0)
        session.sweep("hostile")
    assert not canary.exists()
    ran = site.mirror.host.commands("dnf")
    for command in ran:
        if "repoquery" in command.arguments:  # has no operands
            continue
        operands = command.arguments[command.arguments.index("--") :]
        assert "install" in command.arguments[: -len(operands)] or "makecache" in command.arguments
