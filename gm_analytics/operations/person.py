"""Which person gives a command, as updates and the audit name it."""

from __future__ import annotations

import os
import pwd


def name() -> str:
    """Name the account, or who became it."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in a container
        return f"uid {os.getuid()}"
