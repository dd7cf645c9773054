"""The root helper for hosts without user namespaces: the same yum, and nothing but it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from gm_analytics.mirror import yum
from gm_analytics.mirror.survey import Manager, Signatures
from gm_analytics.remote.commands import Argv
from gm_analytics.rpm import grammar
from tests.integration.helper_host import ACCOUNT, ID, Host

SPECS = ("tree", "nmap-3:7.92-1.el9.x86_64", "@development", "/usr/bin/ld")
REFUSED, UNUSABLE = 64, 78

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the helper is root's")


@pytest.fixture
def place() -> Iterator[Path]:
    # Not pytest's tmp_path: the account must be able to reach its staging directory.
    directory = Path(tempfile.mkdtemp(prefix="gm-helper-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def host(place: Path) -> Host:
    return Host(place, "dnf4")


@pytest.fixture(params=[True, False], ids=["namespaces", "none"])
def either(place: Path, request: pytest.FixtureRequest) -> Host:
    """A machine where root can make user namespaces, and one where it cannot."""
    return Host(place, "dnf4", namespaces=request.param)


@pytest.mark.parametrize("namespaces", [True, False])
@pytest.mark.parametrize("manager", ["dnf4", "dnf5", "yum3"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("signatures", get_args(Signatures))
def test_it_runs_what_the_service_would_run(
    place: Path, manager: Manager, full: bool, signatures: Signatures, namespaces: bool
) -> None:
    """Word by word, for every command and manager, with and without the optional settings."""
    host = Host(place, manager, namespaces=namespaces)
    host.candidate()
    host.configure(replace(host.target, signatures=signatures))
    if full:
        more = {"arch": "aarch64", "module_platform_id": "platform:el9"}
        host.configure(replace(host.target, **more, weak_dependencies=True, max_age=7))
    calls: list[tuple[Callable[..., Argv], tuple[object, ...], dict[str, bool]]]
    # Root tests no transaction: rpm would read what is the account's.
    proving = (yum.prove, (SPECS,), {"tested": namespaces})
    calls = [(yum.makecache, (), {}), (yum.names, (), {}), proving]
    calls += [(one, (SPECS,), {"some": some}) for one in SOLVING for some in (False, True)]
    for command, specs, more in calls:
        elsewhere = replace(host.tools, elevation="helper")
        through = command(host.target, elsewhere, ID, *specs, **more)
        assert through[:3] == ("sudo", "-n", str(host.helper))
        done = host.run(*through[3:])
        assert (done.returncode, done.stderr) == (0, "")
        here = command(host.target, host.tools, ID, *specs, **more)
        assert host.argv() == host.as_run_here(here)


SOLVING = (yum.download, yum.resolve)


def test_thousands_of_specs_come_through_standard_input(either: Host) -> None:
    """An argument, and with it a command over SSH, has a largest size."""
    specs = [f"package-with-a-long-name-{number:06d}" for number in range(5000)]
    done = either.run(str(either.root), "download-some", ID, "-", said="\n".join(specs) + "\n")
    assert (done.returncode, done.stderr) == (0, "")
    argv = either.argv()
    assert argv is not None
    assert argv[-len(specs) :] == specs
    assert "--skip-broken" in argv


@pytest.mark.parametrize("said", ["", "\n", "tree\n-y\n", "tree\n/tmp/x.rpm", "a b\n", "*\n"])
def test_standard_input_is_looked_at_as_arguments_are(host: Host, said: str) -> None:
    done = host.run(str(host.root), "resolve", ID, "-", said=said)
    assert (done.returncode, host.argv()) == (REFUSED, None)


def test_upstream_that_is_a_directory_of_the_host_is_known_to_both(host: Host) -> None:
    reposdir = host.place / "repos.d"
    reposdir.mkdir()
    (reposdir / "a.repo").write_text(
        "[one]\nbaseurl=file:///srv/one\n[two]\nbaseurl=https://h/\n"
        "[three]\nbaseurl=\n  file:///srv/$releasever\n"
        "[listed]\nbaseurl=file:///srv\nmetalink=https://h/m\n# [no]\n#baseurl=file:///x\n"
    )
    host.configure(replace(host.target, reposdir=str(reposdir)))
    said = subprocess.check_output(yum.prepare(host.target, host.tools, ID, 0), text=True)
    assert said.split() == ["one", "three"]
    target = replace(host.target, local=("one", "three"))
    for command in (yum.resolve, yum.prove):
        assert host.run(str(host.root), command.__name__, ID, "tree").returncode == 0
        assert host.argv() == list(command(target, host.tools, ID, ("tree",)))


def test_without_namespaces_root_offers_a_copy_of_the_candidate(place: Path) -> None:
    """Through a repository file of its own; the options are those of the service's."""
    host = Host(place, "dnf4", namespaces=False)
    host.candidate()
    host.program(f"cat {host.work}/{ID}/*.d/gm-pool.repo > {host.seen}/repo")
    assert host.run(str(host.root), "prove", ID, "tree").returncode == 0
    copied = yum.repo_file(f"file://{host.work}/{ID}/candidate/")
    assert (host.seen / "repo").read_text() == copied


def test_the_pool_is_checked_with_upstream_s_keys(host: Host) -> None:
    """Those of its enabled repositories."""
    reposdir = host.place / "repos.d"
    reposdir.mkdir()
    for name, text in REPOSITORY_FILES.items():
        (reposdir / name).write_text(text)
    (host.root / "repodata").mkdir(exist_ok=True)
    (host.root / "repodata" / "repomd.xml").touch()  # else there is nothing to offer
    target = replace(host.target, reposdir=str(reposdir), signatures="required")
    subprocess.run(yum.prepare(target, host.tools, ID, 7), check=True)
    prepared = Path(target.staging(ID, "pool.d", "gm-pool.repo"))
    assert (
        prepared.read_text()
        == yum.repo_file(f"file://{host.root}/", groups=False) + f"gpgkey={KEYS}\n"
    )


REPOSITORY_FILES = {
    "a.repo": "# gpgkey=file:///comment\n[one]\nbaseurl=x\ngpgkey = file:///k1\n    file:///k2\n"
    "[two]\ngpgkey=https://h/k?a=b\nenabled = False\n",
    "b.repo": "[three]\nenabled=0\ngpgkey=file:///off\n[four]\nenabled=1\ngpgkey:file:///k$releasever\n"
    "name=more\n  than one line\n[five]\nname=has none\n",
}
KEYS = "file:///k1 file:///k2 file:///k$releasever"

HOSTILE_IDS = ["", ".", "..", "../../etc", "a/b", "-rf", "a b", "a\nb", "a;id", "$(id)", "é"]
HOSTILE_IDS.append("a" * (grammar.UPDATE_ID.longest + 1))


@pytest.mark.parametrize("update_id", HOSTILE_IDS)
def test_a_hostile_update_id_is_refused(host: Host, update_id: str) -> None:
    """Exit code 64, and neither yum nor rm has run."""
    done = host.run(str(host.root), "download", update_id, "tree")
    assert (done.returncode, host.argv(), host.work.exists()) == (REFUSED, None, False)


HOSTILE_SPECS = [
    "", "-y", "--installroot=/", "--setopt=reposdir=/tmp", "/etc/../tmp/x", "/tmp/x.rpm", "x.rpm",
    "./x", "http://host/x.rpm", "https://host/x", "*", "a*", "a?", "[a]", "a b", "a\nb", "tree\n",
    "\ntree", "a;id", "$(id)", "`id`", "a|b", "a&b", "a>b", "@", "@-x", "@nodejs:", "a(b",
    "árbol", "a\\b", "a'b", 'a"b', "~a", "a" * (grammar.SPEC.longest + 1),
]  # fmt: skip


@pytest.mark.parametrize("command", ["download", "resolve", "prove"])
@pytest.mark.parametrize("spec", HOSTILE_SPECS)
def test_a_hostile_spec_is_refused(host: Host, command: str, spec: str) -> None:
    """Exit code 64 and nothing run, also behind good ones."""
    done = host.run(str(host.root), command, ID, "tree", spec)
    assert (done.returncode, host.argv(), host.work.exists()) == (REFUSED, None, False)


def test_what_the_service_may_name_is_taken_up_to_its_longest(host: Host) -> None:
    """An id is a delivery's and, where several mirrors take it, a mirror's behind an `@`."""
    for update_id in ("a" * grammar.UPDATE_ID.longest, "by-hand:2026+1@mirror.example"):
        done = host.run(str(host.root), "download", update_id, "a" * grammar.SPEC.longest)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("{root}",),
        ("{root}", "download"),
        ("{root}", "download", ID),
        ("{root}", "makecache", ID, "tree"),
        ("{root}", "names", ID, "tree"),
        ("{root}", "remove", ID, "tree"),
        ("{root}", "download;id", ID, "tree"),
        ("{root}/", "download", ID, "tree"),
        ("/", "download", ID, "tree"),
        ("/etc", "prove", ID, "tree"),
        ("{root}/../..", "download", ID, "tree"),
    ],
)
def test_any_other_call_is_refused(host: Host, arguments: tuple[str, ...]) -> None:
    """Another root, another command, too few or too many words."""
    done = host.run(*(word.format(root=host.root) for word in arguments))
    assert (done.returncode, host.argv()) == (REFUSED, None)


def test_a_configuration_that_others_can_write_is_not_used(host: Host) -> None:
    """Neither a writable one, nor another owner's, nor a link."""
    host.conf.chmod(0o664)
    assert host.run(str(host.root), "resolve", ID, "tree").returncode == UNUSABLE
    host.conf.chmod(0o644)
    shutil.chown(host.conf, ACCOUNT)
    assert host.run(str(host.root), "resolve", ID, "tree").returncode == UNUSABLE
    os.chown(host.conf, 0, 0)
    real = host.conf.rename(host.place / "real.conf")
    host.conf.symlink_to(real)
    assert host.run(str(host.root), "resolve", ID, "tree").returncode == UNUSABLE
    assert host.argv() is None


DOWNLOADS = """rpms=; for word; do case $word in
    --downloaddir=*) rpms=${word#*=} ;; --setopt=cachedir=*) cache=${word#*=*=} ;;
esac; done
[ -n "$rpms" ] || { rpms=$cache/upstream/packages; mkdir -p "$rpms" || exit; }
echo content > "$rpms/tree-1.8.0-1.el9.x86_64.rpm"; ln -s /etc/passwd "$rpms/link.rpm"; exit %d"""


def test_downloads_become_the_account_s_own(either: Host) -> None:
    """They arrive in its cache or its staging directory; root's work directory is gone."""
    either.program(DOWNLOADS % 0)
    done = either.run(str(either.root), "download", ID, "tree")
    assert (done.returncode, done.stderr) == (0, "")
    place = either.root / ".cache/dnf4/upstream/packages" if either.namespaces else either.rpms
    file = place / "tree-1.8.0-1.el9.x86_64.rpm"
    assert (file.read_text(), file.owner()) == ("content\n", ACCOUNT)
    assert not (either.work / ID).exists()


def test_a_link_in_staging_leads_root_nowhere(either: Host) -> None:
    """The account made its directory a link to one of root's: nothing is written there."""
    roots = either.place / "roots"
    roots.mkdir(mode=0o755)
    either.rpms.rmdir()
    either.rpms.symlink_to(roots)
    (either.root / ".cache").symlink_to(roots)
    either.program(f"set -e; {DOWNLOADS % 0}")
    assert either.run(str(either.root), "download", ID, "tree").returncode != 0
    assert list(roots.iterdir()) == []


def test_yum_s_exit_code_is_the_helper_s(either: Host) -> None:
    """Where root is yum, nothing is handed over of a download that went wrong."""
    either.program(DOWNLOADS % 3)
    assert either.run(str(either.root), "download", ID, "tree").returncode == 3
    assert either.namespaces or list(either.rpms.iterdir()) == []


def test_a_second_run_at_a_time_is_told_to_wait(host: Host) -> None:
    """With yum's own exit code for a held lock."""
    host.work.mkdir()
    with (host.work / ".lock").open("w") as lock:
        subprocess.run(["flock", "--nonblock", str(lock.fileno())], check=True,
                       pass_fds=[lock.fileno()])  # fmt: skip
        assert host.run(str(host.root), "resolve", ID, "tree").returncode == 200
    assert host.argv() is None


def test_variables_of_the_host_are_in_the_empty_root(either: Host) -> None:
    """yum 3 and dnf 4 read them there, also where root is yum."""
    (either.variables / "stream").write_text("9-stream\n")
    seen = f'cat "${{word#*=}}{either.variables}/stream" > {either.seen}/value'
    either.program(f"for word; do case $word in --installroot=*) {seen} ;; esac; done")
    done = either.run(str(either.root), "makecache", ID)
    assert (done.returncode, done.stderr) == (0, "")
    assert (either.seen / "value").read_text() == "9-stream\n"


def test_of_its_environment_proxies_alone_count(either: Host) -> None:
    """What sudo keeps, or PAM sets for it: a language would change what yum says."""
    either.program(f"env > {either.seen}/environment")
    given = {**os.environ, "LANGUAGE": "es_CO:es", "DNF_VAR_x": "y", "https_proxy": "http://a b"}
    argv = [either.helper, str(either.root), "makecache", ID]
    subprocess.run(argv, env=given, check=True)
    known = (either.seen / "environment").read_text().splitlines()
    assert {"https_proxy=http://a b", "LC_ALL=C", "HOME=/"} <= set(known)
    assert not [line for line in known if line.startswith(("LANGUAGE", "DNF_VAR", "SUDO"))]
