"""The story of an update: from what caused it to what clients see.

`perform` reads from top to bottom. What it does to the world goes through `updates.ports`, and
every such call through `step`, which a durable engine records and a person's terminal just runs.
What kinds of updates differ in are values, `Update.aim`: the closure is added to what is live or
takes its place (mode), it shows live or as a preview (target), and it comes from yum, from the
preview that was reviewed, from a lock file or from an older publication (source).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gm_analytics.errors import GmError, Overtaken, Stopped
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.client_file import Trusted
from gm_analytics.mirror.preview_repo import address
from gm_analytics.mirror.publication import Built, Publication
from gm_analytics.mirror.survey import Survey
from gm_analytics.rpm.changes import Plan
from gm_analytics.updates import untouched
from gm_analytics.updates.closures import find
from gm_analytics.updates.description import describe
from gm_analytics.updates.model import Outcome, Update
from gm_analytics.updates.ports import Step, World
from gm_analytics.updates.recognition import (
    is_there,
    recognise,
    remember,
    rolled_back,
    veto_against,
)
from gm_analytics.updates.scene import Found, Scene, Shown
from gm_analytics.wording import counted

log = logging.getLogger(__name__)
PLANS_AGAIN = "merging plans again"
MAX_ATTEMPTS = 3
"""How often an update begins at what is live, if another writer publishes meanwhile."""


def perform(update: Update, world: World, step: Step) -> Outcome:
    """Make what an update aims at visible to clients.

    Raises:
        GmError: why it could not; what clients see is then as it was.

    """
    if step("supersede", world.request.is_superseded, update):
        return Outcome("superseded", f"replaced by a newer delivery of {update.pull_request}")
    manifest = _manifest(update, world, step)
    if manifest.untouched:
        return untouched.end(update, world, step)
    if not (manifest.specs or update.exact):
        return Outcome("unchanged", "the manifest names no packages")
    with world.mirrors.open(update.mirror) as mirror:
        scene = Scene(update, manifest, mirror, world, step)
        live = step("survey", mirror.survey)
        if update.aim.source == "nothing":
            return _take_back(scene)
        if known := recognise(scene, live):
            return _end(scene, known)
        with _swept(scene):
            return _change(scene, live, MAX_ATTEMPTS)


def _change(scene: Scene, live: Survey, attempts: int) -> Outcome:
    """Make of what is live what is wanted; begin again there if somebody else published."""
    mirror, step = scene.mirror, scene.step
    found = find(scene, live)
    plan = step(
        "compare", mirror.publications.compare, live.live, found.closure, scene.update.exact
    )
    if is_there(scene, live, plan, found.closure):
        return _end(scene, remember(scene, live, "closure"))
    if found.older is None:  # whose packages are all in the pool
        step("add", mirror.publisher.add, scene.update.id, found.closure.where("new"))
    if scene.update.aim.target == "trial":
        return _tried(scene, live, found, plan)
    try:
        shown = _publish(scene, live, found)
    except Overtaken:
        if attempts == 1:
            raise
        return _begin_again(scene, found, plan, attempts - 1)
    return _shown(scene, live, found, plan, shown)


def _begin_again(scene: Scene, found: Found, plan: Plan, attempts: int) -> Outcome:
    """Look at what somebody else made live, and go on from there: a plan is of what it was."""
    live = scene.step("survey", scene.mirror.survey)
    if live.upstream is None:  # an earlier version looked, and is building the same again
        return _shown(scene, live, found, plan, _publish(scene, live, found))
    scene = replace(scene, back_to=found.older)
    if known := recognise(scene, live):
        return _end(scene, known)
    return _change(scene, live, attempts)


def _shown(scene: Scene, live: Survey, found: Found, plan: Plan, shown: Shown) -> Outcome:
    """See that clients are served it, say what changed, and remove what is not kept."""
    unseen = scene.see(shown.repomd)
    outcome = _end(scene, _outcome(scene, live, found, plan, shown).not_seen(unseen))
    publications = scene.mirror.publications
    with _housekeeping(scene):  # their pull requests say what they said before
        if live.previews and scene.update.aim.target == "live":
            others = scene.step(
                "compare previews", publications.compare_previews, outcome.publication
            )
            outcome = replace(outcome, others=others)
    with _housekeeping(scene):  # what is left is removed after a later update
        scene.step("retain", publications.retain, scene.update.id)
    return outcome


def _tried(scene: Scene, live: Survey, found: Found, plan: Plan) -> Outcome:
    """Say what merging means, once it is built and proven. It is neither signed nor shown."""
    publication = replace(describe(scene, live, found), key="")
    _build(scene, live, found, publication)
    prove = scene.mirror.package_manager.prove
    scene.step("prove", prove, scene.update.id, found.groups)
    told = _outcome(scene, live, found, plan, Shown(publication, ""))
    return replace(told, state="planned", publication="")


# --- what is wanted -------------------------------------------------------------------------


def _manifest(update: Update, world: World, step: Step) -> Manifest:
    if update.aim.source in {"older", "nothing"}:
        return Manifest(())
    manifest = step("fetch manifest", world.request.manifest, update)
    if lock := world.request.lock(update):
        lock.check(manifest)
    return manifest


# --- what clients see -----------------------------------------------------------------------


def _publish(scene: Scene, live: Survey, found: Found) -> Shown:
    """Build a candidate on what is live, prove it, and switch to it.

    Raises:
        Overtaken: something else is live now.

    """
    update, mirror, step = scene.update, scene.mirror, scene.step
    publication = describe(scene, live, found)
    built = _build(scene, live, found, publication)
    publication = Built.described(built, publication)
    if publication.key:
        known = (update.id, live.live, found.closure, publication)
        satisfied = found.older.manifests if found.older else (publication.manifest,)
        step("sign", mirror.signer.sign, *known, built=built, manifests=satisfied)
    step("prove", mirror.package_manager.prove, update.id, found.groups)
    return Shown(publication, _switch(scene, live, publication))


def _build(
    scene: Scene, live: Survey, found: Found, publication: Publication
) -> Built | str | None:
    """Write the candidate's metadata; give what they have beside the packages."""
    publisher, asked = scene.mirror.publisher, (scene.update.id, live.live)
    if found.older:
        rebuilt = (*asked, found.older, found.closure, publication)
        return scene.step("createrepo", publisher.rebuild, *rebuilt)
    preview = scene.update.aim.target == "preview"
    build = publisher.build_preview if preview else publisher.build
    return scene.step("createrepo", build, *asked, found.closure, publication)


def _switch(scene: Scene, live: Survey, publication: Publication) -> str:
    update, publisher = scene.update, scene.mirror.publisher
    if update.aim.target == "preview":
        return scene.step("switch", publisher.switch_preview, update.id, publication)
    return scene.step("switch", publisher.switch, update.id, live.live, publication)


# --- the end --------------------------------------------------------------------------------


def _outcome(scene: Scene, live: Survey, found: Found, plan: Plan, shown: Shown) -> Outcome:
    update = scene.update
    told = Outcome(
        "published",
        _message(update, found, plan),
        Publication.directory(shown.publication.number),
        added=plan.added,
        size=plan.size,
        changes=plan.changes,
        # Of a rollback it is known what it has: what the older publication had.
        warnings=(*found.closure.warnings, *(() if found.older else plan.warnings)),
        advisories=plan.advisories,
    )
    if update.aim.target != "preview":
        return told
    of_merging = tuple(_of_merging(scene, live))
    again = any(said.endswith(PLANS_AGAIN) for said in of_merging)
    preview = scene.world.mirrors.preview_url(update.mirror, update.number)
    base_url = preview.removesuffix(f"previews/{update.number}/")
    return replace(
        told,
        state="previewed",
        message=f"{told.message}; {PLANS_AGAIN}" if again else told.message,
        publication="",
        warnings=(*told.warnings, *of_merging),
        preview=preview,
        keys=Trusted.of(shown.publication, base_url).packages,
        repo_file=address(preview),
    )


def _of_merging(scene: Scene, live: Survey) -> Iterator[str]:
    """Say what a preview does not show of its merge."""
    update = scene.update
    moved_on = scene.world.request.has_moved_on
    # An update that an earlier version began has no such step.
    asks = live.upstream is not None and bool(update.base_ref)
    if asks and scene.step("compare base", moved_on, update):
        yield f"the manifest of {update.base_ref} changed since this branch began; {PLANS_AGAIN}"
    if veto := veto_against(scene, live):
        yield f"merging would publish nothing: {rolled_back(veto)}"


def _message(update: Update, found: Found, plan: Plan) -> str:
    if found.older:
        return f"{update.mirror}: publication {found.older.number} again: {plan.summary}"
    if update.aim.target == "trial":
        return f"{update.mirror}: merging means {plan.summary}"
    if update.aim.target == "preview":
        return f"preview of {update.pull_request} on {update.mirror}: {plan.summary}"
    if update.exact:
        return f"{update.mirror}: {plan.summary}"
    return f"{counted(len(plan.added), 'package')} added to {update.mirror}"


def _end(scene: Scene, outcome: Outcome) -> Outcome:
    """Take a merged pull request's preview away: what it showed is live, or was."""
    if scene.update.aim.cause == "merge" and scene.update.number:
        scene.step("drop preview", scene.mirror.publications.drop_preview, scene.update.number)
    return outcome


def _take_back(scene: Scene) -> Outcome:
    """Take the preview away; a pull request that had none is closed as well."""
    update = scene.update
    drop = scene.mirror.publications.drop_preview
    if not scene.step("drop preview", drop, update.number):
        return Outcome("unchanged", f"{update.pull_request} had no preview")
    return Outcome("closed", f"the preview of {update.pull_request} is removed")


@contextmanager
def _swept(scene: Scene) -> Iterator[None]:
    """Leave nothing in staging, however it ends."""
    try:
        yield
    finally:
        with _housekeeping(scene):  # what is left is swept by a later update
            scene.step("sweep", scene.mirror.sweep, scene.update.id)


@contextmanager
def _housekeeping(scene: Scene) -> Iterator[None]:
    """Only warn of what goes wrong, a defect included: the update has ended already."""
    try:
        yield
    except Stopped:
        log.info("update %s: stopped before its housekeeping", scene.update.id)
    except GmError as error:
        log.warning("update %s: %s", scene.update.id, error)
    except Exception:
        log.exception("update %s: housekeeping failed", scene.update.id)
