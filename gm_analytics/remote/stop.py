"""A way to ask work that waits for another host to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from gm_analytics.errors import Stopped


class Stop:
    """Is asked by one thread and heeded by others, whichever comes first; once is for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: str | None = None
        self._calls: list[Callable[[], object]] = []

    @property
    def asked(self) -> str | None:
        """Why it was asked, if it was."""
        return self._asked

    def ask(self, reason: str) -> None:
        """Ask; the first reason stays. What was registered is called in this thread."""
        with self._lock:
            if self._asked is not None:
                return
            self._asked = reason
            calls = list(self._calls)
        for call in calls:
            with suppress(Exception):  # the others have to be called as well
                call()

    def check(self) -> None:
        """Go on, unless it was asked.

        Raises:
            Stopped: it was.

        """
        if self._asked is not None:
            raise Stopped(self._asked)

    @contextmanager
    def calling(self, call: Callable[[], object]) -> Iterator[None]:
        """Have a function called if it is asked during the block; at once if it was before."""
        with self._lock:
            self._calls.append(call)
            asked = self._asked is not None
        if asked:
            call()
        try:
            yield
        except KeyboardInterrupt:  # what runs there ends with it, and nothing more is begun
            self.ask("interrupted")
            raise
        finally:
            with self._lock, suppress(ValueError):
                self._calls.remove(call)
