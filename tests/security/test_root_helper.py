"""What the account can do with the root helper: nothing that it could not do without."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gm_analytics.mirror import complaints, printed, yum
from lab.packages import Package
from lab.processes import find_program, run, wait_for
from lab.upstream import Upstream
from tests.integration.helper_host import ACCOUNT, ID, Host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the helper is root's")

LEAF = Package("leaf", size=1000)
BRANCH = Package("branch", requires=("leaf",))
CANARY = secrets.token_hex(16)


class Real(Host):
    """The helper with the machine's own dnf, an upstream, and a pool that has `leaf`."""

    def __init__(self, place: Path, built: Path, *, namespaces: bool) -> None:
        super().__init__(place, "dnf4", namespaces=namespaces)
        dnf = Path(find_program("dnf")).resolve()
        self.dnf = dnf
        (self.bin / "dnf").unlink()
        (self.bin / "dnf").symlink_to(dnf)
        Upstream.copy(built, place / "upstream")
        shutil.copy(built / LEAF.filename, self.root)
        self.createrepo(self.root)
        reposdir = place / "repos.d"
        reposdir.mkdir()
        Upstream(place / "upstream").repo_file(reposdir, (place / "upstream").as_uri() + "/")
        self.configure(replace(self.target, reposdir=str(reposdir)))
        subprocess.run(yum.prepare(self.target, self.tools, ID, 0), check=True)
        self.canary = place / "canary"
        self.canary.write_text(CANARY)
        self.canary.chmod(0o600)
        self.owned_by_account()

    def owned_by_account(self) -> None:
        """Give all of ROOT to the account."""
        run(["chown", "--recursive", "--no-dereference", f"{ACCOUNT}:{ACCOUNT}", str(self.root)])

    def createrepo(self, directory: Path) -> None:
        """Write metadata of the packages in a directory."""
        options = ("--quiet", "--no-database", "--general-compress-type=gz")
        run(["createrepo_c", *options, str(directory)])

    def propose(self) -> Path:
        """Make a candidate that has both packages; give its repodata."""
        place = self.rpms.parent / "candidate"
        shutil.copytree(self.place / "upstream", place, ignore=shutil.ignore_patterns("repodata"))
        self.createrepo(place)
        self.owned_by_account()
        return place / "repodata"

    def act(self, python: str) -> None:
        """Have the account act in dnf's midst: the text runs before dnf's own, in its process."""
        script = f"import os, runpy, shutil, sys\nsys.argv[0] = {str(self.dnf)!r}\n{python}\n"
        script += f"runpy.run_path({str(self.dnf)!r}, run_name='__main__')\n"
        path = self.place / "acting.py"
        path.write_text(script)
        interpreter = self.dnf.read_text().splitlines()[0].removeprefix("#!").split()[0]
        self.replace("dnf", f'exec {interpreter} {path} "$@"')

    def told(self) -> list[str]:
        """Give the files that the account can read the canary in."""
        words = [*as_account(), "grep", "--recursive", "--files-with-matches", "--devices=skip"]
        done = subprocess.run(
            [*words, CANARY, str(self.place)], capture_output=True, text=True, check=False
        )
        return done.stdout.split()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the helper below two more processes, as sudo and the remote timeout are."""
        inner = 'trap "" TERM; "$@"; exit'
        words = ["sh", "-c", f"sh -c '{inner}' sudo \"$@\"; exit", "timeout", str(self.helper)]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen([*words, *arguments], stdout=quiet, stderr=quiet)
        wait_for(self.is_locked, "the helper to begin")
        return process

    def processes(self) -> list[int]:
        """Give the processes that have a word of this host in their command lines."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if str(self.place).encode() in words:
                    found.append(int(entry.name))
        return found

    def is_locked(self) -> bool:
        """Tell whether a run has the lock; without trying it, which would make a run wait."""
        lock = self.work / ".lock"
        return lock.exists() and f":{lock.stat().st_ino} " in Path("/proc/locks").read_text()

    def is_free(self) -> bool:
        """Tell whether nothing is left of a run, its lock included."""
        return not self.is_locked() and not self.processes()


def as_account() -> tuple[str, ...]:
    """Give the words that run a command as the account."""
    return ("setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups")


@pytest.fixture(scope="module")
def built() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gm-helper-") as directory:
        Upstream.create(Path(directory), [LEAF, BRANCH])
        yield Path(directory)


@pytest.fixture(params=[True, False], ids=["namespaces", "none"])
def host(request: pytest.FixtureRequest, built: Path) -> Iterator[Real]:
    """A machine where root can make user namespaces, and one where it cannot."""
    directory = Path(tempfile.mkdtemp(prefix="gm-helper-"))
    directory.chmod(0o755)
    real = Real(directory, built, namespaces=request.param)
    yield real
    for pid in real.processes():
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(directory)


def test_it_does_what_it_is_for(host: Real) -> None:
    """Read upstream, list it, solve, download, prove: with the real dnf."""
    root, names = str(host.root), ("branch", "leaf")
    assert host.run(root, "makecache", ID).returncode == 0
    listed = printed.listing(host.run(root, "names", ID).stdout)
    assert tuple(sorted(row.name for row in listed)) == names
    solved = host.run(root, "resolve", ID, "branch")
    assert complaints.was_solved(solved.stdout + solved.stderr), solved
    done = host.run(root, "download", ID, "branch")
    assert done.returncode == 0, done
    expected = {"branch": "upstream", "leaf": yum.POOL_ID if host.namespaces else "upstream"}
    assert {row.name: row.repository for row in printed.transaction(done.stdout)} == expected
    if host.namespaces:  # what the pool has is not copied
        files, fetched = host.root.glob(".cache/dnf4/upstream-*/packages/*"), {BRANCH.filename}
    else:
        files, fetched = host.rpms.iterdir(), {LEAF.filename, BRANCH.filename}
    there = {file.name: file.owner() for file in files}
    assert there == dict.fromkeys(fetched, ACCOUNT)
    host.propose()
    proved = host.run(root, "prove", ID, "branch")
    # Where root itself would read the packages it only solves, which --assumeno ends with 1.
    solved = complaints.was_solved(proved.stdout + proved.stderr)
    assert (proved.returncode == 0, solved) == (host.namespaces, not host.namespaces), proved
    assert {row.repository for row in printed.transaction(proved.stdout)} == {yum.POOL_ID}
    assert wait_for(host.is_free, "the run to end")


def test_an_rpm_swapped_for_a_link_to_root_s_file_gives_nothing_away(host: Real) -> None:
    """It would be swapped at the worst moment: after dnf's check, before a copy is made."""
    host.act(f"""
copy = shutil.copy
def swap_and_copy(source, *more, **options):
    if str(source).startswith({str(host.root)!r}):
        os.unlink(source)
        os.symlink({str(host.canary)!r}, source)
        open({str(host.seen / "swapped")!r}, "w").close()
    return copy(source, *more, **options)
shutil.copy = swap_and_copy""")
    done = host.run(str(host.root), "download", ID, "branch")
    assert not (host.seen / "swapped").exists()  # nothing of the pool is copied
    assert CANARY not in done.stdout + done.stderr
    assert host.told() == []


@pytest.mark.parametrize("command", ["resolve", "prove"])
def test_metadata_that_name_root_s_file_give_nothing_away(host: Real, command: str) -> None:
    """By a link in repodata, and by an address that climbs out of it."""
    repodata = host.propose() if command == "prove" else host.root / "repodata"
    repomd = (repodata / "repomd.xml").read_text()
    primary = next(repodata.glob("*-primary.xml.gz"))
    up = "../" * len(host.root.parts) * 2 + str(host.canary).lstrip("/")
    lines = [line for line in repomd.splitlines() if "checksum" not in line]
    climbing = "\n".join(lines).replace(f"repodata/{primary.name}", up)
    for text in (repomd, climbing):
        (repodata / "repomd.xml").write_text(text)
        primary.unlink(missing_ok=True)
        primary.symlink_to(host.canary)
        done = host.run(str(host.root), command, ID, "branch")
        assert CANARY not in done.stdout + done.stderr
        assert host.told() == []


def test_what_runs_is_the_account(host: Real) -> None:
    """In the namespace: no right of root's, no group, no file, and nobody else's way in."""
    if not host.namespaces:
        pytest.skip("there yum is root, and reads nothing of the account's by name")
    host.replace(
        "dnf",
        f"cat /proc/self/status > {host.seen}/status; ls -l /proc/$$/fd > {host.seen}/files\n"
        f"cat {host.canary} 2> {host.seen}/refused\n"
        f"echo $$ > {host.seen}/pid.new; mv {host.seen}/pid.new {host.seen}/pid\n"
        f"cat {host.seen}/end",
    )
    for name in ("ls", "mv"):
        (host.bin / name).symlink_to(find_program(name))
    os.mkfifo(host.seen / "end")
    process = host.start(str(host.root), "makecache", ID)
    wait_for((host.seen / "pid").exists, "dnf to look around")
    status = dict(line.split(":\t", 1) for line in (host.seen / "status").read_text().splitlines())
    account = run([*as_account(), "id", "-u"]).stdout.strip()
    pid = int((host.seen / "pid").read_text())
    entered = subprocess.run(
        [*as_account(), "nsenter", f"--user=/proc/{pid}/ns/user", "id"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    outside = Path(f"/proc/{pid}/status").read_text()
    (host.seen / "end").write_text("")
    process.wait()
    assert f"Uid:\t{account}\t{account}\t{account}\t{account}\n" in outside
    sys_chroot = 1 << 18
    assert {int(status[f"Cap{kind}"], 16) for kind in ("Prm", "Eff", "Bnd")} == {sys_chroot}
    assert (status["Groups"].split(), status["NoNewPrivs"]) == ([], "1")
    assert "Permission denied" in (host.seen / "refused").read_text()
    assert str(host.work) not in (host.seen / "files").read_text()
    assert entered.returncode != 0
    assert "uid=" not in entered.stdout


def _fifo(host: Real) -> None:
    """Put a pipe where dnf reads first; where a copy is made first, just after the look at it."""
    repomd = host.propose() / "repomd.xml"
    if host.namespaces:
        repomd.unlink()
        os.mkfifo(repomd)
    else:
        os.mkfifo(host.seen / "pipe")
        host.replace("cat", f"exec {find_program('cat')} {host.seen}/pipe")
    host.owned_by_account()


@pytest.mark.parametrize("generation", ["timeout", "sudo", "helper"])
def test_a_run_ends_with_its_caller(host: Real, generation: str) -> None:
    """SIGKILL of any process above it, while it waits for a pipe named repomd.xml."""
    _fifo(host)
    process = host.start(str(host.root), "prove", ID, "branch")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    sudo = int(children.read_text().split()[0])
    helper = int(Path(f"/proc/{sudo}/task/{sudo}/children").read_text().split()[0])
    victim = {"timeout": process.pid, "sudo": sudo, "helper": helper}[generation]
    os.kill(victim, signal.SIGKILL)
    process.wait()
    wait_for(host.is_free, "the helper to end")


def test_a_run_has_a_deadline_of_its_own(host: Real) -> None:
    """Whoever goes on waiting: the remote timeout cannot signal sudo."""
    host.configure(host.target, timeout=1)
    _fifo(host)
    done = host.run(str(host.root), "prove", ID, "branch")
    assert done.returncode == -signal.SIGKILL
    wait_for(host.is_free, "the helper to end")


def _socket(path: Path) -> None:
    place = Path.cwd()
    os.chdir(path.parent)  # a socket's name has 108 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(place)


KINDS: dict[str, Callable[[Path, Path], None]] = {
    "pipe": lambda path, _: os.mkfifo(path),
    "socket": lambda path, _: _socket(path),
    "directory": lambda path, _: path.mkdir(),
    "device": lambda path, _: path.symlink_to("/dev/zero"),
    "root's file": lambda path, roots: path.symlink_to(roots.with_name("canary")),
    "root's directory": lambda path, roots: path.symlink_to(roots),
}
CANDIDATE = f".staging/{ID}/candidate/repodata/repomd.xml"
PLACES = [
    ("download", "repodata/repomd.xml", "pipe"),
    ("download", "repodata/repomd.xml", "device"),
    ("download", "repodata", "root's file"),
    ("download", f".staging/{ID}/pool.d/gm-pool.repo", "pipe"),
    ("download", f".staging/{ID}/rpms", "root's file"),
    ("download", f".staging/{ID}/root", "socket"),
    ("download", ".cache", "directory"),
    ("prove", CANDIDATE, "pipe"),
    ("prove", CANDIDATE, "directory"),
    ("prove", CANDIDATE, "root's file"),
    ("prove", f".staging/{ID}", "root's directory"),
]


@pytest.mark.parametrize(("command", "place", "kind"), PLACES)
def test_no_name_below_root_does_harm(host: Real, command: str, place: str, kind: str) -> None:
    """Whatever it is, the run ends, leaves nothing behind, and changes nothing of root's."""
    host.configure(host.target, timeout=2 if kind in {"pipe", "device"} else 60)
    host.propose()
    path = host.root / place
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    roots = host.place / "roots"
    roots.mkdir(mode=0o755)
    KINDS[kind](path, roots)
    host.owned_by_account()
    done = host.run(str(host.root), command, ID, "branch")
    wait_for(host.is_free, "the run to end")
    assert CANARY not in done.stdout + done.stderr
    assert (host.told(), list(roots.iterdir())) == ([], [])
