"""A mirror host on loopback: sshd, an ordinary account, and programs whose runs are counted.

As root, the account exists for this sshd and its sessions alone: they run in a mount namespace
where copies of the user database hold it. As an ordinary user, the account is that user.
"""

from __future__ import annotations

import atexit
import contextlib
import getpass
import itertools
import os
import pwd
import re
import secrets
import shlex
import signal
import socket
import string
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lab.processes import (
    SYSTEM_PATH,
    Daemon,
    LabError,
    find_program,
    has_program,
    is_root,
    reserve_port,
    run,
    wait_for,
)

ACCOUNT = "mirror"
COUNTED = ("dnf", "yum", "createrepo_c", "createrepo")
"""Programs whose runs are logged, where the machine has them."""
_FIRST_UID = 61_000
_GRACE = 1.0
"""Seconds that a host which goes down gives what ran there."""
_PENALTIES = (9, 8)
"""The OpenSSH version that began to lock out addresses; all of the lab shares one."""

_SHIM = string.Template("""\
#!/bin/sh
# Log this run as one line, then be the real program.
quoted() {
    case $$1 in
    '' | *[!A-Za-z0-9_@%+=:,./-]*) ;;
    *) word=$$1; return ;;
    esac
    rest=$$1 word=
    while case $$rest in *\\'*) true ;; *) false ;; esac; do
        word=$$word$${rest%%\\'*}"'\\"'\\"'"
        rest=$${rest#*\\'}
    done
    word="'$$word$$rest'"
}
line="$$(date +%s.%N) $name"
for argument do quoted "$$argument"; line="$$line $$word"; done
printf '%s\\n' "$$line" >> $log
exec $program "$$@"
""")

_SSHD_CONFIG = string.Template("""\
# sshd of the lab: one account, one key, loopback.
ListenAddress 127.0.0.1
Port $port
HostKey $etc/host_ed25519
PidFile $etc/sshd.pid
LogLevel VERBOSE
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
AuthorizedKeysFile $etc/authorized_keys
# The lab lies below /tmp, which everybody can write to.
StrictModes no
AllowUsers $user
PermitUserRC no
PrintMotd no
PrintLastLog no
MaxStartups 200:30:400
Subsystem sftp internal-sftp
SetEnv "PATH=$bin:$path" "HOME=$home"
$more
""")

# The user database of the private namespace. Nothing of it is seen outside.
_NAMESPACE = string.Template("""\
for file in passwd group shadow; do
    [ ! -e /etc/$$file ] || mount --bind $etc/$$file /etc/$$file || exit
done
if [ -d /etc/dnf/vars ]; then mount --bind $vars /etc/dnf/vars || exit; fi
if [ -e /etc/dnf/dnf.conf ]; then mount --bind $dnf_conf /etc/dnf/dnf.conf || exit; fi
# Debian's sshd wants its directory below /run, which only systemd makes; EL's has its own.
if [ ! -d /run/sshd ] && [ ! -d /usr/share/empty.sshd ]; then
    mount -t tmpfs -o mode=0755 tmpfs /run && mkdir -m 0755 /run/sshd || exit
fi
exec "$$@"
""")

_uids = itertools.count(_FIRST_UID + secrets.randbelow(3000))


@dataclass(frozen=True)
class Command:
    """One run of a counted program on the mirror host; `when` is in epoch seconds."""

    when: float
    program: str
    arguments: tuple[str, ...]

    @classmethod
    def parse(cls, words: Sequence[str]) -> Self:
        """Make it of the words of a log line."""
        return cls(float(words[0]), words[1], tuple(words[2:]))


class MirrorHost:
    """One mirror host. Everything it writes is below `directory`, which all may traverse.

    `root` is the account's own `/var/repo`, empty at first; `reposdir` is for `.repo` files.
    As root, `variables` is the `/etc/dnf/vars` of its sessions, and `dnf_conf` a copy of the
    machine's `/etc/dnf/dnf.conf`, to be changed in place.
    `tmpfs_mb` (root only) puts `root` on a file system of that size in MiB.
    """

    host = "127.0.0.1"

    def __init__(
        self, directory: Path, counted: Sequence[str] = COUNTED, tmpfs_mb: int | None = None
    ) -> None:
        self.directory = directory
        self.user = ACCOUNT if is_root() else getpass.getuser()
        self.uid = _free_uid() if is_root() else os.geteuid()
        self.gid = self.uid if is_root() else os.getegid()
        self.port = reserve_port()
        self.root = directory / "repo"
        self.reposdir = directory / "yum.repos.d"
        self.variables = directory / "vars"
        self.dnf_conf = directory / "dnf.conf"
        self.bin = directory / "bin"
        self.home = directory / "home"
        self.identity_file = directory / "client" / "id_ed25519"
        self.known_hosts = directory / "client" / "known_hosts"
        self.ssh_log = directory / "log" / "sshd.log"
        self.command_log = directory / "log" / "commands.log"
        self._etc = directory / "etc"
        self._tmpfs_mb = tmpfs_mb
        self._counted = counted
        # sshd logs to standard error, so that an error at its start carries its words.
        self._daemon = Daemon(self._argv(), self.ssh_log)

    @classmethod
    @contextlib.contextmanager
    def running(
        cls,
        directory: Path,
        counted: Sequence[str] = COUNTED,
        tmpfs_mb: int | None = None,
    ) -> Iterator[Self]:
        """Prepare and start the host; at the end stop it with all its sessions.

        Raises:
            CommandError: sshd ended, with its words.
            LabError: `tmpfs_mb` without being root, or a program is missing.

        """
        host = cls(directory, counted, tmpfs_mb)
        with host._prepared():
            host.start()
            try:
                yield host
            finally:
                host.stop()

    @property
    def pid(self) -> int:
        """The process id of sshd."""
        return self._daemon.pid

    def start(self) -> None:
        """Start sshd, on the same port each time, and wait until it listens."""
        self.ssh_log.parent.mkdir(parents=True, exist_ok=True)
        known = self._log_size()
        self._daemon.start(lambda: "Server listening on" in self._log_text(known))

    def stop(self) -> None:
        """Cut the power: sshd, its sessions and whatever they started are killed."""
        children = _descendants(self._daemon.pid) if self._daemon.running else []
        self._daemon.stop(kill=True)
        _kill(children)
        wait_for(self._kill_commands, "the sessions' programs to end")

    def shut_down(self) -> None:
        """Go down in order, as for a reboot: what sessions run gets SIGTERM, and they tell."""
        running = self._commands()
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE
        while set(self._commands()) & set(running) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.stop()

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def disconnect(self) -> int:
        """Cut the SSH connections; the programs they started live on. Gives their number."""
        sessions = [
            pid for pid in _descendants(self._daemon.pid) if _program(pid).startswith("sshd")
        ]
        _kill(sessions)
        return len(sessions)

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stop sshd and its sessions, as a host that swaps does; then let them go on."""
        pids = [self._daemon.pid, *_descendants(self._daemon.pid)]
        _signal(pids, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(pids, signal.SIGCONT)

    def ssh(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command as the account with the system's own SSH client.

        The words are quoted for the remote shell. Raises CommandError with `check`.
        """
        options = {
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": str(self.known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
        }
        words = [word for item in options.items() for word in ("-o", "=".join(item))]
        target = ["-p", str(self.port), "-i", str(self.identity_file), f"{self.user}@{self.host}"]
        command = ["ssh", "-F", "none", *words, *target, shlex.join(argv)]
        return run(command, check=check)

    def accepted_connections(self) -> int:
        """Count the logins so far, from sshd's log."""
        return len(re.findall(r"^Accepted publickey for ", self._log_text(0), re.MULTILINE))

    def commands(self, *programs: str) -> tuple[Command, ...]:
        """Give the runs of the counted programs so far, all or those of the named ones."""
        found = map(Command.parse, _records(self.command_log.read_text(errors="replace")))
        return tuple(one for one in found if not programs or one.program in programs)

    def clear_commands(self) -> None:
        """Forget the runs so far."""
        self.command_log.write_text("")

    def install_program(self, name: str, script: str, logged: bool = True) -> Path:
        """Put a program of a test's own before the machine's; its runs are logged as well.

        `script` begins with `#!`. It finds the machine's program below /usr/bin by its path.
        """
        fake = self.bin / "fake" / name
        fake.parent.mkdir(exist_ok=True)
        _write_program(fake, script)
        if not logged:
            return _replace_program(self.bin / name, fake)
        self._write_shim(name, str(fake))
        return self.bin / name

    def restore_program(self, name: str) -> None:
        """Undo `install_program`: the machine's program again, counted if it was."""
        (self.bin / name).unlink(missing_ok=True)
        if name in self._counted and has_program(name):
            self._write_shim(name, find_program(name))

    @contextlib.contextmanager
    def logging_in(self, shell: str, files: Mapping[str, str]) -> Iterator[None]:
        """Give the account another shell and files in its home, for a while (root only)."""
        users = self._etc / "passwd"
        known = users.read_text()
        # In place, since the file is mounted for sshd.
        users.write_text(re.sub(rf"(?m)^({self.user}:.*:)[^:]*$", rf"\g<1>{shell}", known))
        for name, text in files.items():
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).write_text(text)
        self.owned_by_account(self.home)
        try:
            yield
        finally:
            users.write_text(known)
            for name in files:
                (self.home / name).unlink()

    @contextlib.contextmanager
    def saying(self, file: str, *changes: tuple[str, str]) -> Iterator[None]:
        """Have a file of sshd's say something else for a while: pairs of texts."""
        path = self._etc / file
        known = text = path.read_text()
        for old, new in changes:
            text = text.replace(old, new)
        path.write_text(text)
        self.restart()
        try:
            yield
        finally:
            path.write_text(known)
            self.restart()

    def owned_by_account(self, path: Path) -> None:
        """Give a file or a directory with all that is in it to the account."""
        if not is_root():
            return
        for item in (path, *path.rglob("*")):
            os.chown(item, self.uid, self.gid, follow_symlinks=False)

    @contextlib.contextmanager
    def _prepared(self) -> Iterator[None]:
        self._make_directories()
        with self._disk():
            self._make_keys()
            if is_root():
                self._write_user_database()
            self._write_sshd_config()
            for name in filter(has_program, self._counted):
                self._write_shim(name, find_program(name))
            yield

    def _make_directories(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o711)
        for place in (
            self._etc,
            self.bin,
            self.reposdir,
            self.variables,
            self.root,
            self.home,
            self.ssh_log.parent,
        ):
            place.mkdir(exist_ok=True)
            place.chmod(0o755)
        self.identity_file.parent.mkdir(mode=0o700)
        known = Path("/etc/dnf/dnf.conf")
        self.dnf_conf.write_text(known.read_text() if known.exists() else "[main]\n")
        self.dnf_conf.chmod(0o644)
        self.command_log.touch()
        for own in (self.root, self.home, self.command_log):
            self.owned_by_account(own)

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        if self._tmpfs_mb is None:
            yield
            return
        if not is_root():
            raise LabError("making a small file system: only root can mount one")
        options = f"size={self._tmpfs_mb}m,mode=0755,uid={self.uid},gid={self.gid}"
        run(["mount", "-t", "tmpfs", "-o", options, "lab", str(self.root)])
        try:
            yield
        finally:
            run(["umount", "--lazy", str(self.root)])

    def _make_keys(self) -> None:
        for path in (self._etc / "host_ed25519", self.identity_file):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)])
        public = self.identity_file.with_suffix(".pub").read_text()
        authorized = self._etc / "authorized_keys"
        authorized.write_text(f"restrict {public}")
        host_key = (self._etc / "host_ed25519.pub").read_text().split()[:2]
        self.known_hosts.write_text(f"[{self.host}]:{self.port} {' '.join(host_key)}\n")

    def _write_user_database(self) -> None:
        lines = {
            "passwd": f"{self.user}:x:{self.uid}:{self.gid}:lab:{self.home}:/bin/sh",
            "group": f"{self.user}:x:{self.gid}:",
            # `*` is no password and, unlike `!`, does not lock the account.
            "shadow": f"{self.user}:*:19000:0:99999:7:::",
        }
        for name, line in lines.items():
            real = Path("/etc") / name
            others = [
                entry
                for entry in (real.read_text().splitlines() if real.exists() else [])
                if not entry.startswith(f"{self.user}:")
            ]
            copy = self._etc / name
            copy.touch(mode=0o600 if name == "shadow" else 0o644)
            copy.write_text("\n".join([*others, line, ""]))

    def _write_sshd_config(self) -> None:
        values = {
            "port": str(self.port),
            "etc": str(self._etc),
            "user": self.user,
            "bin": str(self.bin),
            "path": SYSTEM_PATH,
            "home": str(self.home),
            "more": "PerSourcePenalties no" if _openssh_version() >= _PENALTIES else "",
        }
        (self._etc / "sshd_config").write_text(_SSHD_CONFIG.substitute(values))
        places = {"vars": self.variables, "dnf_conf": self.dnf_conf}
        namespace = _NAMESPACE.substitute(etc=self._etc, **places)
        (self._etc / "namespace.sh").write_text(namespace)

    def _argv(self) -> list[str]:
        sshd = [find_program("sshd"), "-D", "-e", "-f", str(self._etc / "sshd_config")]
        if not is_root():
            return sshd
        private = ["unshare", "--mount", "--propagation", "private"]
        return [*private, "sh", str(self._etc / "namespace.sh"), *sshd]

    def _write_shim(self, name: str, program: str) -> None:
        values = {"name": name, "log": shlex.quote(str(self.command_log))}
        _write_program(self.bin / name, _SHIM.substitute(values, program=shlex.quote(program)))

    def _kill_commands(self) -> bool:
        """Kill what the sessions left running; tell whether there was nothing."""
        left = self._commands()
        _kill(left)
        return not left

    def _commands(self) -> list[int]:
        """Give the processes that the sessions run."""
        return [pid for pid in _pids() if _has_environment(pid, f"PATH={self.bin}:{SYSTEM_PATH}")]

    def _log_size(self) -> int:
        return self.ssh_log.stat().st_size if self.ssh_log.exists() else 0

    def _log_text(self, start: int) -> str:
        if not self.ssh_log.exists():
            return ""
        return self.ssh_log.read_bytes()[start:].decode(errors="replace")


def _free_uid() -> int:
    """Give a user id that no account, process or other lab of the machine has."""
    used = {entry.pw_uid for entry in pwd.getpwall()}
    for pid in _pids():
        with contextlib.suppress(OSError):
            used.add(Path(f"/proc/{pid}").stat().st_uid)
    return next(uid for uid in _uids if uid not in used and _reserve(uid))


def _reserve(uid: int) -> bool:
    """Keep a user id for this process until it ends; tell whether no other lab has it."""
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0gm-lab-uid-{uid}")
    except OSError:
        holder.close()
        return False
    atexit.register(holder.close)
    return True


def _openssh_version() -> tuple[int, ...]:
    done = run(["ssh", "-V"])
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", done.stdout + done.stderr)
    return tuple(map(int, found.groups())) if found else (0, 0)


def _records(text: str) -> Iterator[list[str]]:
    """Split the command log: a line, or several where a quoted word has line ends."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        try:
            words = shlex.split(pending)
        except ValueError:
            continue
        yield words
        pending = ""


def _write_program(path: Path, text: str) -> None:
    """Write an executable in one step: the old one may be running."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.chmod(0o755)
    fresh.replace(path)


def _replace_program(path: Path, target: Path) -> Path:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    return path


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _has_environment(pid: int, setting: str) -> bool:
    try:
        return setting.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _stat(pid: int) -> tuple[str, int]:
    """Give a process' program name and parent; ("", 0) when it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return "", 0
    name = text[text.index("(") + 1 : text.rindex(")")]
    return name, int(text[text.rindex(")") + 1 :].split()[1])


def _program(pid: int) -> str:
    return _stat(pid)[0]


def _descendants(pid: int) -> list[int]:
    parents = {child: _stat(child)[1] for child in _pids()}
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        children = [child for child, parent in parents.items() if parent == current]
        found += children
        queue += children
    return found


def _kill(pids: Sequence[int]) -> None:
    _signal(pids, signal.SIGKILL)


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
