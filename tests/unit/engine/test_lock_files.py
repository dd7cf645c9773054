"""Lock files of a store that two accounts share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gm_analytics.cli.serve import UMASK
from gm_analytics.engine import lock_files


@pytest.mark.parametrize(("directory", "mode"), [(0o2770, 0o660), (0o700, 0o600)])
def test_a_lock_file_is_the_groups_from_its_first_moment(
    directory: int, mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Web and worker start at once, and either may make it while the other opens it."""
    tmp_path.chmod(directory)
    before = os.umask(UMASK)
    seen: list[int] = []
    monkeypatch.setattr(
        os, "fchmod", lambda opened, _: seen.append(os.fstat(opened).st_mode & 0o777)
    )
    try:
        lock_files.opened(tmp_path / "a.lock").close()
    finally:
        os.umask(before)
    assert seen == [mode]
