"""Counts commands on mirrors' hosts by how SSH fared with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from gm_analytics import errors
from gm_analytics.measures import SSH_COMMANDS
from gm_analytics.settings import Mirror

P = ParamSpec("P")
R = TypeVar("R")
_RESULTS: tuple[tuple[type[errors.GmError], str], ...] = (
    (errors.KeyNotAccepted, "refused"),
    (errors.HostKeyRefused, "refused"),
    (errors.IdentityUnusable, "refused"),
    (errors.SessionsRefused, "refused"),
    (errors.LoginUnusable, "refused"),
    (errors.MirrorUnreachable, "unreachable"),
    (errors.LockHeld, "lock"),
    (errors.LockLost, "lock"),
    (errors.CommandTimedOut, "timed_out"),
    (errors.CommandStopped, "stopped"),
    (errors.Stopped, "stopped"),
)
"""Errors, and what they count as: the first that fits."""


class OfAMirror(Protocol):
    """Has a mirror."""

    _mirror: Mirror


S = TypeVar("S", bound=OfAMirror)


def counted(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Have each call of a connection's method counted, by what it raised."""

    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            found = method(self, *args, **kwargs)
        except errors.GmError as error:
            SSH_COMMANDS.add(mirror=self._mirror.name, result=_result(error))
            raise
        SSH_COMMANDS.add(mirror=self._mirror.name, result="ok")
        return found

    return run


def _result(error: errors.GmError) -> str:
    return next((word for kind, word in _RESULTS if isinstance(error, kind)), "failed")
