"""Modes and owners, judged from values."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gm_analytics.operations import permissions
from gm_analytics.operations.permissions import Account, Found, Rule, judge

WORKER = Account("gm-worker", 1001, frozenset({1001, 2000}))
"""Its own group, and the one that it shares with the web's account, 1002."""
DIRECTORY, FILE = stat.S_IFDIR, stat.S_IFREG


def flaws(rule: Rule, uid: int, gid: int, mode: int, account: Account = WORKER) -> list[str]:
    found = judge(Found(Path("/x y"), uid, gid, mode), rule, account)
    return [flaw.mend + ("" if flaw.fatal else " (warning)") for flaw in found]


@pytest.mark.parametrize(
    ("rule", "uid", "gid", "mode"),
    [
        pytest.param("CONFIG", 0, 2000, 0o640, id="0640 root:group for the configuration"),
        pytest.param("CONFIG", 0, 0, 0o644, id="a configuration without secrets"),
        pytest.param("SECRET", 1001, 1001, 0o600, id="an account's own secret"),
        pytest.param("SECRET", 0, 1001, 0o640, id="a secret for a group"),
        pytest.param("SECRET", 0, 0, 0o400, id="a secret of root's"),
        pytest.param("HOME", 1001, 1001, DIRECTORY | 0o700, id="a signing home"),
        pytest.param("STORE", 1001, 2000, 0o660, id="the store, shared"),
        pytest.param("STORE", 1002, 2000, 0o660, id="the store, made by the other account"),
        pytest.param("STORE", 1001, 1001, 0o600, id="the store, its account's own"),
        pytest.param(
            "STORE_DIRECTORY", 1002, 2000, DIRECTORY | 0o2770, id="its directory, shared"
        ),
        pytest.param("STORE_DIRECTORY", 1001, 1001, DIRECTORY | 0o755, id="its directory"),
        pytest.param("LOCKS", 1001, 1001, DIRECTORY | 0o700, id="the lock directory"),
        pytest.param("PARENT", 0, 0, DIRECTORY | 0o1777, id="a sticky parent, as /tmp"),
        pytest.param("PARENT", 1003, 1003, DIRECTORY | 0o775, id="a person's home as parent"),
    ],
)
def test_what_is_right(rule: str, uid: int, gid: int, mode: int) -> None:
    assert flaws(getattr(permissions, rule), uid, gid, mode) == []


@pytest.mark.parametrize(
    ("rule", "uid", "gid", "mode", "mend"),
    [
        ("CONFIG", 0, 0, 0o646, "chmod 0644 '/x y'"),
        ("CONFIG", 0, 2000, 0o664, "chmod 0644 '/x y'"),
        ("CONFIG", 1002, 2000, 0o640, "chown gm-worker '/x y'"),
        ("SECRET", 1001, 1001, 0o604, "chmod 0600 '/x y'"),
        ("SECRET", 1001, 1001, 0o601, "chmod 0600 '/x y'"),
        ("SECRET", 0, 1001, 0o660, "chmod 0640 '/x y'"),
        ("SECRET", 1002, 1001, 0o640, "chown gm-worker '/x y'"),
        ("HOME", 1001, 1001, DIRECTORY | 0o710, "chmod 0700 '/x y'"),
        ("HOME", 1001, 1001, DIRECTORY | 0o701, "chmod 0700 '/x y'"),
        ("HOME", 1002, 2000, DIRECTORY | 0o700, "chown gm-worker '/x y'"),
        ("STORE", 1001, 1001, 0o604, "chmod 0600 '/x y' (warning)"),
        ("STORE", 1002, 3000, 0o600, "chown gm-worker '/x y'"),
        ("STORE", 1001, 3000, 0o660, "chmod 0640 '/x y'"),
        ("STORE_DIRECTORY", 1001, 3000, DIRECTORY | 0o2770, "chmod 2750 '/x y'"),
        ("STORE_DIRECTORY", 0, 0, DIRECTORY | 0o1777, "chmod 1755 '/x y'"),
        ("LOCKS", 1002, 2000, DIRECTORY | 0o700, "rm -r '/x y'"),
        ("LOCKS", 1001, 1001, stat.S_IFLNK | 0o777, "rm '/x y'"),
        ("LOCKS", 1001, 1001, DIRECTORY | 0o770, "chmod 0700 '/x y'"),
        ("PARENT", 0, 0, DIRECTORY | 0o777, "chmod 0775 '/x y'"),
    ],
)
def test_what_is_wrong_has_its_cure(rule: str, uid: int, gid: int, mode: int, mend: str) -> None:
    assert mend in flaws(getattr(permissions, rule), uid, gid, mode)


def test_root_who_checks_what_another_account_runs_judges_no_owner() -> None:
    root = Account("root", 0, frozenset({0}), judges_owners=False)
    assert flaws(permissions.SECRET, 1001, 1001, 0o600, root) == []
    assert flaws(permissions.STORE_DIRECTORY, 1001, 2000, DIRECTORY | 0o2770, root) == []
    assert flaws(permissions.SECRET, 1001, 1001, 0o604, root) == ["chmod 0600 '/x y'"]


def test_root_who_starts_the_service_relies_on_roots_files() -> None:
    root = Account("root", 0, frozenset({0}))
    assert flaws(permissions.CONFIG, 1001, 1001, 0o600, root) == ["chown root '/x y'"]
