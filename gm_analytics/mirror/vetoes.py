"""What rollbacks took back, which only a person or another manifest publishes again. No I/O.

A publication carries its vetoes: those of the rollback that it is, or of the one that it adds to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from gm_analytics.errors import UnreadablePublication, Untrusted
from gm_analytics.manifest import digest_of
from gm_analytics.mirror.history import Held, History
from gm_analytics.mirror.publication import MAX_VETOES, Publication, Veto
from gm_analytics.mirror.solve_key import SolveKey
from gm_analytics.mirror.survey import Survey


def standing(live: Survey) -> tuple[Veto, ...]:
    """Give the vetoes that hold for what is live.

    A later merge that found its manifest live already ended them, though it published nothing.
    """
    before = Publication.parse(live.publication)
    if before is None or live.mark not in {"", before.mark}:
        return ()
    return before.vetoed


def against(
    vetoes: Iterable[Veto], commit: str, specs: Iterable[str], key: SolveKey
) -> Veto | None:
    """Give the newest veto against a commit, or against a manifest: by its specs or its key."""
    text = digest_of(specs)
    found = [
        veto
        for veto in vetoes
        if text == veto.specs or key.is_among(veto.manifests) or (commit and commit == veto.commit)
    ]
    return max(found, key=lambda veto: veto.number, default=None)


def believed(past: History, older: Held, believe: Callable[[Held], Held]) -> History:
    """Give the past with what a rollback may take back as far as it may be believed.

    One that is damaged or unsigned hinders no rollback; nothing is known of it then.
    """

    def judged(held: Held) -> Held:
        with suppress(Untrusted, UnreadablePublication):
            return believe(held) if held.number > older.number else held
        return replace(held, publication=None)

    return replace(past, publications=tuple(map(judged, past.publications)))


def after_rollback(past: History, older: Held) -> tuple[Veto, ...]:
    """Give the vetoes once `older` is made live again.

    What was rolled back before stays so, but for what this brings back; and what is live now and
    no part of `older` is taken back.
    """
    kept, lost = _made_of(past, older), _made_of(past, past.live)
    found = {veto.number: veto for held in (older, past.live) for veto in _vetoes_of(held)}
    found |= {held.number: _veto(held) for held in lost.values() if _is_new(held)}
    still = sorted(found.keys() - kept.keys())
    return tuple(found[number] for number in still[-MAX_VETOES:])


def _made_of(past: History, held: Held | None) -> dict[int, Held]:
    """Give a publication and those that it was built on, by number, as far as they are kept.

    A rollback is what it restores, whatever was live before it.
    """
    found: dict[int, Held] = {}
    while held is not None and held.number not in found:
        found[held.number] = held
        made = held.publication
        if made is None or not (made.base or made.restores):
            break
        held = past.find(made.restores or Publication.number_of(made.base))
    return found


def _vetoes_of(held: Held | None) -> tuple[Veto, ...]:
    return held.publication.vetoed if held and held.publication else ()


def _is_new(held: Held) -> bool:
    """Tell whether it was made of a manifest, and is neither as it was found nor a rollback."""
    return held.publication is not None and held.publication.kind != "rollback"


def _veto(held: Held) -> Veto:
    made = held.publication or Publication(held.number)
    specs = digest_of(made.specs) if made.specs else ""
    return Veto(held.number, made.commit, specs, held.manifests)
