"""Flask's threads, and how its answers come out of them."""

from __future__ import annotations

from typing import Any

from a2wsgi.wsgi import WSGIMiddleware, WSGIResponder

_UNBOUNDED = 0


class Threads(WSGIMiddleware):
    """Runs Flask in threads that do not wait for the event loop.

    Connexion's own wait for it at each part of an answer.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            await _Answer(self.app, self.executor, _UNBOUNDED)(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _Answer(WSGIResponder):
    def send(self, message: Any) -> None:
        """Hand a part over; answers are whole in memory before the first part is."""
        self.loop.call_soon_threadsafe(self.send_queue.put_nowait, message)
