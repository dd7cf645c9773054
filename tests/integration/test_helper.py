"""The root helper for hosts without user namespaces: the same yum, and nothing but it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from gm_analytics.mirror import yum
from gm_analytics.mirror.survey import Manager, Signatures, Target, Tools
from gm_analytics.remote import commands

SOURCE = Path(__file__).parents[2] / "cookbooks/mirror_server/files/gm-mirror-helper"
ID = "72d3162e-cc78-11e3-81ab-4c9367dc0958@mirror"
SPECS = ("tree", "nmap-3:7.92-1.el9.x86_64", "@development", "/usr/bin/ld")
ACCOUNT = "nobody"
REFUSED, UNUSABLE = 64, 78
PROGRAMS: dict[Manager, str] = {"dnf5": "dnf5", "dnf4": "dnf", "yum3": "yum"}
NEEDED = ("awk", "cat", "chmod", "chown", "cp", "find", "flock", "grep", "id", "ln", "mkdir")
NEEDED += ("readlink", "rm", "setpriv", "sh")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the helper is root's")


class Host:
    """The helper with its three places and its PATH moved below a temporary directory."""

    def __init__(self, place: Path, manager: Manager) -> None:
        self.place = place
        self.bin = place / "bin"
        self.root = place / "repo"
        self.work, self.cache = place / "work", place / "cache"
        self.conf, self.helper = place / "helper.conf", place / "gm-mirror-helper"
        self.printed = place / "argv"
        self.rpms = self.root / ".staging" / ID / "rpms"
        self.manager = manager
        self.target = Target(str(self.root), "/etc/yum.repos.d", "9", helper=str(self.helper))
        self.tools = Tools(manager, str(self.bin / PROGRAMS[manager]), "createrepo_c")
        self._install()

    def configure(self, target: Target) -> None:
        """Write helper.conf for the same configuration as the service's."""
        self.target = target
        self.conf.write_text(
            f"root={target.root}\naccount={ACCOUNT}\nreposdir={target.reposdir}\n"
            f"releasever={target.releasever}\narch={target.arch or ''}\n"
            f"module_platform_id={target.module_platform_id or ''}\n"
            f"weak_dependencies={int(target.weak_dependencies)}\nmax_age={target.max_age}\n"
            f"signatures={target.signatures}\n"
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.helper, *arguments], capture_output=True, text=True, check=False
        )

    def argv(self) -> list[str] | None:
        """What the manager was run with, or None if it was not."""
        if not self.printed.exists():
            return None
        return self.printed.read_text().split("\0")[:-1]

    def below_the_work_directory(self, argv: commands.Argv) -> list[str]:
        """Give a command of the service as the helper runs it: root writes nowhere in ROOT."""
        moved = {
            self.target.staging(ID): str(self.work / ID),
            f"{self.root}/.cache/": f"{self.cache}/",
        }
        words = list(argv)
        for ours, roots in moved.items():
            words = [word.replace(ours, roots) for word in words]
        return words

    def _install(self) -> None:
        text = SOURCE.read_text()
        for before, after in (
            ("CONF=/etc/gm-mirror/helper.conf", f"CONF={self.conf}"),
            ("WORK=/var/lib/gm-mirror", f"WORK={self.work}"),
            ("CACHE=/var/cache/gm-mirror", f"CACHE={self.cache}"),
            ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"PATH={self.bin}"),
        ):
            assert text.count(f"\n{before}\n") == 1
            text = text.replace(f"\n{before}\n", f"\n{after}\n")
        self.helper.write_text(text)
        self.helper.chmod(0o755)
        self.bin.mkdir()
        for name in NEEDED:
            (self.bin / name).symlink_to(shutil.which(name) or name)
        self.program(f"""printf '%s\\0' "$0" "$@" > {self.printed}""")
        self.rpms.mkdir(parents=True)
        account = pwd.getpwnam(ACCOUNT)
        for path in (self.root, self.root / ".staging", self.rpms.parent, self.rpms):
            os.chown(path, account.pw_uid, account.pw_gid)
        self.configure(self.target)

    def program(self, script: str) -> None:
        """Replace the package manager."""
        path = Path(self.tools.manager_path)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


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


@pytest.mark.parametrize("manager", ["dnf4", "dnf5", "yum3"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("signatures", get_args(Signatures))
def test_it_runs_what_the_service_would_run_as_root(
    place: Path, manager: Manager, full: bool, signatures: Signatures
) -> None:
    """Word by word, for every command and manager, with and without the optional settings."""
    host = Host(place, manager)
    host.configure(replace(host.target, signatures=signatures))
    if full:
        more = {"arch": "aarch64", "module_platform_id": "platform:el9"}
        host.configure(replace(host.target, **more, weak_dependencies=True, max_age=7))
    for command in (yum.download, yum.resolve, yum.prove, yum.makecache, yum.names):
        specs = () if command in {yum.makecache, yum.names} else (SPECS,)
        through = command(host.target, replace(host.tools, elevation="helper"), ID, *specs)
        assert through[:3] == ("sudo", "-n", str(host.helper))
        done = host.run(*through[3:])
        assert (done.returncode, done.stderr) == (0, "")
        expected = host.below_the_work_directory(command(host.target, host.tools, ID, *specs))
        assert host.argv() == expected


def test_it_offers_the_same_repositories(host: Host) -> None:
    """Pool and candidate are read from ROOT, through repository files of root's own."""
    seen = host.place / "seen"
    host.program(f"cat {host.work}/{ID}/*.d/gm-pool.repo > {seen}")
    assert host.run(str(host.root), "resolve", ID, "tree").returncode == 0
    candidate = yum.repo_file(f"file://{host.target.staging(ID, 'candidate')}/")
    assert seen.read_text() == candidate + yum.repo_file(f"file://{host.root}/")


def test_it_checks_the_pool_with_the_keys_that_the_service_would(host: Host) -> None:
    """Those of upstream's enabled repositories, as the configuration of both names them."""
    reposdir = host.place / "repos.d"
    reposdir.mkdir()
    for name, text in REPOSITORY_FILES.items():
        (reposdir / name).write_text(text)
    target = replace(host.target, reposdir=str(reposdir), signatures="required")
    host.configure(target)
    seen = host.place / "seen"
    host.program(f"cat {host.work}/{ID}/pool.d/gm-pool.repo > {seen}")
    assert host.run(str(host.root), "download", ID, "tree").returncode == 0
    assert seen.read_text() == yum.repo_file(f"file://{host.root}/") + f"gpgkey={KEYS}\n"
    subprocess.run(yum.prepare(target, ID, 7), check=True)
    prepared = Path(target.staging(ID, "pool.d", "gm-pool.repo"))
    assert prepared.read_text() == seen.read_text()


REPOSITORY_FILES = {
    "a.repo": "# gpgkey=file:///comment\n[one]\nbaseurl=x\ngpgkey = file:///k1\n    file:///k2\n"
    "[two]\ngpgkey=https://h/k?a=b\nenabled = False\n",
    "b.repo": "[three]\nenabled=0\ngpgkey=file:///off\n[four]\nenabled=1\ngpgkey:file:///k$releasever\n"
    "name=more\n  than one line\n[five]\nname=has none\n",
}
KEYS = "file:///k1 file:///k2 file:///k$releasever"

HOSTILE_IDS = ["", ".", "..", "../../etc", "a/b", "-rf", "a b", "a\nb", "a;id", "$(id)", "é"]
HOSTILE_IDS.append("a" * 201)


@pytest.mark.parametrize("update_id", HOSTILE_IDS)
def test_a_hostile_update_id_is_refused(host: Host, update_id: str) -> None:
    """Exit code 64, and neither yum nor rm has run."""
    done = host.run(str(host.root), "download", update_id, "tree")
    assert (done.returncode, host.argv(), host.work.exists()) == (REFUSED, None, False)


HOSTILE_SPECS = [
    "", "-y", "--installroot=/", "--setopt=reposdir=/tmp", "/etc/../tmp/x", "/tmp/x.rpm", "x.rpm",
    "./x", "http://host/x.rpm", "https://host/x", "*", "a*", "a?", "[a]", "a b", "a\nb", "tree\n",
    "\ntree", "a;id", "$(id)", "`id`", "a|b", "a&b", "a>b", "@", "@-x", "@nodejs:18", "a(b)",
    "árbol", "a\\b", "a'b", 'a"b', "~a", "a" * 201,
]  # fmt: skip


@pytest.mark.parametrize("command", ["download", "resolve", "prove"])
@pytest.mark.parametrize("spec", HOSTILE_SPECS)
def test_a_hostile_spec_is_refused(host: Host, command: str, spec: str) -> None:
    """Exit code 64 and nothing run, also behind good ones."""
    done = host.run(str(host.root), command, ID, "tree", spec)
    assert (done.returncode, host.argv(), host.work.exists()) == (REFUSED, None, False)


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
    os.chown(host.conf, pwd.getpwnam(ACCOUNT).pw_uid, 0)
    assert host.run(str(host.root), "resolve", ID, "tree").returncode == UNUSABLE
    os.chown(host.conf, 0, 0)
    real = host.conf.rename(host.place / "real.conf")
    host.conf.symlink_to(real)
    assert host.run(str(host.root), "resolve", ID, "tree").returncode == UNUSABLE
    assert host.argv() is None


DOWNLOADS = """for word; do case $word in --downloaddir=*) rpms=${word#*=} ;; esac; done
echo content > "$rpms/tree-1.8.0-1.el9.x86_64.rpm"; ln -s /etc/passwd "$rpms/link.rpm"; exit %d"""


def test_downloads_become_the_account_s_own(host: Host) -> None:
    """They arrive in its staging directory, and root's work directory is gone."""
    host.program(DOWNLOADS % 0)
    done = host.run(str(host.root), "download", ID, "tree")
    assert (done.returncode, done.stderr) == (0, "")
    [file] = host.rpms.iterdir()
    assert (file.name, file.read_text()) == ("tree-1.8.0-1.el9.x86_64.rpm", "content\n")
    assert file.stat().st_uid == pwd.getpwnam(ACCOUNT).pw_uid
    assert not (host.work / ID).exists()


def test_a_link_in_staging_leads_root_nowhere(host: Host) -> None:
    """The account made its directory a link to one of root's: nothing is written there."""
    roots = host.place / "roots"
    roots.mkdir(mode=0o755)
    host.rpms.rmdir()
    host.rpms.symlink_to(roots)
    host.program(DOWNLOADS % 0)
    assert host.run(str(host.root), "download", ID, "tree").returncode != 0
    assert list(roots.iterdir()) == []


def test_yum_s_exit_code_is_the_helper_s(host: Host) -> None:
    """And nothing is handed over of a download that went wrong."""
    host.program(DOWNLOADS % 1)
    assert host.run(str(host.root), "download", ID, "tree").returncode == 1
    assert list(host.rpms.iterdir()) == []


def test_a_second_run_at_a_time_is_told_to_wait(host: Host) -> None:
    """With yum's own exit code for a held lock."""
    host.work.mkdir()
    with (host.work / ".lock").open("w") as lock:
        subprocess.run(["flock", "--nonblock", str(lock.fileno())], check=True,
                       pass_fds=[lock.fileno()])  # fmt: skip
        assert host.run(str(host.root), "resolve", ID, "tree").returncode == 200
    assert host.argv() is None
