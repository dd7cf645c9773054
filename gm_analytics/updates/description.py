"""What an update's publication says of itself, as publication.json has it."""

from __future__ import annotations

from dataclasses import replace

from gm_analytics.mirror.history import Held
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.survey import Survey
from gm_analytics.updates.recognition import mark_of, vetoes_after
from gm_analytics.updates.scene import Found, Scene


def describe(scene: Scene, live: Survey, found: Found) -> Publication:
    """Describe what is made; an older publication as it was, under a number of its own."""
    update, key = scene.update, scene.mirror.signer.signing_key
    before = Publication.parse(live.publication)
    preview = update.aim.target == "preview"
    made = Publication(
        number=update.number if preview else Publication.number_of(live.live) + 1,
        # A preview is served as it is, and an update's id opens its page.
        update_id="" if preview else update.id,
        repository=update.origin,
        commit=update.commit,
        manifest=scene.solve_key.digest,
        specs=scene.manifest.specs,
        entries=tuple((entry.name, entry.specs) for entry in scene.manifest.entries),
        kind=update.aim.word,
        base=live.live,
        mark=update.mark or mark_of(live),
        groups=found.groups,
        vetoed=vetoes_after(scene, live),
        warnings=found.closure.warnings,
        key=key,
        # Until the candidate's packages are looked at: those that are known are not asked for.
        signatures=before.signatures if before else None,
    )
    return _again(found.older, made) if found.older else made


def _again(older: Held, made: Publication) -> Publication:
    """Describe an older publication made live again; its mark lets no older merge follow."""
    before = older.publication or Publication(older.number)
    return replace(
        before,
        format=made.format,
        number=made.number,
        update_id=made.update_id,
        kind=made.kind,
        base=made.base,
        mark=made.mark,
        groups=made.groups,
        key=made.key,
        signatures=before.signatures or made.signatures,
        restores=older.number,
        vetoed=older.vetoes,
    )
