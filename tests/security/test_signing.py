"""Whoever has the mirror's account cannot have the service sign what it did not publish.

Each test is such an account at work, with real parts; a client with repo_gpgcheck=1 judges.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gm_analytics import errors, settings
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.signing import key_of
from gm_analytics.operations import exported, status
from gm_analytics.service import Service
from gm_analytics.updates.model import Outcome
from lab.client import Client
from lab.packages import Package, build
from lab.processes import run
from lab.site import Mirror, Site
from lab.site import Service as Processes
from tests.integration.conftest import at_once, manifest
from tests.support import command_line

STRANGER = Package("stranger", "9")
FILE = STRANGER.filename


@pytest.fixture(scope="module")
def lab() -> Iterator[Site]:
    with Site.running() as running:
        running.sign()
        signing = service_of(running, running.mirror).settings.mirror(running.mirror.name)
        key_of(signing).make("lab")
        yield running


@pytest.fixture
def mirror(lab: Site, request: pytest.FixtureRequest) -> Mirror:
    """A signed mirror of this test's own, with the stranger's RPM in its pool."""
    made = lab.add_mirror(f"m{len(lab.mirrors)}.example")
    made.signing_home = lab.mirror.signing_home
    assert apply(lab, made, "leaf01").state == "published"
    strange(made)
    return made


def strange(mirror: Mirror) -> None:
    build([STRANGER], mirror.host.root)
    mirror.host.owned_by_account(mirror.host.root)


def service_of(site: Site, mirror: Mirror, **changes: object) -> Service:
    config = site.settings(mirrors=[mirror.settings()], **changes)
    return Service(settings.Settings.model_validate(config))


def apply(site: Site, mirror: Mirror, *names: str) -> Outcome:
    wanted = Manifest.parse(manifest(*names).encode())
    return service_of(site, mirror).operations.apply(wanted, mirror.name, at_once())


def client(site: Site, mirror: Mirror) -> Client:
    return site.client(mirror, repo_gpgkey=mirror.key_url)


def live(mirror: Mirror) -> Path:
    return (mirror.host.root / "repodata").resolve().parent


def attack(mirror: Mirror, script: str) -> None:
    """Run a script as the mirror's account, in the repository."""
    text = f"cd {mirror.host.root}; {script}"
    mirror.host.ssh("sh", "-euc", text)


def between_the_steps(mirror: Mirror, before: str = "", after: str = "") -> None:
    """Have scripts run around createrepo, as a process that waits for it could."""
    mirror.host.install_program(
        "createrepo_c",
        "#!/bin/sh\nlist= out=\nfor word do case $word in --pkglist=*) list=${word#*=} ;; "
        f"--outputdir=*) out=${{word#*=}} ;; esac; done\n{before}\n"
        f'/usr/bin/createrepo_c "$@" || exit\n{after}\n',
    )


def error_of(site: Site, mirror: Mirror, *names: str) -> str:
    """Apply; give the error's words, empty without one."""
    try:
        apply(site, mirror, *names)
    except errors.GmError as error:
        return f"{error}. {error.hint}"
    return ""


def installs_the_stranger(site: Site, mirror: Mirror) -> bool:
    return client(site, mirror).install(STRANGER.name, check=False).returncode == 0


def refused(site: Site, mirror: Mirror, *names: str) -> str:
    """Apply; nothing may be published, and no client may get the stranger's package."""
    before = live(mirror)
    said = error_of(site, mirror, *names)
    mirror.host.restore_program("createrepo_c")
    assert not installs_the_stranger(site, mirror)
    assert said, "it was published"
    assert live(mirror) == before
    assert not list((mirror.host.root / ".staging").glob("*/candidate/repodata/repomd.xml.asc"))
    return said


def findings(site: Site, mirror: Mirror) -> list[str]:
    """Give what `status` says is wrong with a mirror."""
    found = status.run(service_of(site, mirror), [mirror.name], checksums=False)
    return [one.said for one in found if one.severity == "fail" and "manifest" not in one.subject]


ADD = f'echo {FILE} >> "$list"'
MODIFY = "/usr/bin/modifyrepo_c --compress-type=gz --mdtype="
AGAIN = 's,^  <data type="other">,<data type="primary"></data>&,'
OTHER = (
    "d=$(mktemp -d); ls *.rpm > $d/l; /usr/bin/createrepo_c -q --no-database -o $d --pkglist=$d/l "
    "--general-compress-type=gz .; rm -r $out/repodata; mv $d/repodata $out/"
)
ATTACKS = {
    "the list in staging": (ADD, "", f"found package stranger-0:9-1.el9.x86_64 at {FILE}"),
    "other metadata": ("", OTHER, f"found package stranger-0:9-1.el9.x86_64 at {FILE}"),
    "updateinfo": (
        "", f'echo "<updates/>" > "$out/u.xml"; {MODIFY}updateinfo "$out/u.xml" "$out/repodata"',
        "found data of type 'updateinfo'",
    ),
    "modules": (
        "", f'echo "---" > "$out/m.yaml"; {MODIFY}modules "$out/m.yaml" "$out/repodata"',
        "found data of type 'modules'",
    ),
    "groups": (
        "", f'echo "<comps/>" > "$out/comps.xml"; {MODIFY}group "$out/comps.xml" "$out/repodata"',
        "expected no groups file",
    ),
    "a second primary": (
        "", f"sed -i '{AGAIN}' $out/repodata/repomd.xml", "found data of type 'primary' twice",
    ),
    "an address elsewhere": (
        'set -- --baseurl=http://stranger.example/ "$@"', "", "found attributes href, xml:base",
    ),
    "other bytes": (
        f'for f in leaf02-*.rpm; do rm "$f"; cp {FILE} "$f"; done',
        "", "found package stranger-0:9",
    ),
    "fewer packages": (
        'sed -i /leaf02/d "$list"', "", "found 1 packages missing; expected leaf02-1.0-1.el9",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ATTACKS)
def test_what_the_service_did_not_choose_is_not_signed(
    lab: Site, mirror: Mirror, case: str
) -> None:
    before, after, words = ATTACKS[case]
    between_the_steps(mirror, before, after)
    said = refused(lab, mirror, "leaf02")
    assert said.startswith(f"mirror {mirror.name}: comparing ")
    assert words in said
    assert "; nothing was signed. " in said
    # The attack over, the same update succeeds.
    attack(mirror, "rm leaf02-*.rpm")  # one of them has other bytes
    assert apply(lab, mirror, "leaf02").state == "published"
    client(lab, mirror).install("leaf02")


def test_what_lies_beside_the_downloads_is_not_published(lab: Site, mirror: Mirror) -> None:
    mirror.host.install_program(
        "rpm", f"#!/bin/sh\n[ -e tree-*.rpm ] && cp {mirror.host.root}/{FILE} .\n"
        'exec /usr/bin/rpm "$@"\n', logged=False,
    )  # fmt: skip
    try:
        apply(lab, mirror, "tree")
    finally:
        (mirror.host.bin / "rpm").unlink()
    assert FILE not in (live(mirror) / "packages.txt").read_text()
    assert not installs_the_stranger(lab, mirror)


def test_the_list_that_is_signed_is_the_services_own(lab: Site, mirror: Mirror) -> None:
    """Whatever stands in staging, or in the candidate, when it is signed."""
    line = f"{FILE}\\tstranger\\t0\\t9\\t1.el9\\tx86_64\\t1\\t{'0' * 64}\\t\\t"
    between_the_steps(
        mirror, after=f'printf "{line}\\n" | tee -a "$out/packages.txt" $out/../[mp]*.txt'
    )
    assert apply(lab, mirror, "leaf03").state == "published"
    mirror.host.restore_program("createrepo_c")
    assert "stranger" not in (live(mirror) / "packages.txt").read_text()
    home = str(mirror.signing_home)
    files = [str(live(mirror) / "packages.txt.asc"), str(live(mirror) / "packages.txt")]
    run(["gpg", "--homedir", home, "--verify", *files])
    assert apply(lab, mirror, "leaf04").state == "published"


# --- what is read back -----------------------------------------------------------------------

EDITS = {
    "the list": "cat .stranger >> $LIVE/packages.txt",
    "the list without signatures": (
        "cat .stranger >> $LIVE/packages.txt; rm -f $LIVE/signed.json $LIVE/*.asc"
    ),
    "what it says of itself": 'sed -i \'s/"add"/"merge"/\' $LIVE/publication.json',
    "the signature of the list": "rm $LIVE/packages.txt.asc",
    "an older publication": "ln -sfn .publications/000001/repodata repodata",
    "an older list": "cp .publications/000002/packages.txt* .publications/000002/*.json $LIVE/",
    "another preview's name": "mkdir -p previews/7; ln -sfn previews/7/repodata repodata",
    "no repodata": "rm repodata",
    "a plain repository": "rm repodata; ls *.rpm > .all; /usr/bin/createrepo_c -q -i .all .",
    "a pipe": "rm $LIVE/packages.txt; mkfifo $LIVE/packages.txt",
}


def write_line(mirror: Mirror) -> None:
    """Leave a line of packages.txt for the stranger's RPM in `.stranger`."""
    content = (mirror.host.root / FILE).read_bytes()
    facts = [FILE, "stranger", "0", "9", "1.el9", "x86_64", str(len(content))]
    line = "\t".join([*facts, hashlib.sha256(content).hexdigest(), "", ""])
    (mirror.host.root / ".stranger").write_text(line + "\n")


def edit(mirror: Mirror, case: str) -> None:
    """Do what the mirror's account may do to a live publication."""
    write_line(mirror)
    attack(mirror, EDITS[case].replace("$LIVE", str(live(mirror).relative_to(mirror.host.root))))


@pytest.mark.parametrize("case", EDITS)
def test_nothing_is_built_on_what_was_not_signed(lab: Site, mirror: Mirror, case: str) -> None:
    assert apply(lab, mirror, "leaf02").state == "published"
    edit(mirror, case)
    words = [error_of(lab, mirror, name) for name in ("leaf02", "leaf05")]
    assert not installs_the_stranger(lab, mirror)
    for said in words:
        if case == "another preview's name":  # no link that this service would make
            assert "found 'previews/7'; expected a publication's directory" in said
            continue
        assert f"mirror {mirror.name}: reading " in said
        assert case == "a pipe" or f"run `gm-analytics adopt {mirror.name}`" in said
    if case not in {"no repodata", "a plain repository", "a pipe"}:
        assert findings(lab, mirror), "status says so"


def test_an_older_publication_is_called_back_only_as_it_was_signed(
    lab: Site, mirror: Mirror
) -> None:
    edit(mirror, "the list")
    number = int(live(mirror).name)
    attack(mirror, f"cp -a .publications/{number:06d} .edited")
    before = live(mirror)
    attack(mirror, "sed -i '$d' .publications/*/packages.txt")  # as it was, for a while
    assert apply(lab, mirror, "leaf02").state == "published"
    attack(mirror, f"cp .edited/packages.txt {before}/packages.txt")
    service = service_of(lab, mirror)
    with pytest.raises(errors.GmError, match=r"packages\.txt is not"):
        service.operations.rollback(mirror.name, number, at_once())
    with pytest.raises(errors.GmError, match=r"packages\.txt is not"):
        exported.lock(service.mirrors, mirror.name, number)
    assert not installs_the_stranger(lab, mirror)


def test_a_merge_takes_no_preview_that_was_edited(lab: Site) -> None:
    made = lab.add_mirror("merging.example")
    made.signing_home = lab.mirror.signing_home
    config = lab.config(publish="on_merge", mirrors=[made.settings()])
    with Processes.running(lab, config) as service:
        pull = lab.push(manifest("leaf03"), branch="merging", number=5)
        assert service.perform(pull)["state"] == "previewed"
        strange(made)
        write_line(made)
        attack(made, "cat .stranger >> previews/5/packages.txt")
        ended = service.perform(lab.merge(pull))
        assert ended["state"] == "published", ended["message"]
        assert "The preview is not used" in service.log
    assert "stranger" not in (live(made) / "packages.txt").read_text()
    assert not installs_the_stranger(lab, made)
    client(lab, made).install("leaf03")


# --- the one moment of trust -----------------------------------------------------------------


def forgetting(site: Site, mirror: Mirror) -> None:
    """Take the service's host for one that never saw the mirror."""
    (mirror.signing_home / "mirrors.json").unlink()  # type: ignore[operator]
    assert site


def unsealed(mirror: Mirror) -> None:
    """Leave of a publication what the release before this one wrote."""
    attack(mirror, "rm -f .publications/*/signed.json .publications/*/packages.txt.asc")


def test_what_an_older_release_signed_is_adopted_once(lab: Site, mirror: Mirror) -> None:
    unsealed(mirror)
    with pytest.raises(errors.GmError, match="it is not signed"):
        apply(lab, mirror, "leaf01")
    forgetting(lab, mirror)
    assert apply(lab, mirror, "leaf01").state == "published", "signed by this one now"
    assert apply(lab, mirror, "leaf01").state == "unchanged"
    unsealed(mirror)
    with pytest.raises(errors.GmError, match="it is not signed"):
        apply(lab, mirror, "leaf01")


def test_what_an_older_release_signed_is_compared_with_its_metadata(
    lab: Site, mirror: Mirror
) -> None:
    edit(mirror, "the list")
    unsealed(mirror)
    forgetting(lab, mirror)
    with pytest.raises(errors.GmError, match="its signed metadata says otherwise"):
        apply(lab, mirror, "leaf02")
    attack(mirror, f"rm {live(mirror)}/repodata/repomd.xml.asc")
    with pytest.raises(errors.GmError, match="it says that this key signed it"):
        apply(lab, mirror, "leaf02")


def test_a_person_can_adopt_what_is_there(lab: Site, mirror: Mirror) -> None:
    """As after a backup was brought back; only that command does it."""
    assert apply(lab, mirror, "leaf02").state == "published"
    edit(mirror, "an older publication")
    assert f"gm-analytics adopt {mirror.name}" in error_of(lab, mirror, "leaf06")
    config = str(lab.config(mirrors=[mirror.settings()]))
    done = command_line.run(("adopt", "--config", config, mirror.name))
    assert done.stdout == (
        ".publications/000001 with 0 packages is trusted as it is, and what else is kept\n"
    )
    assert "adopt by hand" in command_line.run(("updates", "--config", config)).stdout
    assert apply(lab, mirror, "leaf06").state == "published"
    assert client(lab, mirror).available() == {"leaf06-1.0-1.el9.noarch"}


def test_groups_in_another_encoding_are_kept_as_they_are(lab: Site, mirror: Mirror) -> None:
    """As a comps.xml in Latin-1, of a repository that was taken over."""
    text = '<?xml version="1.0" encoding="ISO-8859-1"?><comps><group><id>g</id>'
    groups = f"{text}<name>caf\xe9</name></group></comps>".encode("latin-1")
    there = live(mirror) / "comps.xml"
    there.write_bytes(groups)
    unsealed(mirror)
    mirror.host.owned_by_account(there)
    attack(mirror, f"modifyrepo_c --mdtype=group {there} {there.parent}/repodata")
    repomd = there.parent / "repodata" / "repomd.xml"
    key = key_of(service_of(lab, mirror).settings.mirror(mirror.name))
    repomd.with_name("repomd.xml.asc").write_text(key.sign(repomd.read_bytes()))
    forgetting(lab, mirror)
    assert apply(lab, mirror, "leaf02").state == "published"
    assert (live(mirror) / "comps.xml").read_bytes() == groups
    assert {"leaf01-1.0-1.el9.noarch"} < client(lab, mirror).available()


def test_the_memory_is_the_owners_alone(lab: Site, mirror: Mirror) -> None:
    path = mirror.signing_home / "mirrors.json"  # type: ignore[operator]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_uid == os.geteuid()


# --- status ----------------------------------------------------------------------------------

SERVED = OTHER.replace(
    "rm -r", "cp repodata/*.asc $d/repodata/ || :; chmod 755 $d/repodata; rm -r"
)


@pytest.mark.parametrize("signed", [True, False])
def test_status_tells_of_a_package_that_was_not_published(
    lab: Site, mirror: Mirror, signed: bool
) -> None:
    if not signed:
        mirror.signing_home, mirror.signing = None, "off"
        assert apply(lab, mirror, "leaf02").state == "published"
    assert findings(lab, mirror) == []
    attack(mirror, f"out={live(mirror)}; {SERVED}")
    words = "\n".join(findings(lab, mirror))
    expected = "repodata/repomd.xml: not the one that was signed" if signed else (
        f"found package stranger-0:9-1.el9.x86_64 at {FILE}; expected no such package"
    )  # fmt: skip
    assert expected in words


def test_status_tells_of_a_signature_that_is_not_served(lab: Site, mirror: Mirror) -> None:
    attack(mirror, "cp RPM-GPG-KEY-gm-mirror repodata/repomd.xml.asc")
    (said,) = findings(lab, mirror)
    assert "repomd.xml: as it is served, it is not signed by " in said
