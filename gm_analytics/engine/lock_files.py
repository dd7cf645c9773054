"""Files of this machine that are locked, in places where others may write too.

A name that somebody else put there first (a link to the service's own file, another's directory)
is refused, and nothing is ever cut short.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import IO

from gm_analytics.errors import StoreUnavailable

DOING = "taking a lock file"


def directory() -> Path:
    """Say where lock files of a database on another host lie: the account's own, below /tmp."""
    return Path(tempfile.gettempdir()) / f"gm_analytics-{os.getuid()}"


def made_directory() -> Path:
    """Make that directory, or see that it is the account's own.

    Raises:
        StoreUnavailable: it is another's, or others may write it.

    """
    place = directory()
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        said = f"{place} is not a directory of this account's; remove it: rm -r {place}"
        raise StoreUnavailable(DOING, said)
    if found.st_mode & 0o022:
        raise StoreUnavailable(DOING, f"others can write {place}: chmod 0700 {place}")
    return place


def mode_of(path: Path) -> int:
    """Give the mode of a file of the store.

    A directory with the set-group-ID bit is one that a group shares, as web and worker do when
    they are two accounts. Anywhere else the file is its owner's alone.
    """
    return 0o660 if path.parent.stat().st_mode & stat.S_ISGID else 0o600


def opened(path: Path) -> IO[str]:
    """Open a lock file, made where it is missing, for the group too where a directory is shared.

    Raises:
        StoreUnavailable: something else has its name.

    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # So from its first moment: the other account may be about to open it.
        descriptor = os.open(path, flags, mode_of(path))
    except OSError as error:
        raise StoreUnavailable(DOING, f"{path}: {error.strerror}") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(descriptor)
        raise StoreUnavailable(DOING, f"{path} is not a file of its own; remove it: rm {path}")
    if found.st_uid == os.geteuid():
        os.fchmod(descriptor, mode_of(path))
    return os.fdopen(descriptor, "r+")
