"""`check` says what is wrong with an installation, and what to do, before an update finds out."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from gm_analytics import settings
from gm_analytics.errors import MirrorUnreachable, NoUpstream, SessionsRefused
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.session import Session
from gm_analytics.operations import check
from gm_analytics.operations.findings import Finding
from gm_analytics.service import Service
from lab.processes import SYSTEM_PATH, reserve_port, run
from lab.site import Mirror, Site
from lab.site import Service as Processes
from tests.integration.conftest import Cli, at_once, manifest, needs_root
from tests.support.serving import Quiet, serving

pytestmark = needs_root
QUICK = "#!/bin/sh\ncase $* in *--version*) echo 4.14.0 ;; esac\n"
"""A dnf that finds nothing wrong, for what has nothing to do with it."""
Broken = AbstractContextManager[dict[str, Any]]
"""A mirror with something wrong, and what its configuration has in place of the lab's."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.running() as running:
        inside = Service(settings.Settings.model_validate(running.settings()))
        wanted = Manifest.parse(manifest("tree").encode())
        inside.operations.apply(wanted, running.mirror.name, at_once())
        yield running


@pytest.fixture(scope="module")
def new(site: Site) -> Mirror:
    """A mirror on which nothing is published yet, on a small disk of its own."""
    return site.add_mirror("new.example", tmpfs_mb=4)


def findings(site: Site, mirror: Mirror, **changes: Any) -> list[Finding]:
    """Check one mirror."""
    given = site.settings(mirrors=[mirror.settings(**changes)])
    config = settings.Settings.model_validate(given)
    found = check.run(config, lambda: "there", lambda: "lab")
    return [one for one in found if one.subject.startswith("mirror ")]


def bad(found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.severity != "ok"]


# --- what is wrong ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A mistake, and the line that tells of it."""

    breaks: Callable[[Site, Mirror], Broken]
    subject: str
    said: str
    hint: str
    severity: str = "fail"
    real: bool = False
    """Whether the real dnf has to run."""


def configured(**changes: Any) -> Callable[[Site, Mirror], Broken]:
    """The configuration says something else; `{}` is the lab's directory."""

    def filled(value: Any, site: Site) -> Any:
        if isinstance(value, dict):
            return {key: filled(part, site) for key, part in value.items()}
        return value.format(site.directory) if isinstance(value, str) else value

    return lambda site, _: nullcontext(filled(changes, site))


@contextmanager
def replaced(path: Path, text: str | None, mode: int = 0o644) -> Iterator[None]:
    """Another text in the place of a file, or no file."""
    known, kept = path.read_bytes(), path.stat().st_mode
    path.unlink()
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    try:
        yield
    finally:
        path.write_bytes(known)
        path.chmod(kept & 0o777)


def upstream(change: Callable[[str], str | None], mode: int = 0o644) -> Callable[..., Broken]:
    """Upstream's repository file says something else."""

    @contextmanager
    def broken(_: Site, mirror: Mirror) -> Iterator[dict[str, Any]]:
        path = mirror.host.reposdir / "upstream.repo"
        with replaced(path, change(path.read_text()), mode):
            yield {}

    return broken


def known_hosts(change: Callable[[str], str | None]) -> Callable[..., Broken]:
    @contextmanager
    def broken(_: Site, mirror: Mirror) -> Iterator[dict[str, Any]]:
        with replaced(mirror.host.known_hosts, change(mirror.host.known_hosts.read_text())):
            yield {}

    return broken


def sshd(file: str, *changes: tuple[str, str]) -> Callable[..., Broken]:
    @contextmanager
    def broken(_: Site, mirror: Mirror) -> Iterator[dict[str, Any]]:
        with mirror.host.saying(file, *changes):
            yield {}

    return broken


def nginx(*changes: tuple[str, str]) -> Callable[..., Broken]:
    @contextmanager
    def broken(_: Site, mirror: Mirror) -> Iterator[dict[str, Any]]:
        filled = [(old.replace("@root@", str(mirror.host.root)), new) for old, new in changes]
        with mirror.web.saying(*filled):
            yield {}

    return broken


def in_the_root(
    do: Callable[[Path], object], undo: Callable[[Path], object]
) -> Callable[..., Broken]:
    @contextmanager
    def broken(_: Site, mirror: Mirror) -> Iterator[dict[str, Any]]:
        do(mirror.host.root)
        try:
            yield {}
        finally:
            undo(mirror.host.root)
            mirror.host.owned_by_account(mirror.host.root)

    return broken


def remount(root: Path, option: str) -> None:
    run(["mount", "-o", f"remount,{option}", str(root)])


def remounted(option: str, back: str) -> Callable[..., Broken]:
    return in_the_root(lambda root: remount(root, option), lambda root: remount(root, back))


def take_inodes(root: Path) -> None:
    (root / "filler").mkdir()
    with suppress(OSError):
        for number in range(200):
            (root / "filler" / str(number)).touch()


def program(name: str, text: str) -> Callable[..., Broken]:
    @contextmanager
    def broken(_: Site, mirror: Mirror) -> Iterator[dict[str, Any]]:
        mirror.host.install_program(name, text, logged=False)
        try:
            yield {}
        finally:
            mirror.host.restore_program(name)

    return broken


@contextmanager
def without_createrepo(_: Site, mirror: Mirror) -> Iterator[dict[str, Any]]:
    """All programs of the host but createrepo."""
    tools = mirror.host.directory / "tools"
    tools.mkdir()
    for place in (mirror.host.bin, *map(Path, SYSTEM_PATH.split(":"))):
        for found in place.iterdir() if place.is_dir() else ():
            if not found.name.startswith("createrepo") and not (tools / found.name).exists():
                (tools / found.name).symlink_to(found)
    path = f"PATH={mirror.host.bin}:{SYSTEM_PATH}"
    try:
        with sshd("sshd_config", (path, f"PATH={tools}"))(_, mirror):
            yield {}
    finally:
        shutil.rmtree(tools)


def shell(path: str) -> Callable[..., Broken]:
    @contextmanager
    def broken(_: Site, mirror: Mirror) -> Iterator[dict[str, Any]]:
        with mirror.host.logging_in(path, {}):
            yield {}

    return broken


@contextmanager
def answering(answer: Callable[[str], tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    """A server of ours; gives its address."""

    class Handler(Quiet):
        def do_GET(self) -> None:  # noqa: N802  # http.server calls it so
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as url:
        yield f"{url}/"


@contextmanager
def old_cache(_: Site, mirror: Mirror) -> Iterator[dict[str, Any]]:
    """A cache in front of the mirror that has an older repomd.xml, and gives it."""

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        if path == "/repodata/repomd.xml":
            return 200, {"Age": "3600", "Via": "1.1 squid.example (squid/5.7)"}, b"<repomd/>"
        reply = requests.get(f"{mirror.web.url}{path[1:]}", timeout=5)
        return reply.status_code, {}, reply.content

    with answering(answer) as address:
        yield {"url": address}


@contextmanager
def password(_: Site, mirror: Mirror) -> Iterator[dict[str, Any]]:
    with answering(lambda _: (401, {"WWW-Authenticate": "Basic"}, b"")) as address:
        change = lambda text: re.sub(r"(?m)^baseurl=.*$", f"baseurl={address}", text)  # noqa: E731
        with upstream(change)(_, mirror):
            yield {}


@contextmanager
def identity(_: Site, mirror: Mirror, *options: str, text: str = "") -> Iterator[dict[str, Any]]:
    """Another key in the place of the service's."""
    path = mirror.host.directory / "client" / "other"
    if text:
        path.write_text(text)
    else:
        run(["ssh-keygen", "-q", "-t", "ed25519", *(options or ("-N", "")), "-f", str(path)])
    try:
        yield {"identity_file": str(path)}
    finally:
        path.unlink()
        path.with_suffix(".pub").unlink(missing_ok=True)


@contextmanager
def below_a_closed_directory(site: Site, _: Mirror) -> Iterator[dict[str, Any]]:
    closed = site.directory / "closed"
    closed.mkdir(mode=0o700)
    try:
        yield {"root": str(closed / "repo")}
    finally:
        closed.rmdir()


def given_to_root(name: str) -> Callable[..., Broken]:
    return in_the_root(
        lambda root: os.chown(root / name, 0, 0), lambda root: (root / name).exists()
    )


def same_key(text: str) -> str:
    return " ".join(text.split()[1:3])


def other_key(text: str) -> str:
    key = b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode()
    return f"{text.split(maxsplit=1)[0]} ssh-ed25519 {key}\n"


SCAN = r"ssh-keyscan -t ed25519 -p \d+ 127\.0\.0\.1"
LIVE = {
    # --- where packages come from ---
    "no repository file": Case(
        upstream(lambda _: None), "upstream", r"no repository is enabled in /", r"\.repo file"
    ),
    "no directory of repository files": Case(
        configured(upstream={"reposdir": "{}/none"}),
        "upstream", r"there is no /\S+none", "reposdir",
    ),
    "no repository that is enabled": Case(
        upstream(lambda text: text.replace("enabled=1", "enabled=0")),
        "upstream", "no repository is enabled", "reposdir",
    ),
    "a repository file that the account cannot read": Case(
        upstream(lambda text: text, 0o600),
        "upstream", r"mirror cannot read /\S+/upstream\.repo", "can read",
    ),
    "a repository file that is none": Case(
        upstream(lambda text: f"[upstream\n{text}"), "upstream", "upstream.repo", "", real=True
    ),
    "a repository that wants a password": Case(
        password, "upstream", "401", "whom upstream lets in", real=True
    ),
    # --- the web server ---
    "a web server of another root": Case(
        configured(url="{}"), "web", r"does not serve /\S+: .* 404", "Have it serve /"
    ),
    "a web server that forbids links": Case(
        nginx(("if_not_owner from=@root@", "on")),
        "web", r"serves /\S+, but follows no links there: 40[34]", "FollowSymLinks",
    ),
    "a web server that may not read the root": Case(
        in_the_root(lambda root: root.chmod(0o700), lambda root: root.chmod(0o755)),
        "web", r"does not serve /\S+: .* 40[34]", "",
    ),
    "a web server that redirects": Case(
        nginx(("server_tokens off;", "server_tokens off; return 301 https://other.example$uri;")),
        "web", "301 Moved Permanently: it redirects", r"Give mirrors\[\]\.url",
    ),
    "a web server that is away": Case(
        configured(url="http://127.0.0.1:9/"), "web", "/: Connection refused$", "See that it is up"
    ),
    "a cache that goes on with the old": Case(
        old_cache, "web", r"a cache answered \(Age: 3600; Via: 1\.1 squid\.example", "no-cache"
    ),
    # --- the login ---
    "a nologin shell": Case(
        shell("/usr/sbin/nologin"), "", "the login ran no command: exit code 1", "chsh -s /bin/sh"
    ),
    "a forced command": Case(
        sshd("authorized_keys", ("restrict ", 'restrict,command="echo backup only" ')),
        "", "ran no command: exit code 0; it printed: backup only", "ForceCommand",
    ),
    "sftp alone": Case(
        sshd("sshd_config", ("UseDNS no", "UseDNS no\nForceCommand internal-sftp")),
        "", "ran no command", "ForceCommand",
    ),
    "sessions: one": Case(
        sshd("sshd_config", ("UseDNS no", "UseDNS no\nMaxSessions 1")),
        "sessions", "refuses another session", "MaxSessions 10",
    ),
    "a key that is not accepted": Case(
        identity, "", r"does not accept the service's key /\S+: .*Authentication failed",
        r"Append `restrict ssh-ed25519 AAAA",
    ),
    "a key with a passphrase": Case(
        lambda site, mirror: identity(site, mirror, "-N", "a passphrase"),
        "", "cannot be used: it has a passphrase", "ssh-keygen -t ed25519 -N ''",
    ),
    "a key that is none": Case(
        lambda site, mirror: identity(site, mirror, text="nonsense\n"),
        "", "cannot be used: ", "ssh-keygen",
    ),
    "no key": Case(
        configured(identity_file="{}/none"),
        "", r"/none cannot be used: No such file", "ssh-keygen",
    ),
    # --- the host's key ---
    "no known_hosts": Case(
        known_hosts(lambda _: None), "", r"reading /\S+known_hosts: No such file", SCAN
    ),
    "a known_hosts without the host": Case(
        known_hosts(lambda text: f"other.example {same_key(text)}\n"),
        "", r"SHA256:\S+ of \S+ is not in /\S+known_hosts$", SCAN,
    ),
    "a host whose key has changed": Case(
        known_hosts(other_key),
        "", "is not the one in .*: it has changed, or this is another", SCAN,
    ),
    "a key that is revoked": Case(
        known_hosts(lambda text: f"{text}@revoked * {same_key(text)}\n"), "", "is revoked in", SCAN
    ),
    "a certificate authority of hosts": Case(
        known_hosts(lambda text: f"@cert-authority * {same_key(text)}\n"),
        "", r"certificates of hosts \(@cert-authority\) are not checked", SCAN,
    ),
    "a known_hosts that is damaged": Case(
        known_hosts(lambda text: text.replace("AAAA", "!!!!")),
        "", "what line 1 has cannot be read", SCAN,
    ),
    # --- the root ---
    "no root": Case(
        configured(root="{}/none"), "root", r"there is no /\S+/none", "sudo install -d -o mirror"
    ),
    "a root that is a file": Case(
        configured(root="/etc/passwd"), "root", "/etc/passwd is a file", "Move it away"
    ),
    "a root below a closed directory": Case(
        below_a_closed_directory, "root", r"may not enter /\S+closed", "sudo chmod a"
    ),
    "a root of another owner": Case(
        in_the_root(lambda root: os.chown(root, 0, 0), lambda _: None),
        "root", r"making a directory: Permission denied; it belongs to root", "chown -R mirror:",
    ),
    "a lock of another owner": Case(
        given_to_root(".lock"),
        "root", r"\.lock belongs to root, and mirror cannot write it", "chown",
    ),
    "staging of another owner": Case(
        given_to_root(".staging"), "root", r"\.staging belongs to root", "chown -R"
    ),
    "a package that the account cannot read": Case(
        in_the_root(
            lambda root: [os.chown(p, 0, 0) or p.chmod(0o600) for p in root.glob("tree-*.rpm")],
            lambda root: [p.chmod(0o644) for p in root.glob("tree-*.rpm")],
        ),
        "root", r"cannot read /\S+/tree-\S+\.rpm", "chown",
    ),
    # --- the programs and the clock ---
    "no createrepo": Case(
        without_createrepo, "tools", "not installed: createrepo_c or createrepo", "Install it on"
    ),
    "a dnf that is too old": Case(
        program("dnf", "#!/bin/sh\necho 3.0.1\n"),
        "tools", r"dnf\S* is version 3\.0\.1; 4\.0\.0 is the oldest", "Update it", "warn",
    ),
    "a clock that is wrong": Case(
        program("date", '#!/bin/sh\nexec /bin/date --date="1 hour" "$@"\n'),
        "clock", r"it is 3,[56]\d\d s ahead of this host's", "chrony", "warn",
    ),
}  # fmt: skip
NEW = {
    "a web server of another root, and nothing live": Case(
        configured(url="{}"), "web", r"does not serve /\S+: .* 404", "Have it serve /"
    ),
    "a web server that forbids links, and nothing live": Case(
        nginx(("if_not_owner from=@root@", "on")),
        "web", r"serves /\S+, but follows no links there", "FollowSymLinks",
    ),
    "a root that is read-only": Case(
        remounted("ro", "rw"), "root", "making a directory: Read-only file system", "Mount it writ"
    ),
    "a disk that is full": Case(
        in_the_root(
            lambda root: run(["dd", "if=/dev/zero", f"of={root}/filler", "bs=64k"], check=False),
            lambda root: (root / "filler").unlink(),
        ),
        "root", "writing a file: .*No space left on device", "df -h",
    ),
    "no inodes": Case(
        in_the_root(
            lambda root: (remount(root, "nr_inodes=100"), take_inodes(root)),
            lambda root: (shutil.rmtree(root / "filler"), remount(root, "nr_inodes=10000")),
        ),
        "root", "making a directory: No space left on device", "df -i",
    ),
    "few inodes": Case(
        remounted("nr_inodes=500", "nr_inodes=10000"), "disk", r"but 4\d\d inodes", "df -i"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [*LIVE, *NEW])
def test_what_is_wrong_has_a_line_with_its_cure(site: Site, new: Mirror, name: str) -> None:
    case, mirror = (LIVE[name], site.mirror) if name in LIVE else (NEW[name], new)
    with ExitStack() as stack:
        if not case.real:
            mirror.host.install_program("dnf", QUICK)
            stack.callback(mirror.host.restore_program, "dnf")
        changes = dict(stack.enter_context(case.breaks(site, mirror)))
        if changes.get("url") == str(site.directory):
            changes["url"] = site.upstream_web.url
        changes.setdefault("disk_reserve", 0)
        found = bad(findings(site, mirror, **changes))
    subject = f"mirror {mirror.name} {case.subject}".rstrip()
    told = [one for one in found if one.subject == subject]
    assert told, found
    assert re.search(case.said, told[0].said), told
    assert re.search(case.hint, told[0].hint), told
    assert told[0].severity == case.severity
    assert len(told[0].text) < 1500
    assert "Traceback" not in told[0].text
    assert not list(mirror.host.root.glob("gm-check.*")), "the probe has gone"


# --- what is not wrong ------------------------------------------------------------------------

GOOD: dict[str, Callable[[Site, Mirror], Broken]] = {
    "nothing": configured(),
    "sessions: two": sshd("sshd_config", ("UseDNS no", "UseDNS no\nMaxSessions 2")),
    "no sftp": sshd("sshd_config", ("Subsystem sftp internal-sftp", "")),
    "wildcards": known_hosts(lambda text: f"!other.*,[127.*.0.?]:* {same_key(text)}\n"),
    "a host without its port": known_hosts(lambda text: f"127.0.0.1 {same_key(text)}\n"),
    "a second key of the host": known_hosts(lambda text: other_key(text) + text),
    "lines of others that are damaged": known_hosts(
        lambda text: f"garbage\n@cert-authority *.example.com ssh-rsa !\nx y\n{text}"
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_not_wrong_is_no_finding(site: Site, name: str) -> None:
    """And an update goes through the same way."""
    mirror = site.mirror
    with GOOD[name](site, mirror) as changes:
        mirror.host.install_program("dnf", QUICK)
        found = findings(site, mirror, **changes)
        mirror.host.restore_program("dnf")
        with Session(settings.Mirror.model_validate(mirror.settings()), service="lab") as session:
            session.survey()
            for _ in range(8):
                session.host.run(("true",), "doing nothing")
    assert bad(found) == []
    assert not list(mirror.host.root.glob("gm-check.*"))


def test_an_update_that_runs_is_no_failure(site: Site) -> None:
    with Session(settings.Mirror.model_validate(site.mirror.settings()), service="lab") as session:
        session.survey()
        assert bad(findings(site, site.mirror)) == []


def test_a_root_without_execution_is_none(site: Site, new: Mirror) -> None:
    with remounted("noexec", "exec")(site, new):
        assert bad(findings(site, new, disk_reserve=0)) == []


def test_files_of_fabric_and_a_home_that_is_closed_do_not_matter(
    site: Site, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / ".fabric.yaml").write_text("{ this is: [no yaml")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n  ProxyCommand false\n")
    tmp_path.chmod(0)
    command = str(Path(sys.executable).parent / "gm-analytics")
    environment = {**os.environ, "HOME": str(tmp_path)}
    argv = [command, "check", "--config", str(site.config(mirrors=[site.mirror.settings()]))]
    with program("dnf", QUICK)(site, site.mirror):
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    tmp_path.chmod(0o700)
    assert "FAIL" not in done.stdout, done.stdout
    assert done.returncode == 0, done.stderr


def test_a_configuration_that_is_newer_than_the_process_is_told(site: Site, cli: Cli) -> None:
    listen = f"127.0.0.1:{reserve_port()}"
    config = site.config(mirrors=[site.mirror.settings()], operator_listen=listen)
    with program("dnf", QUICK)(site, site.mirror), Processes.running(site, config):
        before = cli("check").stdout
        os.utime(config, None)
        after = cli("check").stdout
        told = json.loads(cli("check", "--json").stdout)
    said = r"warn workers: \S+ \(process \d+ .*\) began before \S+ was written, .*\. Restart it"
    assert not re.search(said, before)
    assert re.search(said, after), after
    assert {key for one in told for key in one} == {"subject", "severity", "said", "hint"}
    newer = {one["subject"]: one["severity"] for one in told if "before" in one["said"]}
    assert newer == {"workers": "warn", "web": "warn"}


# --- and the update ---------------------------------------------------------------------------


def error_of(site: Site, mirror: Mirror, name: str, **changes: Any) -> Exception | None:
    config = site.settings(mirrors=[mirror.settings(**changes)])
    operations = Service(settings.Settings.model_validate(config)).operations
    try:
        operations.apply(Manifest.parse(manifest(name).encode()), mirror.name, at_once())
    except Exception as error:
        return error
    return None


def test_without_a_repository_no_package_is_called_unknown(site: Site, new: Mirror) -> None:
    """As on Debian, which has no repository file."""
    with LIVE["no repository file"].breaks(site, new):
        error = error_of(site, new, "tree", disk_reserve=0)
    assert isinstance(error, NoUpstream), error
    assert "no repository is enabled" in str(error)
    assert "/" not in error.public


def test_an_update_names_an_sshd_that_allows_one_session(site: Site) -> None:
    """It does not wait for it for a day."""
    with LIVE["sessions: one"].breaks(site, site.mirror):
        error = error_of(site, site.mirror, "leaf01")
    assert isinstance(error, SessionsRefused), error
    assert not error.transient


def test_an_update_waits_for_a_key_to_be_accepted(site: Site) -> None:
    with identity(site, site.mirror) as changes:
        error = error_of(site, site.mirror, "leaf01", **changes)
    assert isinstance(error, MirrorUnreachable)
    assert error.waits_for == "mirror"
