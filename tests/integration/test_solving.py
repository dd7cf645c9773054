"""How often yum is asked, what it is asked for, and what of its answer is published."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gm_analytics import errors, settings
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.host import INLINE
from gm_analytics.mirror.lock import Lock, Locked
from gm_analytics.rpm.changes import Plan
from gm_analytics.service import Service
from gm_analytics.updates.model import Outcome
from lab.mirror_host import Command
from lab.packages import Package
from lab.site import Mirror, Site
from lab.upstream import Upstream

from .conftest import at_once, manifest, needs_root

LEAVES = [f"leaf{number:02d}" for number in range(60)]


def apply(site: Site, *names: str, mirror: Mirror | None = None, **changes: object) -> Outcome:
    """Apply a manifest by hand, which waits for nothing and tries nothing again."""
    service = Service(settings.Settings.model_validate(site.settings(**changes)))
    wanted = Manifest.parse(manifest(*names).encode())
    return service.operations.apply(wanted, (mirror or site.mirror).name, at_once())


def runs(site: Site, mirror: Mirror | None = None) -> tuple[list[Command], list[Command]]:
    """Give the runs that solved and downloaded, and those that proved."""
    ran = (mirror or site.mirror).host.commands("dnf")
    installing = [run for run in ran if "install" in run.arguments]
    proofs = [run for run in installing if any("candidate.d" in word for word in run.arguments)]
    return [run for run in installing if run not in proofs], proofs


def published(site: Site, name: str, mirror: Mirror | None = None) -> set[str]:
    """Give the versions of a package that clients see."""
    service = Service(settings.Settings.model_validate(site.settings()))
    target = (mirror or site.mirror).name
    with service.mirrors.read(target) as session:
        held = session.publications.publication()
        packages = session.publications.packages(held.directory)
    return {package.version for package in packages if package.name == name}


# --- groups -------------------------------------------------------------------------------


def test_two_of_fifty_entries_that_conflict_cost_four_runs_at_most(site: Site) -> None:
    site.mirror.host.clear_commands()
    outcome = apply(site, *LEAVES[:48], "postfix", "sendmail")
    solving, proofs = runs(site)
    assert outcome.state == "published"
    assert "in 2 groups" in outcome.warnings[0]
    assert (len(solving), len(proofs)) == (3, 2)
    assert published(site, "postfix")
    assert published(site, "sendmail")


def test_one_broken_entry_among_sixty_one_is_named_without_sixty_two_runs(site: Site) -> None:
    site.mirror.host.clear_commands()
    with pytest.raises(errors.Unresolvable) as caught:
        apply(site, *LEAVES, "broken")
    assert caught.value.specs == ["broken"]
    assert "nothing provides libmissing.so.9()(64bit) needed by broken-1.0" in str(caught.value)
    assert len(runs(site)[0]) == 3


def test_each_broken_entry_is_told_with_its_own_reason(site: Site) -> None:
    site.upstream.add(Package("wreck", requires=("libwreck.so.1",)))
    site.mirror.host.clear_commands()
    with pytest.raises(errors.Unresolvable) as caught:
        apply(site, "tree", "broken", "wreck", "postfix", "sendmail")
    told = dict(line.split(": ", 1) for line in caught.value.words.splitlines())
    assert set(told) == set(caught.value.specs) == {"broken", "wreck"}
    assert "libmissing" in told["broken"]
    assert "libmissing" not in told["wreck"]
    assert len(runs(site)[0]) <= 5, "one by metadata from before there was a wreck"


def test_versions_of_one_name_and_what_no_table_tells_of_find_their_groups(site: Site) -> None:
    outcome = apply(
        site, "nmap-7.92", "nmap", "nmap-7.94", "/usr/bin/gcc", "webserver", "postfix", "sendmail"
    )
    assert outcome.state == "published"
    assert published(site, "nmap") == {"7.92", "7.94"}
    assert published(site, "gcc")


# --- lists --------------------------------------------------------------------------------


def test_as_many_specs_as_a_manifest_may_have_are_solved(site: Site) -> None:
    """Through a list: a command names 32 KiB itself. Each of these is what a package provides."""
    specs = tuple(f"capability-with-a-name-{number:06d}" for number in range(2000))
    assert sum(map(len, specs)) > INLINE
    site.upstream.add(Package("capable", provides=specs))
    entry = [{"package_name": "capable", "installation_commands": list(specs)}]
    service = Service(settings.Settings.model_validate(site.settings()))
    wanted = Manifest.parse(json.dumps(entry).encode())
    outcome = service.operations.apply(wanted, site.mirror.name, at_once())
    assert outcome.state == "published"
    assert published(site, "capable")


def test_a_lock_file_of_thousands_is_read(site: Site) -> None:
    gone = [Package(f"gone-{number:04d}-{'x' * 40}") for number in range(3000)]
    packages = tuple(Locked(p.nevra, p.filename, 1, "0" * 64) for p in gone)
    lock = Lock(specs=("tree",), packages=packages)
    service = Service(settings.Settings.model_validate(site.settings()))
    wanted = Manifest.parse(b'["tree"]')
    with pytest.raises(errors.LockBroken) as caught:
        service.operations.apply(wanted, site.mirror.name, at_once(), lock)
    assert len(caught.value.problems) == len(gone)
    assert f"{gone[0].nevra}: upstream no longer has it" in caught.value.problems


# --- downloads ----------------------------------------------------------------------------

MEDDLING = """#!/bin/sh
/usr/bin/dnf "$@"; code=$?
case " $* " in *" --downloadonly "*) ;; *) exit $code ;; esac
for word; do case $word in
    --downloaddir=*) rpms=${{word#*=}} ;;
    --setopt=cachedir=*) cache=${{word#--setopt=cachedir=}} ;;
esac; done
[ -n "${{rpms:-}}" ] || rpms=$(ls -d "$cache"/upstream-*/packages)
{}
exit $code
"""


def test_what_an_interrupted_download_left_is_not_published(site: Site) -> None:
    """Of the version that upstream had then: one file whole, another one cut short."""
    old = [Package("replaced", "1.0"), Package("halved", "1.0")]
    [whole, half] = site.upstream.add(*old, refresh=False)
    kept = [file.rename(site.mirror.host.home / file.name) for file in (whole, half)]
    new = [replace(package, version="2.0") for package in old]
    site.upstream.add(*new)
    script = f'cp {kept[0]} "$rpms/"; head -c 3000 {kept[1]} > "$rpms/{kept[1].name}"'
    site.mirror.host.install_program("dnf", MEDDLING.format(script))
    outcome = apply(site, "replaced", "halved")
    site.mirror.host.restore_program("dnf")
    assert set(outcome.added) == {package.nevra for package in new}
    assert published(site, "replaced") == published(site, "halved") == {"2.0"}
    pool = {file.name for file in site.mirror.host.root.glob("*.rpm")}
    assert not pool & {file.name for file in kept}


def test_a_file_that_was_cut_short_is_downloaded_again(site: Site) -> None:
    """As by a power cut between the download and the next step."""
    site.upstream.add(Package("shortened"))
    once = site.mirror.host.home / "once"
    script = 'for rpm in "$rpms"/shortened-*.rpm; do if [ -f "$rpm" ]; then '
    script += f'mkdir {once} 2>/dev/null && truncate -s 3000 "$rpm"; fi; done'
    site.mirror.host.install_program("dnf", MEDDLING.format(script))
    assert apply(site, "shortened").state == "published"
    site.mirror.host.restore_program("dnf")
    site.client().install("shortened")


def test_no_file_of_the_pool_is_written_or_copied(site: Site) -> None:
    apply(site, "editor")
    before = {file: file.stat() for file in site.mirror.host.root.glob("*.rpm")}
    seen = site.mirror.host.home / "seen"
    site.mirror.host.install_program("dnf", MEDDLING.format(f'ls "$rpms" > {seen}'))
    site.upstream.add(Package("user-of-editor", requires=("editor",)))
    apply(site, "user-of-editor")
    site.mirror.host.restore_program("dnf")
    assert [line.split("-1.0")[0] for line in seen.read_text().split()] == ["user-of-editor"]
    for file, was in before.items():
        now = file.stat()
        assert (now.st_ino, now.st_mtime_ns, now.st_nlink) == (
            was.st_ino, was.st_mtime_ns, was.st_nlink,
        )  # fmt: skip


@needs_root
def test_a_disk_that_is_half_full_takes_a_small_package(site: Site) -> None:
    """What is live, once more, would not fit."""
    small = site.add_mirror("half-full.example", tmpfs_mb=6)
    apply(site, "firmware-blob", mirror=small)
    site.upstream.add(Package("tiny", requires=("firmware-blob",)))
    assert apply(site, "firmware-blob", "tiny", mirror=small).state == "published"


def test_upstream_that_is_a_directory_of_the_host_is_mirrored(site: Site) -> None:
    mirror = site.add_mirror("beside-upstream.example")
    site.upstream.repo_file(mirror.host.reposdir, site.upstream.root.as_uri())
    assert apply(site, "tree", mirror=mirror).state == "published"
    site.client(mirror).install("tree")


# --- upstream moves -----------------------------------------------------------------------


def read_metadata(site: Site) -> None:
    """Have the metadata of now on the mirror, which count as fresh for ten minutes."""
    now = site.mirror.settings(upstream={"max_age": 0})
    with pytest.raises(errors.UnknownPackages):
        apply(site, "no-such-package", mirrors=[now])


def test_a_package_that_upstream_replaced_within_max_age_is_looked_for_again(site: Site) -> None:
    """Its file is gone, the metadata on the mirror still name it."""
    old = Package("moving", "1.0")
    site.upstream.add(old)
    read_metadata(site)
    site.upstream.remove(old, refresh=False)
    site.upstream.add(replace(old, version="2.0"))
    site.mirror.host.clear_commands()
    assert apply(site, "moving").state == "published"
    assert published(site, "moving") == {"2.0"}
    assert len(runs(site)[0]) == 2


def test_bytes_that_changed_within_max_age_are_looked_for_again(site: Site) -> None:
    package = Package("resigned")
    site.upstream.add(package)
    read_metadata(site)
    site.upstream.add(package.rebuilt())
    assert apply(site, "resigned").state == "published"


@pytest.mark.parametrize("fault", ["gone", "other bytes"])
def test_a_half_synchronised_upstream_is_upstream_s_fault_and_passes(
    site: Site, fault: str
) -> None:
    package = Package(f"half-{fault.split(maxsplit=1)[0]}")
    site.upstream.add(package)
    if fault == "gone":
        site.upstream.remove(package, refresh=False)
    else:
        site.upstream.add(package.rebuilt(), refresh=False)
    site.mirror.host.clear_commands()
    with pytest.raises(errors.UpstreamUnavailable) as caught:
        apply(site, package.name)
    assert (caught.value.fault, caught.value.transient) == ("upstream", True)
    assert package.filename in str(caught.value)
    assert len(runs(site)[0]) == 2
    site.upstream.add(package)
    assert apply(site, package.name).state == "published"


@pytest.mark.parametrize("where", ["two repositories", "one repository"])
def test_files_of_one_name_are_kept_apart_or_refused_by_name(site: Site, where: str) -> None:
    """dnf downloads both to one place in one repository, and in two of them we would."""
    mirror, kind = site.add_mirror(f"same-{where[:3]}.example"), where[:3]
    trees = [site.directory / f"same-{kind}-{n}" for n in (1, 2)]
    both = [Package(f"same-{kind}-{n}") for n in (1, 2)]
    for tree, package in zip(trees, both, strict=True):
        made = Upstream.create(tree / "part", [package])
        made.path(package).rename(tree / "part" / "same.rpm")
        made.refresh()
    repositories = trees if where == "two repositories" else [site.directory / f"same-{kind}"]
    if where == "one repository":
        repositories[0].mkdir()
        for tree in trees:
            tree.rename(repositories[0] / tree.name)
    for number, tree in enumerate(repositories):
        whole = Upstream(tree)
        whole.refresh()
        whole.repo_file(mirror.host.reposdir, tree.as_uri(), name=f"same{number}")
    names = [package.name for package in both]
    if where == "two repositories":
        apply(site, *names, mirror=mirror)
        assert all((mirror.host.root / package.filename).exists() for package in both)
        return
    with pytest.raises(errors.SameFileName) as caught:
        apply(site, *names, mirror=mirror)
    told = str(caught.value)
    assert all(f"/same-one-{n}/part/same.rpm" in told for n in (1, 2)), told
    assert caught.value.fault == "upstream"


# --- exact --------------------------------------------------------------------------------


def exactly(site: Site, *names: str, mirror: Mirror, withdrawn: str = "follow") -> Outcome:
    upstream = {"withdrawn": withdrawn, "max_age": 0}
    mirrors = [mirror.settings(upstream=upstream)]
    return apply(site, *names, mirror=mirror, publish="on_merge", mirrors=mirrors)


def planned(site: Site, *names: str, mirror: Mirror) -> Plan:
    """Plan what `exactly` would do."""
    mirrors = [mirror.settings(upstream={"max_age": 0})]
    config = site.settings(publish="on_merge", mirrors=mirrors)
    service = Service(settings.Settings.model_validate(config))
    return service.operations.plan(Manifest.parse(manifest(*names).encode()), mirror.name)


def test_an_exact_set_is_what_upstream_has_now(site: Site) -> None:
    """A version that was withdrawn goes, and is told; unless a setting keeps it."""
    mirror = site.add_mirror("exact.example")
    old, new = Package("recalled", "1.0"), Package("recalled", "2.0")
    site.upstream.add(old, new)
    exactly(site, "recalled", "leaf01", mirror=mirror)
    assert published(site, "recalled", mirror) == {"2.0"}
    site.upstream.remove(new)
    kept = exactly(site, "recalled", "leaf02", mirror=mirror, withdrawn="keep")
    assert (kept.state, published(site, "recalled", mirror)) == ("published", {"2.0"})
    said = f"{new.nevra} is live, but upstream has withdrawn it"
    assert said in planned(site, "recalled", "leaf03", mirror=mirror).warnings
    mirror.host.clear_commands()
    told = exactly(site, "recalled", "leaf03", mirror=mirror)
    assert published(site, "recalled", mirror) == {"1.0"}
    assert said in told.warnings
    assert len(runs(site, mirror)[0]) == 2
    mirror.host.clear_commands()
    exactly(site, "recalled", "leaf04", mirror=mirror)
    assert len(runs(site, mirror)[0]) == 1


def test_a_file_of_the_pool_serves_only_with_upstream_s_bytes(site: Site) -> None:
    mirror = site.add_mirror("bytes.example")
    package = Package("built-twice")
    site.upstream.add(package)
    exactly(site, "built-twice", mirror=mirror)
    site.upstream.add(package.rebuilt())
    with pytest.raises(errors.BytesDiffer):
        exactly(site, "built-twice", "leaf05", mirror=mirror)
