"""Files that are made once: their mode and owner from the first moment, and never written over."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gm_analytics.setup import files
from gm_analytics.setup.accounts import Owner

OWN = Owner(os.geteuid(), os.getegid())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_mode_is_that_which_was_asked_for(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        assert files.make_directory(tmp_path / "d", OWN, 0o2770)
        assert files.make_file(tmp_path / "d" / "f", "x", OWN, 0o640)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("d", "d/f")]
    assert modes == [0o2770, 0o640]


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "directory"])
def test_what_is_there_is_left_as_it_is(kind: str, tmp_path: Path) -> None:
    path, other = tmp_path / "f", tmp_path / "other"
    if kind != "dangling link":
        other.write_text("kept")
    match kind:
        case "file":
            path.write_text("kept")
        case "directory":
            path.mkdir()
        case _:
            path.symlink_to(other)
    assert not files.make_file(path, "new", OWN, 0o600)
    assert not other.exists() or other.read_text() == "kept"
    assert sorted(tmp_path.iterdir()) == sorted({path, *tmp_path.glob("other")})


def test_a_file_that_could_not_be_written_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.make_file(tmp_path / "f", "half", OWN, 0o600)
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_made_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: (tmp_path / "f").write_text("theirs"))
    assert not files.make_file(tmp_path / "f", "ours", OWN, 0o600)
    assert (tmp_path / "f").read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 1
