"""Looks at mirrors now and then, and after updates: one worker at a time, beside all updates."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from gm_analytics.engine import sights
from gm_analytics.engine.beside import Beside, Look
from gm_analytics.errors import GmError
from gm_analytics.mirror.sight import Known, Seen

LOOK = 1.0
"""Seconds between two looks at whose turn it is."""

log = logging.getLogger(__name__)
See = Callable[[str, Known], Seen]
"""Looks at a mirror; raises `GmError` if it cannot."""


def looking(names: Sequence[str], see: See, pause: float) -> Beside:
    """Give what a worker looks at to see the mirrors."""
    return lambda engine: Look("mirrors", Watching(engine, names, see, pause).look, LOOK)


class Watching:
    """Looks at mirrors by name; `pause` is the seconds between two looks at one."""

    def __init__(self, engine: sa.Engine, names: Sequence[str], see: See, pause: float) -> None:
        self._engine, self._names, self._see, self._pause = engine, names, see, pause

    def look(self) -> int:
        """Look at each mirror whose turn it is; say how many."""
        with self._engine.connect() as connection:
            due = sights.due(connection, self._names, self._pause)
        return sum(self._try(name) for name in due)

    def _try(self, name: str) -> bool:
        with self._engine.begin() as connection:
            turn = sights.begin(connection, name, self._pause)
        if turn is None:
            return False
        found: Seen | str = "it ended with a defect of the service, which the log tells"
        try:
            found = self._see(name, turn.known)
        except GmError as error:
            found = str(error)
            log.warning("looking at mirror %s: %s", name, error)
        finally:
            with self._engine.begin() as connection:
                sights.end(connection, turn, found)
        return True
