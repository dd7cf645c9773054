"""What the lines of the log are about: a delivery, an update, its mirror, its step. No I/O.

It is Python's context, so it stays with what runs; a thread begins without any, so whoever
begins one for the same purpose gives it `carried`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from types import MappingProxyType
from typing import ParamSpec, TypeVar

FIELDS = ("delivery", "update", "mirror", "step")
"""In the order in which they are written."""

P = ParamSpec("P")
R = TypeVar("R")
_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))


def about() -> dict[str, str]:
    """Give what is known of that here."""
    known = _about.get()
    return {name: known[name] for name in FIELDS if known.get(name)}


@contextmanager
def concerning(**fields: str) -> Iterator[None]:
    """Have the lines of this block say what they are about, beside what is known already."""
    before = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(before)


def carried(function: Callable[P, R]) -> Callable[P, R]:
    """Give a function that is called once, in another thread, and is about the same there."""
    context = copy_context()

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.run(function, *args, **kwargs)

    return run
