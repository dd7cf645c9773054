"""A disk on which the store soon cannot be written is told before a delivery finds out."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from gm_analytics.operations import check


@pytest.mark.parametrize(
    ("disk", "told"),
    [
        ((check.STORE_RESERVE // 4096, 10_000, 5_000), False),
        ((check.STORE_RESERVE // 4096 - 1, 10_000, 5_000), True),
        ((10**9, 10_000, 1_000), False),
        ((10**9, 10_000, 999), True),
        ((10**9, 0, 0), False),
    ],
)
def test_bytes_and_inodes_of_the_stores_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: tuple[int, int, int], told: bool
) -> None:
    """Of a file system that counts no inodes (btrfs) none are asked for."""
    blocks, files, inodes = disk
    found = SimpleNamespace(f_bavail=blocks, f_frsize=4096, f_files=files, f_favail=inodes)
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    said = list(check.room(f"sqlite:///{tmp_path}/updates.sqlite"))
    assert [one.severity for one in said] == ["fail"] * told
    assert all(str(tmp_path) in one.said and one.hint for one in said)


def test_a_store_elsewhere_is_not_looked_at(tmp_path: Path) -> None:
    assert list(check.room("postgresql://host/name")) == []
    assert list(check.room(f"sqlite:///{tmp_path}/none/updates.sqlite")) == []
