"""Signs of life of the web: its event loop turns, and a look at the store comes to an end.

A store that says it is away has answered: starting the web again would not bring it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gm_analytics.errors import ConfigError, StoreUnavailable
from gm_analytics.supervisor import WEB, Supervisor


class Life:
    """Is called by the event loop now and then."""

    def __init__(self, supervisor: Supervisor, look: Callable[[], object], where: str) -> None:
        """Take what looks at the store, in a thread, and where the web answers."""
        self._supervisor, self._look, self._where = supervisor, look, where
        self._under_way: asyncio.Task[None] | None = None

    @property
    def every(self) -> int:
        """Seconds between two calls."""
        return max(1, int(self._supervisor.every))

    async def beat(self) -> None:
        """Begin a look, unless one has not ended yet; nothing waits for it."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._show())

    def ends(self) -> None:
        """Have it said that the web takes nothing more."""
        self._supervisor.ends("answers what it was asked")

    async def _show(self) -> None:
        status = f"answers on {self._where}"
        try:
            await asyncio.to_thread(self._look)
        except (StoreUnavailable, ConfigError):
            status += ", but the store is away"
        await asyncio.to_thread(self._supervisor.lives, WEB, status)
