"""No command shows a traceback, whatever is wrong around it: a table of what may be."""

from __future__ import annotations

import json
import os
import pty
import pwd
import re
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from gm_analytics.errors import Exit
from gm_analytics.manifest import Manifest
from gm_analytics.service import Service
from gm_analytics.setup import ssh_key
from tests.support.accounts import needs_another_account
from tests.support.commands import ALL
from tests.support.place import ARGUMENTS, PROGRAM, Place, told

BIG = "9" * 30


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path).write()


def test_the_table_has_every_command() -> None:
    without_configuration = {"init"}  # it makes one
    assert set(ARGUMENTS) == set(ALL) - without_configuration


@pytest.mark.parametrize("command", sorted(set(ARGUMENTS) - {"completion"}))  # which reads none
def test_no_command_shows_a_traceback_without_a_usable_configuration(
    command: str, place: Place
) -> None:
    call = (command, *ARGUMENTS[command])
    missing = str(place.directory / "nosuch.yaml")
    told(place.run(*call, GM_ANALYTICS_CONFIG=missing), 2, "reading it: No such file")
    told(place.run(*call, "--config", str(place.directory)), 2, "directory")
    place.write(text="webhook: [")
    told(place.run(*call), 2, "not YAML: line 1")


CONFIGURATIONS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "file: found nothing; expected keys with values"),
    "a list": ("[]", "file: found|file: "),
    "a date that is none": ("x: 2026-99-99", "not YAML"),
    "a number of too many digits": ("x: " + "9" * 5000, "not YAML|x: "),
    "too deep": ("[" * 5000, "not YAML"),
    "an alias of itself": ("&a [*a]", "file: found a list"),
    "another encoding": ("# \xe9".encode("latin-1"), "no UTF-8"),
    "a NUL": ("a: \0", "not YAML"),
    "a key that is no text": ("1: 2", "1: unknown key"),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_a_configuration_that_is_none_is_said_in_a_line(case: str, place: Place) -> None:
    text, words = CONFIGURATIONS[case]
    place.config.write_bytes(text if isinstance(text, bytes) else text.encode())
    told(place.run("updates"), 2, words)


def test_a_configuration_that_is_no_ordinary_file_is_refused(place: Place) -> None:
    """A pipe would make the command wait for ever, and /dev/zero take all memory."""
    os.mkfifo(place.directory / "pipe")
    for path in (str(place.directory / "pipe"), "/dev/zero"):
        told(place.run("updates", "--config", path), 2, "no ordinary file")


@needs_another_account
def test_a_directory_that_may_not_be_entered_is_said_in_a_line(place: Place) -> None:
    """The home directory, and where the configuration lies."""
    hidden = place.directory / "hidden"
    hidden.mkdir(mode=0o700)
    code = (
        "import os; from pathlib import Path; from gm_analytics import settings\n"
        "from gm_analytics.cli import commands, updates\n"
        "os.setgid(65534); os.setuid(65534)\n"
        f"settings.PLACE = Path({str(hidden / 'config.yaml')!r})\n"
        "from gm_analytics.cli.main import main; import sys; sys.argv[1:] = ['updates']; main()\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "GM_ANALYTICS_CONFIG"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "HOME": str(hidden)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    told(done, 2, "Permission denied")


def test_a_working_directory_that_has_gone_is_no_traceback(place: Place) -> None:
    """As after a checkout was removed below the shell that stands in it."""
    gone = place.directory / "gone"
    gone.mkdir()
    code = f'cd {gone} && rmdir {gone} && exec "$@"'
    argv = ["bash", "-c", code, "bash", PROGRAM, "updates", "--config", "config.yaml"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    told(done, 2, "reading it: No such file|No such file")


FILES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "a manifest that is missing": (("plan", "nosuch.json"), 2, "No such file"),
    "a manifest that is a directory": (("plan", "."), 2, "[Ii]s a directory"),
    "a manifest without an end": (("plan", "/dev/zero"), 2, "1,048,576|1 MiB|larger"),
    "a file that cannot be read on": (("plan", "/proc/self/mem"), 5, "Input/output error"),
    "a lock file that is missing": (("apply", "-", "--locked", "x"), 2, "No such file"),
    "a lock file that is a directory": (("apply", "-", "--locked", "."), 2, "directory"),
    "a delivery that is missing": (("replay", "nosuch.json"), 2, "No such file"),
    "a delivery without an end": (("replay", "/dev/zero"), 2, "larger"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_none_is_said_in_a_line(case: str, place: Place) -> None:
    call, code, words = FILES[case]
    told(place.run(*call, stdin="[]"), code, words)


USAGE: dict[str, tuple[tuple[str, ...], int, str]] = {
    "a port beyond all": (("web", "--port", "99999"), 2, "--port"),
    "a negative port": (("web", "--port", "-1"), 2, "--port"),
    "a host that is none": (("web", "--host", "no.such.host.invalid"), 1, "listening on"),
    "a number beyond all": (("updates", "--limit", BIG), 2, "--limit"),
    "a limit below zero": (("updates", "--limit", "-5"), 2, "--limit"),
    "an id of other bytes": (("updates", "\udcff"), 4, "unknown"),
    "a mirror of other bytes": (("publications", "\udcff"), 2, "found no"),
    "a publication beyond all": (("rollback", BIG), 2, "NUMBER|number"),
    "an address that is none": (("replay", "-", "--url", "http://["), 1, "posting to"),
    "a port that is none": (("replay", "-", "--url", "http://h:99999999"), 1, "posting to"),
    "an event that is no header": (("replay", "-", "--event", "\u2603"), 1, "posting to"),
    "an event of two lines": (("replay", "-", "--event", "a\nb"), 1, "posting to"),
    "a delivery that is no header": (("replay", "-", "--delivery", "\u2603"), 1, "posting to"),
    "operators on no address": (("web", "--operator-listen", "x"), 2, "--operator-listen"),
    "a mirror that is not there": (("status", "nosuch"), 2, "found no 'nosuch'"),
    "a manifest of other bytes": (("plan", "-"), 2, "standard input: file: found UTF-16"),
}


@pytest.mark.parametrize("case", USAGE)
def test_what_cannot_be_meant_is_said_in_a_line(case: str, place: Place) -> None:
    call, code, words = USAGE[case]
    told(
        place.run(*call, stdin="\x00[" if case == "a manifest of other bytes" else "{}"),
        code,
        words,
    )


STORES: dict[str, tuple[str, int, str]] = {
    "a directory": ("sqlite:///{}", 75, "store: "),
    "below a file": ("sqlite:///{}/config.yaml/updates.sqlite", 75, "store: "),
    "another file": ("sqlite:///{}/config.yaml", 75, "store: "),
    "a device": ("sqlite:////dev/full", 75, "store: "),
    "a port that is none": ("postgresql://gm@127.0.0.1:none/db", 2, "database_url"),
    "a database that does not answer": ("postgresql://gm@127.0.0.1:1/db", 75, "store: "),
}


@pytest.mark.parametrize("case", STORES)
@pytest.mark.parametrize("command", ["updates", "web"])
def test_a_store_that_is_none_is_said_in_a_line(case: str, command: str, place: Place) -> None:
    url, code, words = STORES[case]
    place.write(database_url=url.format(place.directory))
    told(place.run(command, *ARGUMENTS[command]), code, words)


KEYS: dict[str, tuple[str, str | None]] = {
    "no key file": ("id_ed25519", None),
    "a key that is none": ("id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"),
    "a line of known_hosts that is none": ("known_hosts", "h ssh-ed25519 !!!\n"),
    "a certificate authority": ("known_hosts", "@cert-authority * ssh-ed25519 AAAA\n"),
    "known_hosts of other bytes": ("known_hosts", "\0\0\0\n"),
    "no known_hosts": ("known_hosts", None),
}


@pytest.mark.parametrize("case", KEYS)
@pytest.mark.parametrize("command", ["rollback", "publications", "check", "status"])
def test_a_key_that_is_none_is_said_in_a_line(case: str, command: str, place: Place) -> None:
    name, text = KEYS[case]
    path = place.directory / name
    path.unlink() if text is None else path.write_text(text)
    done = place.run(command, *ARGUMENTS[command], stdin='["tree"]')
    assert done.returncode in {1, 5, 7, 75}, done.stderr
    told(done, done.returncode, "mirror m: |mirror m ")


@pytest.mark.parametrize("case", ["a file", "below a file"])
def test_a_signing_home_that_is_none_is_said_in_a_line(case: str, place: Place) -> None:
    home = str(place.config) + ("/home" if case == "below a file" else "")
    place.write(mirrors=[place.mirror(signing_home=home)])
    for call in (("key",), ("adopt",), ("plan", "-")):
        done = place.run(*call, stdin='["tree"]')
        told(done, done.returncode, "signing key in |mirror m: ")


def test_a_port_that_is_taken_is_said_in_a_line(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command in ("web", "serve"):
            done = place.spawn(command, "--port", port)
            told(
                done, 1, rf"listening on 127.0.0.1:{port}: Address already in use; choose another"
            )
            assert len(done.stderr.splitlines()) == 1, done.stderr
        place.write(operator_listen=f"127.0.0.1:{port}")
        done = place.spawn("serve", "--port", "0")
        told(
            done, 1, rf"listening on 127.0.0.1:{port}: Address already in use; .* operator_listen"
        )
        assert len(done.stderr.splitlines()) == 1, done.stderr


# --- standard streams -----------------------------------------------------------------------


def test_output_that_cannot_be_written_is_said_in_a_line(place: Place) -> None:
    """A full disk below a lock file, say; Python would complain once more at its end."""
    told(place.spawn("check", redirect="> /dev/full"), 5, "No space left on device")


@pytest.mark.parametrize("closed", ["<&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_traceback(closed: str, place: Place) -> None:
    done = place.spawn("plan", "-", stdin=None, redirect=closed)
    assert done.returncode in {2, 75}, done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_reader_that_has_gone_is_nobody_to_tell(place: Place) -> None:
    argv = 'set -o pipefail; "$@" | { exec <&-; sleep 0.2; }'
    done = subprocess.run(
        ["bash", "-c", argv, "bash", PROGRAM, "check", "--config", str(place.config)],
        capture_output=True,
        text=True,
        check=False,
        cwd=place.directory,
    )
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii:strict"])
def test_a_terminal_s_encoding_breaks_nothing(encoding: str, place: Place) -> None:
    place.write(mirrors=[place.mirror(host="\u2603.invalid")])
    for call in (("check",),):
        done = place.spawn(*call, stdin='["tree"]', PYTHONIOENCODING=encoding, LC_ALL="C")
        told(done, done.returncode, "mirror m|mirrors.0.host")


def test_without_a_terminal_and_without_yes_nothing_is_asked(place: Place) -> None:
    """`y` in a pipe is no person."""
    from gm_analytics.cli.output import confirmed  # noqa: PLC0415

    assert confirmed("Go on?", yes=True)
    code = "from gm_analytics.cli.output import confirmed; confirmed('Go on?', yes=False)"
    done = subprocess.run(
        [sys.executable, "-c", code], input="y\n", capture_output=True, text=True, check=False
    )
    assert "give --yes" in done.stderr
    main, side = pty.openpty()
    os.write(main, b"n\n")
    asked = subprocess.run(
        [sys.executable, "-c", f"{code.replace('; c', '; print(c')})"],
        stdin=side,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(main)
    os.close(side)
    assert asked.stdout.endswith("False\n")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.0 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n\0"])
@pytest.mark.parametrize("command", ["status", "gc", "init"])
def test_a_mirror_s_port_that_is_not_sshd_s_is_a_line(
    command: str, said: bytes, place: Place
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.sendall(said)
                    connection.close()

        threading.Thread(target=answer, daemon=True).start()
        place.write(mirrors=[place.mirror(port=server.getsockname()[1])])
        (place.directory / "id_ed25519").write_text(ssh_key.new())
        if command == "init":
            (place.directory / "known_hosts").unlink()
        me = pwd.getpwuid(os.geteuid()).pw_name
        make = ("--directory", str(place.directory), "--account", me, "--accept-host-keys")
        state = ("--state", str(place.directory))
        done = place.spawn(command, *((*make, *state) if command == "init" else ()))
        server.close()
    told(done, done.returncode, "opening an SSH session|comparing")
    assert done.returncode


# --- defects --------------------------------------------------------------------------------

BROKEN = """
import sys
from gm_analytics.cli import commands
from gm_analytics.service import Service
from gm_analytics.setup import ssh_key
def fail(*_):
    raise KeyError("a defect\\nin two lines")
Service.from_file = fail
from gm_analytics.cli.main import main
sys.argv[1:] = {arguments!r}
main()
"""


def broken(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BROKEN.format(arguments=list(arguments))],
        env={**os.environ, "TMPDIR": str(place.directory)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", sorted(set(ARGUMENTS) - {"completion"}))  # which reads none
def test_a_defect_is_a_line_that_says_where_its_trace_is(
    command: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a defect\nin two lines")

    monkeypatch.setattr(Service, "from_file", fail)
    monkeypatch.setattr(Manifest, "parse", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(place.directory))
    done = place.run(command, *ARGUMENTS[command])
    told(done, Exit.DEFECT, r"^gm-analytics: unexpected KeyError: .*; its trace is in /")
    assert len(done.stderr.splitlines()) == 2
    found = re.search(r"its trace is in (\S+)", done.stderr)
    assert found
    assert "Traceback (most recent call last)" in Path(found[1]).read_text()
    assert Path(found[1]).stat().st_mode & 0o077 == 0


def test_debug_shows_the_trace_itself(place: Place) -> None:
    done = broken(place, "--debug", "updates")
    assert "Traceback (most recent call last)" in done.stderr
    assert json.dumps("KeyError")[1:-1] in done.stderr
