"""`gm-analytics init` and `mirror-setup`, against a real sshd: from nothing to `check`."""

from __future__ import annotations

import os
import pty
import pwd
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.processes import run
from lab.site import Site
from tests.support import command_line
from tests.support.accounts import needs_another_account

PROGRAM = str(Path(sys.executable).parent / "gm-analytics")
ME = pwd.getpwuid(os.geteuid()).pw_name


@dataclass(frozen=True)
class Fresh:
    """An installation that is to be made, of a site's mirror."""

    site: Site
    place: Path

    @property
    def etc(self) -> Path:
        return self.place / "etc"

    @property
    def config(self) -> Path:
        return self.etc / "config.yaml"

    @property
    def options(self) -> list[str]:
        host = self.site.mirror.host
        given = {
            "port": host.port,
            "user": host.user,
            "root": host.root,
            "reposdir": host.reposdir,
            "url": self.site.mirror.web.url,
            "directory": self.etc,
            "state": self.place / "state",
            "account": ME,
        }
        return [word for key, value in given.items() for word in (f"--{key}", str(value))]

    @property
    def answers(self) -> list[str]:
        return ["--repository", "team/packages", "--mirror", self.site.mirror.host.host]

    def init(self, *more: str) -> subprocess.CompletedProcess[str]:
        return self.run("init", *self.options, *self.answers, *more)

    def run(self, *arguments: str, stdin: int | None = None) -> subprocess.CompletedProcess[str]:
        if stdin is None:
            return command_line.run(arguments)
        return subprocess.run(
            [PROGRAM, *arguments],
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def asked(self, answers: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run `init` on a terminal where a person gives these answers, a line each."""
        main, side = pty.openpty()
        try:
            os.write(main, answers.encode())
            return self.run("init", *self.options, *options, stdin=side)
        finally:
            os.close(main)
            os.close(side)

    @property
    def fingerprint(self) -> str:
        """The mirror's, as OpenSSH reads it on the mirror itself."""
        key = self.site.mirror.host.directory / "etc" / "host_ed25519.pub"
        return run(["ssh-keygen", "-lf", str(key)]).stdout.split()[1]

    def authorize(self) -> None:
        """Put the line that `mirror-setup` has into the mirror's authorized_keys."""
        script = self.run("mirror-setup", "--config", str(self.config)).stdout
        (line,) = re.findall(r"^key='(.*)'$", script, re.MULTILINE)
        authorized = self.site.mirror.host.directory / "etc" / "authorized_keys"
        authorized.write_text(f"{authorized.read_text()}{line}\n")


@pytest.fixture
def fresh(site: Site, tmp_path: Path) -> Fresh:
    return Fresh(site, tmp_path)


def test_what_it_makes_is_what_check_wants(fresh: Fresh) -> None:
    done = fresh.init("--host-key", fresh.fingerprint)
    assert done.returncode == 0, done.stderr
    fresh.authorize()
    github = fresh.site.github
    with fresh.config.open("a") as file:
        file.write(f"github: {{api_url: {github.api_url}, raw_url: {github.raw_url}}}\n")
    checked = fresh.run("check", "--config", str(fresh.config))
    assert checked.returncode == 0, checked.stdout
    lines = [line for line in checked.stdout.splitlines() if not line.startswith("ok")]
    nothing_runs = ("warn workers: none runs", "warn web: ")
    assert all(line.startswith(nothing_runs) for line in lines), lines
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in fresh.etc.iterdir()}
    assert modes == {
        "config.yaml": 0o640,
        "id_ed25519": 0o600,
        "known_hosts": 0o644,
        "webhook_secret": 0o600,
    }
    assert "SHA256" not in (fresh.etc / "known_hosts").read_text()


def test_it_says_what_is_left_to_do(fresh: Fresh) -> None:
    said = fresh.init("--accept-host-keys", "--public-url", "https://ci.example.com").stdout
    host = fresh.site.mirror.host
    for words in (
        f"mirror {host.host} offers the host key ssh-ed25519 {fresh.fingerprint}",
        f"ssh root@{host.host} sh -s",
        "restrict ssh-ed25519 AAAA",
        "https://github.com/team/packages/settings/hooks/new",
        "Payload URL       https://ci.example.com/ci_server/updates",
        f"cat {fresh.etc}/webhook_secret",
        f"gm-analytics check --config {fresh.config}",
        f"gm-analytics client --config {fresh.config} --mirror {host.host}",
        "/etc/yum.repos.d/gm-mirror.repo",
    ):
        assert words in said
    assert (fresh.etc / "webhook_secret").read_text().strip() not in said


def test_nothing_is_overwritten_and_what_is_missing_is_made(fresh: Fresh) -> None:
    fresh.init("--no-host-key")
    before = {path: path.read_bytes() for path in fresh.etc.iterdir()}
    (fresh.etc / "webhook_secret").unlink()
    again = fresh.init("--accept-host-keys", "--release", "8")
    assert again.returncode == 0, again.stderr
    after = {path: path.read_bytes() for path in fresh.etc.iterdir()}
    secret, known = fresh.etc / "webhook_secret", fresh.etc / "known_hosts"
    assert {path for path in after if before.get(path) != after[path]} == {secret, known}
    assert f"kept {fresh.config}" in again.stdout
    assert f"made {secret}" in again.stdout


def test_another_host_key_is_not_pinned(fresh: Fresh) -> None:
    done = fresh.init("--host-key", f"SHA256:{'A' * 43}")
    assert done.returncode == 7
    assert "--host-key says another" in done.stderr
    assert not (fresh.etc / "known_hosts").exists()


def test_a_mirror_that_does_not_answer_is_pinned_later(fresh: Fresh) -> None:
    done = fresh.init("--accept-host-keys", "--port", "1")
    assert done.returncode == 75
    assert "asking for its host key" in done.stderr
    assert "1. Prepare the mirror" in done.stdout


@pytest.mark.parametrize(
    ("missing", "said"),
    [("--repository", "give --repository"), ("--mirror", "give --mirror"), ("", "--host-key")],
)
def test_what_nobody_can_be_asked_is_an_option(missing: str, said: str, fresh: Fresh) -> None:
    given = [*fresh.answers, *(["--accept-host-keys"] if missing else [])]
    if missing:
        place = given.index(missing)
        del given[place : place + 2]
    done = fresh.run("init", *fresh.options, *given)
    assert (done.returncode, done.stderr.count("no terminal")) == (2, 1)
    assert said in done.stderr
    assert not fresh.etc.exists()


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 7)])
def test_a_person_is_asked_and_compares_the_host_key(answer: str, code: int, fresh: Fresh) -> None:
    host = fresh.site.mirror.host.host
    lines = ["no repository", "team/packages", host, "9", "https://ci.example.com", answer]
    done = fresh.asked("\n".join([*lines, ""]))
    assert done.returncode == code, done.stdout + done.stderr
    assert "expected owner/name" in done.stdout + done.stderr
    assert fresh.fingerprint in done.stdout
    assert (fresh.etc / "known_hosts").exists() == (answer == "y")
    assert "public_url: https://ci.example.com\n" in fresh.config.read_text()


def test_an_account_that_is_missing_is_told_with_its_command(fresh: Fresh) -> None:
    done = fresh.init("--no-host-key", "--account", "nobody-has-this")
    assert done.returncode == 5
    assert "useradd --system" in done.stderr
    assert not fresh.etc.exists()


# The program is read as root, since this Python may lie where no other account comes.
AS_ANOTHER = """
import getpass, importlib.readers, os, sys
from gm_analytics.cli import init
from gm_analytics.cli.commands import cli
uid, gid, umask, *arguments = sys.argv[1:]
os.setgroups([])
os.setgid(int(gid))
os.setuid(int(uid))
os.umask(int(umask))
cli(arguments)
"""


@needs_another_account
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_who_is_not_root_sets_up_for_himself(umask: int, fresh: Fresh) -> None:
    home = Path(tempfile.mkdtemp(prefix="gm-home-"))
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                AS_ANOTHER,
                str(nobody.pw_uid),
                str(nobody.pw_gid),
                str(umask),
                "init",
                *fresh.answers,
                "--no-host-key",
            ],
            env={"HOME": str(home), "PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        etc, state = home / ".config" / "gm_analytics", home / ".local" / "state"
        assert f"gm-analytics serve --config {etc}/config.yaml" in done.stdout
        assert stat.S_IMODE((state / "gm_analytics").stat().st_mode) == 0o700
        assert (etc / "id_ed25519").owner() == "nobody"
    finally:
        shutil.rmtree(home)


def test_what_a_configuration_of_before_has_is_told_of_it(fresh: Fresh) -> None:
    """Its own file of the secret, whichever other secrets it names."""
    fresh.init("--no-host-key")
    mine, database = fresh.place / "mine", fresh.place / "database"
    mine.write_text("m" * 32)
    database.write_text(f"sqlite:///{fresh.place}/updates.sqlite")
    text = fresh.config.read_text().replace(f"{fresh.etc}/webhook_secret", str(mine))
    text = re.sub("(?m)^database_url: .*$", f"database_url_file: {database}", text)
    fresh.config.write_text(text)
    said = fresh.init("--no-host-key").stdout
    assert f"what `cat {mine}` prints" in said


def test_units_run_this_installation(fresh: Fresh) -> None:
    done = fresh.init("--no-host-key", "--units", str(fresh.place / "units"))
    if PROGRAM.startswith(("/home/", "/root/")):
        assert "which the units are kept from" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    unit = (fresh.place / "units" / "gm-analytics-web.service").read_text()
    assert f"ExecStart={PROGRAM} web --host 127.0.0.1 --port 8080\n" in unit
    assert f"GM_ANALYTICS_CONFIG={fresh.config} " in unit
    if shutil.which("systemd-analyze"):
        names = map(str, (fresh.place / "units").iterdir())
        assert run(["systemd-analyze", "verify", *names]).stdout == ""


def test_answers_that_contradict_each_other_leave_no_configuration(fresh: Fresh) -> None:
    """Else each later `init` would keep it."""
    done = fresh.init("--no-host-key", "--publish", "on_merge", "--repository", "team/more")
    assert done.returncode == 2
    assert "expected one" in done.stderr
    assert not fresh.config.exists()
    assert fresh.init("--no-host-key", "--publish", "on_merge").returncode == 0


def test_the_webhook_of_an_enterprise_server_is_added_there(fresh: Fresh) -> None:
    fresh.init("--no-host-key")
    with fresh.config.open("a") as file:
        file.write("github: {api_url: https://github.example.com/api/v3}\n")
    again = fresh.init("--no-host-key")
    assert "https://github.example.com/team/packages/settings/hooks/new" in again.stdout


def test_a_mirror_is_prepared_by_a_script_that_knows_the_key(fresh: Fresh) -> None:
    fresh.init("--no-host-key")
    done = fresh.run("mirror-setup", "--config", str(fresh.config), "--from", "192.0.2.7")
    assert 'key=\'restrict,from="192.0.2.7" ssh-ed25519 ' in done.stdout
    refused = fresh.run("mirror-setup", "--config", str(fresh.config), "--from", 'x" ')
    assert refused.returncode == 2
