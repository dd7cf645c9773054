"""Tests that have another account of this machine run what is in this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import pytest

NOBODY = 65534


def as_account(uid: int, *argv: str, gid: int) -> list[str]:
    """Give the command line that runs another one as an account; only root may."""
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *argv]


@cache
def _reachable() -> bool:
    """Tell whether one could: a clone in a directory of root's own is closed to all others."""
    words = (sys.executable, "-c", "import gm_analytics.cli.main, lab")
    command = as_account(NOBODY, *words, gid=NOBODY)
    return os.geteuid() == 0 and not subprocess.run(command, check=False).returncode


needs_another_account = pytest.mark.skipif(
    not _reachable(), reason="needs root, and a checkout that other accounts can read"
)
