"""The states of an update, and what they have in common. No I/O."""

from __future__ import annotations

from typing import Literal, get_args

Waits = Literal["waiting", "running"]
Ended = Literal[
    "published", "previewed", "planned", "closed", "unchanged", "superseded", "ignored"
]
"""How an update ends with an outcome."""
Broken = Literal["failed", "cancelled"]
"""How it ends otherwise."""
State = Literal[Waits, Ended, Broken]

UNDER_WAY = frozenset(get_args(Waits))
BROKEN = frozenset(get_args(Broken))
_NOTHING_WAS_DONE = BROKEN | {"ignored"}


def ended(state: State) -> bool:
    """Tell whether nothing more happens."""
    return state not in UNDER_WAY


def succeeded(state: State) -> bool:
    """Tell whether what was wanted is so."""
    return ended(state) and state not in _NOTHING_WAS_DONE


def retriable(state: State) -> bool:
    """Tell whether the same event again, or `retry`, runs it again."""
    return state in _NOTHING_WAS_DONE
