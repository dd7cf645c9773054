"""What a mirror's host said in an update's steps, as `gm-analytics updates ID` shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from gm_analytics.updates.model import Record
from gm_analytics.updates.progress import HEAD, Said
from gm_analytics.updates.states import BROKEN
from gm_analytics.wording import counted

LAST = 10
"""Lines of what was said last that are shown of an update that failed."""
Look = Callable[[str], tuple[Said, ...]]


def spoken(record: Record, look: Look | None, *, whole: bool) -> Iterator[str]:
    """Give the lines: all that is kept, or the last ones of what failed."""
    said = look(record.update.id) if look and (whole or record.state in BROKEN) else ()
    if whole:
        for one in said:
            yield f"    {one.step or 'between two steps'} said:"
            yield from (f"      {line}" for line in _with_gap(one))
    elif said:
        yield "    the mirror's host said last (--output shows all that is kept):"
        yield from (f"      {line}" for line in said[-1].lines[-LAST:])


def with_output(found: Any, look: Look | None) -> Any:
    """Give the JSON of an update with what was said for it on each mirror."""
    if look:
        for one in found["mirrors"]:
            one["output"] = [asdict(said) for said in look(one["update_id"])]
    return found


def _with_gap(said: Said) -> Iterator[str]:
    yield from said.lines[:HEAD]
    if said.left_out:
        yield f"({counted(said.left_out, 'line')} not kept)"
    yield from said.lines[HEAD:]
