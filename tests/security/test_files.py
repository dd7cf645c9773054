"""Who can change or read the service's files is seen before they are relied on."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gm_analytics import settings
from gm_analytics.engine.client import Store
from gm_analytics.errors import StoreUnavailable
from gm_analytics.operations import permissions
from tests.integration.conftest import needs_root

WEB, WORKER, OTHER, SHARED = 61001, 61002, 61003, 62000
"""Accounts, and the group of the first two."""


@pytest.fixture
def place() -> Iterator[Path]:
    """An installation of one account, as it should be, which other accounts may come to."""
    with tempfile.TemporaryDirectory(prefix="gm-files-") as directory:
        Path(directory).chmod(0o755)
        yield installed(Path(directory) / "etc")


def installed(place: Path) -> Path:
    place.mkdir(mode=0o755)
    for name in ("secret", "token", "key"):
        (place / name).write_text("x" * 20)
        (place / name).chmod(0o600)
    (place / "known_hosts").touch(0o644)
    (place / "home" / "private-keys-v1.d").mkdir(parents=True)
    for part in ("home", "home/private-keys-v1.d"):
        (place / part).chmod(0o700)
    (place / "home/private-keys-v1.d/A.key").touch(0o600)
    (place / "store").mkdir(mode=0o700)
    for end in ("", "-wal", "-shm"):
        (place / f"store/updates.sqlite{end}").touch(0o600)
    write(place)
    return place


def write(place: Path, **changes: Any) -> Path:
    data = {
        "webhook": {"secret_file": f"{place}/secret", "repositories": ["icesi/packages"]},
        "github": {"token_file": f"{place}/token", "api_url": "http://127.0.0.1:1"},
        "database_url": f"sqlite:///{place}/store/updates.sqlite",
        "mirrors": [
            {
                "name": "m",
                "host": "127.0.0.1",
                "port": 1,
                "identity_file": f"{place}/key",
                "known_hosts": f"{place}/known_hosts",
                "signing_home": f"{place}/home",
                "url": "http://127.0.0.1:1/",
                "upstream": {"releasever": "9"},
            }
        ],
        **changes,
    }
    config = place / "config.yaml"
    config.write_text(yaml.safe_dump(data))
    config.chmod(0o640)
    return config


def flaws(place: Path, uid: int = os.geteuid(), *groups: int) -> list[permissions.Flaw]:
    """Look as another account does, in a process of its own."""
    config = settings.load(place / "config.yaml")
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            if uid != os.geteuid():
                os.setgroups(groups)
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            found = [
                [str(flaw.path), flaw.said, flaw.mend, flaw.fatal]
                for flaw in permissions.look(config)
            ]
            os.write(writer, yaml.safe_dump(found).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = yaml.safe_load(pipe.read())
    os.waitpid(child, 0)
    return [permissions.Flaw(Path(path), *rest) for path, *rest in told]


def test_an_installation_of_one_account_is_right(place: Path) -> None:
    assert flaws(place) == []


@pytest.mark.parametrize(
    ("name", "mode", "fatal"),
    [
        ("config.yaml", 0o642, True),
        ("secret", 0o604, True),
        ("secret", 0o602, True),
        ("token", 0o644, True),
        ("key", 0o666, True),
        ("known_hosts", 0o646, True),
        ("home", 0o750, True),
        ("home/private-keys-v1.d", 0o755, True),
        ("home/private-keys-v1.d/A.key", 0o640, True),
        ("store", 0o777, True),
        ("store/updates.sqlite", 0o602, True),
        ("store/updates.sqlite-wal", 0o602, True),
        ("store/updates.sqlite-shm", 0o622, True),
        ("store/updates.sqlite", 0o644, False),
        (".", 0o777, True),
    ],
)
def test_each_file_is_judged_and_its_command_mends_it(
    place: Path, name: str, mode: int, fatal: bool
) -> None:
    (place / name).chmod(mode)
    found = flaws(place)
    assert {(flaw.path, flaw.fatal) for flaw in found} == {(place / name, fatal)}
    for flaw in found:
        subprocess.run(shlex.split(flaw.mend), check=True)
    assert flaws(place) == []


def test_a_configuration_that_holds_a_secret_is_one(place: Path) -> None:
    write(place, webhook={"secret": "x" * 20, "repositories": ["a/b"]}).chmod(0o644)
    assert [flaw.path.name for flaw in flaws(place)] == ["config.yaml"]
    write(place).chmod(0o644)
    assert flaws(place) == []


@needs_root
@pytest.mark.parametrize(
    "name",
    ["config.yaml", "secret", "token", "key", "known_hosts", "home", "store/updates.sqlite"],
)
def test_another_accounts_file_is_refused_and_its_command_mends_it(place: Path, name: str) -> None:
    os.chown(place / name, OTHER, OTHER)
    found = flaws(place)
    assert [flaw.path for flaw in found] == [place / name]
    subprocess.run(shlex.split(found[0].mend), check=True)
    assert flaws(place) == []


@needs_root
def test_two_accounts_with_one_group_are_right(place: Path) -> None:
    """The web has the secret, the worker keys and token; the store is both's."""
    owners = {
        "config.yaml": (0, SHARED, 0o640),
        "secret": (WEB, WEB, 0o600),
        "token": (WORKER, WORKER, 0o600),
        "key": (WORKER, WORKER, 0o600),
        "known_hosts": (WORKER, WORKER, 0o644),
        "home": (WORKER, WORKER, 0o700),
        "home/private-keys-v1.d": (WORKER, WORKER, 0o700),
        "home/private-keys-v1.d/A.key": (WORKER, WORKER, 0o600),
        "store": (WORKER, SHARED, 0o2770),
        "store/updates.sqlite": (WEB, SHARED, 0o660),
        "store/updates.sqlite-wal": (WORKER, SHARED, 0o660),
        "store/updates.sqlite-shm": (WEB, SHARED, 0o660),
    }
    for name, (uid, gid, mode) in owners.items():
        os.chown(place / name, uid, gid)
        (place / name).chmod(mode)
    config = settings.load(place / "config.yaml")
    assert permissions.look(config, as_check=True) == ()
    for uid in (WEB, WORKER):
        assert flaws(place, uid, SHARED) == []
    (place / "config.yaml").chmod(0o660)
    (place / "store").chmod(0o2777)
    for uid in (WEB, WORKER):
        assert {flaw.path.name for flaw in flaws(place, uid, SHARED)} == {"config.yaml", "store"}


@pytest.mark.parametrize("command", ["serve", "web", "worker"])
def test_nothing_starts_with_a_secret_that_others_can_read(place: Path, command: str) -> None:
    (place / "token").chmod(0o644)
    program = str(Path(sys.executable).parent / "gm-analytics")
    done = subprocess.run(
        [program, command, "--config", str(place / "config.yaml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert f"{place}/token: everybody can read it (mode 0644): chmod 0640 {place}/token" in (
        done.stderr
    )


# --- lock files -----------------------------------------------------------------------------


def test_a_link_in_a_shared_directory_leads_to_no_file_of_ours(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "store").mkdir()
    link = tmp_path / "store" / "updates.sqlite.migration.lock"
    link.symlink_to(tmp_path / "precious")
    with pytest.raises(StoreUnavailable, match=r"migration\.lock"):
        Store(f"sqlite:///{tmp_path}/store/updates.sqlite")
    assert (tmp_path / "precious").read_text() == "precious"


def locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / f"gm_analytics-{os.getuid()}"


def test_a_lock_directory_that_is_a_link_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    locks(monkeypatch, tmp_path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable, match="not a directory of this account's"):
        Store("postgresql://a@127.0.0.1:1/x")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@needs_root
def test_a_lock_directory_that_somebody_made_before_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = locks(monkeypatch, tmp_path)
    made.mkdir()
    os.chown(made, OTHER, OTHER)
    with pytest.raises(StoreUnavailable, match="rm -r"):
        Store("postgresql://a@127.0.0.1:1/x")


def test_a_lock_directory_that_others_can_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = locks(monkeypatch, tmp_path)
    made.mkdir()
    made.chmod(0o777)
    with pytest.raises(StoreUnavailable, match="chmod 0700"):
        Store("postgresql://a@127.0.0.1:1/x")


@pytest.mark.parametrize("kind", ["fifo", "hard link"])
def test_what_is_no_lock_file_holds_nobody(tmp_path: Path, kind: str) -> None:
    (tmp_path / "precious").write_text("precious")
    lock = tmp_path / "updates.sqlite.migration.lock"
    os.mkfifo(lock) if kind == "fifo" else lock.hardlink_to(tmp_path / "precious")
    with pytest.raises(StoreUnavailable, match="not a file of its own"):
        Store(f"sqlite:///{tmp_path}/updates.sqlite")
    assert (tmp_path / "precious").read_text() == "precious"
