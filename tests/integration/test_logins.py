"""Commands are the same whatever the shell of the account is, and whatever it prints."""

from __future__ import annotations

import logging
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gm_analytics.errors import CommandFailed, CommandTimedOut, LoginUnusable
from gm_analytics.remote import channel, commands, ssh
from gm_analytics.settings import Mirror
from lab.site import Site
from tests.integration.conftest import Cli, manifest, needs_root

pytestmark = needs_root

CLEAR = "\033[H\033[2J"
HOSTILE = "export CDPATH=/:/usr LANGUAGE=es_CO:es LANG=es_CO.UTF-8 GREP_OPTIONS=-v\n"
SHELLS = {
    "dash": ("/bin/dash", {}),
    "bash": ("/bin/bash", {".bashrc": f"echo 'Welcome, $(id) `id` é'; {HOSTILE}"}),
    "bash without a line end": ("/bin/bash", {".bashrc": f"printf '{CLEAR}%s' hello\n"}),
    "bash that complains": ("/bin/bash", {".bashrc": "nope-not-there\nstty sane\n"}),
    "tcsh": ("/usr/bin/tcsh", {".cshrc": "echo from csh\nsetenv LANGUAGE es\nset noglob\n"}),
    "fish": ("/usr/bin/fish", {".config/fish/config.fish": "echo from fish\nset -gx LANG es\n"}),
    "zsh": ("/usr/bin/zsh", {".zshenv": "echo from zsh; setopt extended_glob\n"}),
}


@pytest.fixture
def connection(site: Site) -> Iterator[ssh.Connection]:
    opened = ssh.Connection(Mirror.model_validate(site.mirror.settings()))
    yield opened
    opened.close()


@pytest.mark.parametrize("name", SHELLS)
def test_every_shell_runs_the_same(
    site: Site, connection: ssh.Connection, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    shell, files = SHELLS[name]
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    words = ("it's", '"', "$HOME", "!x !!", "a\nb", "\\", "\\'", "*", "é", "{a,b}", "~", "")
    heard: list[str] = []
    connection.hear = heard.append
    place = f"{site.mirror.host.home}/file"
    with site.mirror.host.logging_in(shell, files), caplog.at_level(logging.WARNING):
        said = connection.run(("printf", r"%s\0", *words), "printing", 10)
        assert said.stdout.split("\0")[:-1] == list(words)
        assert said.stderr == ""
        connection.put(place, "it's é\n" * 5)
        assert connection.get(place, 100) == ("it's é\n" * 5).encode()
        assert connection.run(("cat",), "reading nothing", 10).stdout == ""
        failed = connection.run(("sh", "-c", "echo out; echo err >&2; exit 7"), "failing", 10)
        assert (failed.exited, failed.stdout, failed.stderr) == (7, "out\n", "err\n")
        known = connection.run(("env",), "looking", 10).stdout
    names = {line.partition("=")[0] for line in known.splitlines()}
    assert names <= {"GM_MARK", "LC_ALL", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR"}
    assert "LC_ALL=C\n" in known
    printed = connection.printed_by_login
    assert bool(printed) == bool(files)
    told = f"skipped what the login prints: {printed}"
    assert [line for line in heard if line != "err"] == [told] * bool(files)
    assert caplog.text.count("skipped what the login prints") == bool(files)
    assert printed.isprintable()


def test_functions_and_options_in_the_environment_change_no_command(tmp_path: Path) -> None:
    """As start files export them, where /bin/sh is bash: on EL."""
    exported = ["SHELLOPTS=noglob:noclobber", "CDPATH=/usr"]
    exported += [f"BASH_FUNC_{name}%%=() {{ echo stolen; }}" for name in ("head", "timeout")]
    argv = commands.run(("sh", "-c", "echo ours > $0; echo $0*", f"{tmp_path}/made"), 10, "gm-run")
    (tmp_path / "made").touch()
    text = commands.program("gm-run", argv)
    bash = 'mount --bind "$(command -v bash)" "$(readlink -f /bin/sh)"; exec env "$@"'
    become = ["unshare", "--mount", "--propagation", "private", "sh", "-c", bash, "sh", *exported]
    done = subprocess.run(
        [*become, "bash", "-c", commands.login("gm-run", len(text))],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.endswith(f"\ngm-run\n{tmp_path}/made\n"), done


def test_proxies_of_the_login_count(site: Site, connection: ssh.Connection) -> None:
    files = {".bashrc": "export https_proxy='http://a b' no_proxy=x,y NO=z\n"}
    with site.mirror.host.logging_in("/bin/bash", files):
        known = connection.run(("env",), "looking", 10).stdout.splitlines()
    assert {"https_proxy=http://a b", "no_proxy=x,y"} < set(known)
    assert "NO=z" not in known


def test_an_update_is_published_whatever_a_login_prints(site: Site, cli: Cli) -> None:
    with site.mirror.host.logging_in(
        "/bin/bash", {".bashrc": f"printf '{CLEAR}hello'; {HOSTILE}"}
    ):
        done = cli("apply", "-", stdin=manifest("tree"))
        assert done.returncode == 0, done.stderr
        checked = cli("check")
    assert done.stdout.splitlines()[-1].startswith("published: ")
    assert "skipped what the login prints: hello" in done.stderr
    lines = [line for line in checked.stdout.splitlines() if " login" in line]
    assert len(lines) == 1, checked.stdout
    assert "hello" in lines[0]


@pytest.mark.parametrize("locked", [True, False])
@pytest.mark.parametrize(
    ("shell", "files", "said"),
    [
        ("/usr/sbin/nologin", {}, r"exit code 1; it printed: This account is currently not av"),
        ("/bin/false", {}, r"exit code 1; it printed: nothing"),
        ("/bin/bash", {".bashrc": "echo closed for today; exit 3\n"}, r"code 3; .*: closed for"),
        ("/bin/bash", {".bashrc": "while :; do echo Welcome; done\n"}, r"without an end.*Welcome"),
    ],
)
def test_a_login_that_runs_nothing_is_told_in_its_own_words(
    site: Site, shell: str, files: dict[str, str], said: str, locked: bool
) -> None:
    """It does not wait for ever, and is not tried again."""
    connection = ssh.Connection(Mirror.model_validate(site.mirror.settings()), locked=locked)
    began = time.monotonic()
    with (
        site.mirror.host.logging_in(shell, files),
        pytest.raises(LoginUnusable, match=said) as caught,
    ):
        connection.run(("true",), "looking", 10)
    assert time.monotonic() - began < 15
    assert not caught.value.transient
    assert "chsh -s /bin/sh" in caught.value.hint
    assert "closed" not in caught.value.public


@pytest.mark.parametrize("locked", [True, False])
@pytest.mark.parametrize(
    "rc", ["read -r x", "read -r x; read -r y; read -r z", "exec bash --norc", "exec zsh -f",
           "exec fish -N", "exec tcsh -f", "exec sh -s", "head -c 300 >&2"]
)  # fmt: skip
def test_start_files_that_take_what_was_sent_run_nothing_of_it(
    site: Site, rc: str, locked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither all of it, in a shell that is not ours, nor what they left of it."""
    monkeypatch.setattr(ssh, "LOCKING", 2)  # it has to wait for what was taken
    connection = ssh.Connection(Mirror.model_validate(site.mirror.settings()), locked=locked)
    made = site.mirror.host.home / "made"
    made.unlink(missing_ok=True)
    refused = CommandTimedOut if locked else LoginUnusable
    with site.mirror.host.logging_in("/bin/bash", {".bashrc": f"{rc}\n"}):
        with pytest.raises((LoginUnusable, refused)):
            connection.run(("sh", "-c", f"touch {made}"), "making a file", 10)
        with pytest.raises((LoginUnusable, refused)):
            connection.put(str(made), f"\ntouch {made}\n" * 500)
    assert not made.exists()


@pytest.mark.parametrize("locked", [True, False])
def test_a_login_that_waits_for_somebody_has_an_end(
    site: Site, locked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "LOCKING", 2)
    monkeypatch.setattr(ssh, "CONNECT_TIMEOUT", 0.5)
    connection = ssh.Connection(Mirror.model_validate(site.mirror.settings()), locked=locked)
    files = {".bashrc": "echo press a key; exec sleep 60\n"}
    with (
        site.mirror.host.logging_in("/bin/bash", files),
        pytest.raises(CommandTimedOut, match="printed: press a key") as caught,
    ):
        connection.run(("true",), "looking", 1)
    assert "press" not in caught.value.public
    connection.close()


def test_a_login_may_print_so_much_and_no_more(
    site: Site, connection: ssh.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "LOGIN_LIMIT", 5000)
    files = {".bashrc": "head -c 5000 /dev/zero | tr '\\0' x\n"}
    with site.mirror.host.logging_in("/bin/bash", files):
        assert connection.run(("echo", "ours"), "looking", 10).stdout == "ours\n"
        (site.mirror.host.home / ".bashrc").write_text(files[".bashrc"].replace("5000", "5001"))
        with pytest.raises(LoginUnusable, match="it prints without an end"):
            connection.run(("echo", "ours"), "looking", 10)


# --- files ----------------------------------------------------------------------------------


def test_a_full_disk_is_told_as_one_and_not_tried_again(site: Site) -> None:
    """Nor is a place that cannot be written, or a file that did not come whole."""
    small = site.add_mirror("full.example", tmpfs_mb=1)
    connection = ssh.Connection(Mirror.model_validate(small.settings()))
    home = small.host.home
    with pytest.raises(CommandFailed, match="No space left on device") as caught:
        connection.put(f"{small.host.root}/.staging/large", b"x" * 2 * 2**20)
    assert "the mirror's disk is full" in str(caught.value)
    assert "the mirror's disk is full" in caught.value.public
    assert "gm-analytics gc full.example" in caught.value.hint
    with pytest.raises(CommandFailed, match="Permission denied") as denied:
        connection.put("/etc/gm-none", b"x")
    assert "not allowed" in denied.value.public
    less = '#!/bin/sh\nif [ "$2" = 10 ]; then set -- -c 5; fi\nexec /usr/bin/head "$@"\n'
    small.host.install_program("head", less, logged=False)
    with pytest.raises(CommandFailed, match="5 of 10 bytes were written") as short:
        connection.put(f"{home}/short", b"0123456789")
    small.host.restore_program("head")
    assert not any(error.value.transient for error in (caught, denied, short))
    # The lock can be had on a full disk all the same.
    connection.close()
    assert connection.run(("true",), "going on", 10).ok
    connection.close()


def test_a_file_has_a_time_limit_when_the_mirror_stands_still(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "TRANSFER", 1)
    monkeypatch.setattr(ssh, "CONNECT_TIMEOUT", 0.5)
    connection = ssh.Connection(Mirror.model_validate(site.mirror.settings()), locked=False)
    assert connection.run(("true",), "looking", 10).ok
    with site.mirror.host.standing_still():
        began = time.monotonic()
        with pytest.raises(CommandTimedOut, match="writing"):
            connection.put(f"{site.mirror.host.home}/large", b"x" * 32 * 2**20)
        assert time.monotonic() - began < 15
    assert connection.run(("true",), "going on", 10).ok
    connection.close()


def test_a_package_manager_that_was_killed_is_told_as_killed(site: Site, cli: Cli) -> None:
    """Not as one that took too long: the kernel ends what takes too much memory."""
    site.mirror.host.install_program("dnf", "#!/bin/sh\nkill -KILL $$\n")
    try:
        done = cli("plan", "-", "--mirror", site.mirror.name, stdin=manifest("nmap"))
    finally:
        site.mirror.host.restore_program("dnf")
    assert "ended there by SIGKILL, as the kernel does where memory is short" in done.stderr
    assert "no end after" not in done.stderr
