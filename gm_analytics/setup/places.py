"""Where the files of an installation are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gm_analytics import settings

UNITS = Path("/etc/systemd/system")
STATE = Path("/var/lib")


@dataclass(frozen=True)
class Places:
    """The directories of one installation; the files in them have fixed names."""

    etc: Path
    """Configuration, secrets, keys."""
    store: Path
    """What web and worker share, and nothing else."""
    work: Path
    """The worker's alone."""

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.etc / "config.yaml"

    @property
    def secret(self) -> Path:
        """What GitHub signs deliveries with."""
        return self.etc / "webhook_secret"

    @property
    def key(self) -> Path:
        """The private key by which the service logs in to mirrors."""
        return self.etc / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The host keys that are pinned."""
        return self.etc / "known_hosts"


def find(directory: Path | None, state: Path | None) -> Places:
    """Give the places that were asked for; else root's, or those of who is not root."""
    home = Path.home()
    if os.geteuid() == 0:
        etc, base = settings.PLACE.parent, STATE
    else:
        etc = (
            Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
            / settings.PLACE.parent.name
        )
        base = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    base = state.absolute() if state else base
    return Places(
        (directory or etc).absolute(), base / "gm_analytics", base / "gm_analytics_worker"
    )
