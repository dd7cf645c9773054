"""What came of an event that was taken, as a value. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from gm_analytics.updates.model import Update


@dataclass(frozen=True)
class Taken:
    """What became of an event."""

    update_id: str = ""
    """Of the update that it stands for; empty if it causes none."""
    reason: str = ""
    """Why it causes none, or that it is known."""
    begun: tuple[Update, ...] = ()
    """What will be performed because of it, an update a mirror."""
    learned: tuple[Update, ...] = ()
    """Known updates of which it told the pull request."""
