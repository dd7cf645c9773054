"""Files and directories that are made once: each has its owner and mode before it has its name.

What is there already is left as it is. A file appears whole, by a link to what was written under
another name, so that neither an interruption nor a full disk leaves half of one that is then kept.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from gm_analytics.setup.accounts import Owner


def make_directory(path: Path, owner: Owner, mode: int) -> bool:
    """Make a directory, and those above it as they are usual; tell whether it was missing.

    Raises:
        OSError: the system refused.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return False
    os.chown(path, owner.uid, owner.gid)
    path.chmod(mode)  # neither what umask left of it, nor before it is the owner's
    return True


def make_file(path: Path, content: str, owner: Owner, mode: int) -> bool:
    """Make a file; tell whether it was missing.

    Raises:
        OSError: the system refused.

    """
    if os.path.lexists(path):
        return False
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchown(handle, owner.uid, owner.gid)
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        return _named(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _named(draft: Path, path: Path) -> bool:
    try:
        os.link(draft, path)
    except FileExistsError:  # made by another one meanwhile
        return False
    return True
