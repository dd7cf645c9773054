"""What an update recognises at once: that it is there, comes too late, or was rolled back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from gm_analytics.errors import RollbackRefused, ToolsMissing
from gm_analytics.mirror import vetoes
from gm_analytics.mirror.publication import Closure, Publication, Veto
from gm_analytics.mirror.survey import Asked, Survey, Upstream
from gm_analytics.rpm.changes import Plan
from gm_analytics.updates.closures import true_preview
from gm_analytics.updates.model import Outcome
from gm_analytics.updates.scene import Scene


def recognise(scene: Scene, live: Survey) -> Outcome | None:
    """End at once if there is nothing to do, or if it could not be done in the end."""
    update, aim = scene.update, scene.update.aim
    if aim.target == "preview":
        if live.tools and not live.tools.can_preview:
            raise ToolsMissing(update.mirror, ["createrepo_c (createrepo makes no previews)"])
        return None
    if aim.cause == "merge" and _is_older(scene, mark_of(live)):
        return Outcome("superseded", "what was merged later is live", live.live)
    if update.expected:
        return _as_expected(scene, live)
    if aim.source in {"lock", "older"}:  # a manifest that is served may mean other bytes
        return None
    served = scene.solve_key.is_among(live.manifests)
    if veto := veto_against(scene, live):
        return _barred(scene, live, veto, served=served)
    if not (served and _is_as_configured(scene, live)) or _preview_promises_more(scene, live):
        return None
    if live.upstream is None:  # an earlier version looked, and asked no more
        return remember(scene, live, "manifest")
    asked = _ask_upstream(scene, live.upstream)
    if not (asked.failed or live.upstream.was_solved(scene.solve_key.digest, asked.state)):
        return None
    told = remember(scene, live, "manifest")
    warnings = (f"upstream could not be asked for newer packages: {asked.failed}",)
    return replace(told, warnings=warnings) if asked.failed else told


def _as_expected(scene: Scene, live: Survey) -> Outcome | None:
    """See that the publication is live that the person saw; an earlier attempt may be done.

    Raises:
        RollbackRefused: another one is.

    """
    update, number = scene.update, Publication.number_of(live.live) if live.live else 0
    if number == update.expected:
        return None
    made = Publication.parse(live.publication)
    if made and made.update_id == update.id:
        said = f"{update.mirror}: publication {made.restores} again"
        return Outcome("published", said, live.live).not_seen(scene.see(live.repomd))
    reason = f"publication {number} is live now; {update.expected} was when it was asked for"
    raise RollbackRefused(update.mirror, str(update.back_to), reason)


def is_there(scene: Scene, live: Survey, plan: Plan, closure: Closure) -> bool:
    """Tell whether clients see the whole closure already."""
    if closure.stale:
        return False
    if scene.update.aim.target == "preview" or scene.update.aim.source == "older":
        return False
    # The metadata must name groups, which may be missing though no RPM is.
    names_groups = any(spec.startswith("@") for spec in scene.manifest.specs)
    return not plan.changes and not names_groups and _is_as_configured(scene, live)


def remember(scene: Scene, live: Survey, what: str) -> Outcome:
    """Note that what is live satisfies the manifest, and see that clients are served it."""
    update, exact = scene.update, scene.update.exact
    key = scene.solve_key
    solved = what == "closure" and live.upstream is not None
    if update.mark or solved or not key.is_among(live.manifests):
        note = scene.mirror.publications.remember
        scene.step("remember", note, live.live, key.digest, update.mark, update.id)
    unseen = scene.see(live.repomd)
    which = (
        f"{'exactly ' if exact else ''}{'this' if exact or what == 'manifest' else 'the whole'}"
    )
    said = f"the mirror already serves {which} {what}"
    return Outcome("unchanged", said, live.live).not_seen(unseen)


def mark_of(live: Survey) -> str:
    """Give the mark of the newest merge that is live."""
    before = Publication.parse(live.publication)
    return max(live.mark, before.mark if before else "")


# --- whether upstream has anything newer ----------------------------------------------------


def _preview_promises_more(scene: Scene, live: Survey) -> bool:
    """Tell whether the preview that a merge takes was solved when upstream looked otherwise.

    The manifest is live already; but what reviewers saw may be newer packages for it.
    """
    reviewed = scene.update.number and scene.update.aim.source == "reviewed"
    if live.upstream is None or not reviewed:
        return False
    shown = true_preview(scene, live)
    return shown is not None and not live.upstream.was_solved(
        scene.solve_key.digest, shown.upstream
    )


def _ask_upstream(scene: Scene, known: Upstream) -> Asked:
    """Say what upstream looks like; it is asked where what is known is old, and nothing new."""
    if known.fresh or not known.was_solved(scene.solve_key.digest, known.state):
        return Asked(known.state)
    ask = scene.mirror.package_manager.ask_upstream
    return scene.step("ask upstream", ask, scene.update.id)


# --- what is live ---------------------------------------------------------------------------


def _is_as_configured(scene: Scene, live: Survey) -> bool:
    """Tell whether the key of today signed the live metadata, or none did and none is there.

    Their mirrorlist, if they have one, must name the address of today.
    """
    before = Publication.parse(live.publication)
    signed = live.vouched and scene.mirror.signer.signing_key == (before.key if before else "")
    return signed and not live.moved


_MAX_LATE = timedelta(minutes=1)
"""By which a push's time may be late: GitHub says when the repository was last pushed to."""


def _may_cross(live: str, merged: str) -> bool:
    """Tell whether the times alone do not say which of two merges is the later one."""
    if live <= merged:
        return bool(live) and live == merged
    try:
        return datetime.fromisoformat(live) - datetime.fromisoformat(merged) <= _MAX_LATE
    except ValueError:  # one has none
        return False


def _is_older(scene: Scene, newest: str) -> bool:
    """Tell whether a newer merge is live, whatever order they were delivered in.

    GitHub's times are whole seconds, and a merge queue merges several in one.
    """
    update = scene.update
    at, _, commit = newest.partition(" ")
    if not _may_cross(at, update.merged_at):
        return bool(update.merged_at) and at > update.merged_at
    if commit == update.merge_sha:
        return False
    return scene.step("compare commits", scene.world.request.contains, update, commit)


# --- what a person rolled back --------------------------------------------------------------


def veto_against(scene: Scene, live: Survey) -> Veto | None:
    """Give the rollback that an update would undo; what a person wants undoes any."""
    if scene.update.aim.cause == "person":
        return None
    commit, specs = scene.update.commit, scene.manifest.specs
    return vetoes.against(vetoes.standing(live), commit, specs, scene.solve_key)


def rolled_back(veto: Veto) -> str:
    """Say what a veto means for a pull request."""
    return (
        f"publication {veto.number} was rolled back by a person: what it held is published again "
        "by a person alone, or with another manifest"
    )


def _barred(scene: Scene, live: Survey, veto: Veto, *, served: bool) -> Outcome:
    if not served:
        return Outcome("ignored", rolled_back(veto), live.live)
    # What is live is an older solution of it.
    unseen = scene.see(live.repomd)
    told = Outcome("unchanged", "the mirror already serves this manifest", live.live)
    return replace(told, warnings=(rolled_back(veto),)).not_seen(unseen)


def vetoes_after(scene: Scene, live: Survey) -> tuple[Veto, ...]:
    """Give the vetoes that stand once the update has published."""
    if scene.update.exact:
        return ()
    commit, specs, key = scene.update.commit, scene.manifest.specs, scene.solve_key
    return tuple(
        veto for veto in vetoes.standing(live) if not vetoes.against((veto,), commit, specs, key)
    )
