"""The story of an update: from what caused it to what clients see.

`perform` reads from top to bottom. What it does to the world goes through `updates.ports`, and
every such call through `step`, which a durable engine records and a person's terminal just runs.
What kinds of updates differ in are values, `Update.aim`: the closure is added to what is live or
takes its place (mode), it shows live or as a preview (target), and it comes from yum, from the
preview that was reviewed, from a lock file or from an older publication (source).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from gm_analytics.errors import GmError, Overtaken, ToolsMissing
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.history import Held
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.survey import Survey
from gm_analytics.rpm.changes import Plan
from gm_analytics.updates import untouched
from gm_analytics.updates.closures import find
from gm_analytics.updates.model import Outcome, Update
from gm_analytics.updates.ports import Step, World
from gm_analytics.updates.scene import Found, Scene, Shown

MAX_REBUILDS = 3
"""How often a candidate is built again because another writer published meanwhile."""


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
        if known := _recognise(scene, live):
            return _end(scene, known)
        with _swept(scene):
            found = find(scene, live)
            plan = step(
                "compare", mirror.publications.compare, live.live, found.closure, update.exact
            )
            if _is_there(scene, live, plan):
                return _end(scene, _remember(scene, live, "closure"))
            if found.older is None:  # whose packages are all in the pool
                step("add", mirror.publisher.add, update.id, found.closure.where("new"))
            shown = _publish(scene, live, found)
            _see(scene, shown.repomd)
            outcome = _end(scene, _outcome(scene, found, plan, shown))
            with suppress(GmError):  # what is left is removed after a later update
                step("retain", mirror.publications.retain, update.id)
            return outcome


# --- what is wanted, and whether it is there ------------------------------------------------


def _manifest(update: Update, world: World, step: Step) -> Manifest:
    if update.aim.source in {"older", "nothing"}:
        return Manifest(())
    manifest = step("fetch manifest", world.request.manifest, update)
    if lock := world.request.lock(update):
        lock.check(manifest)
    return manifest


def _recognise(scene: Scene, live: Survey) -> Outcome | None:
    """End at once if there is nothing to do, or if it could not be done in the end."""
    update, aim = scene.update, scene.update.aim
    if aim.target == "preview":
        if live.tools and not live.tools.can_preview:
            raise ToolsMissing(update.mirror, ["createrepo_c (createrepo makes no previews)"])
        return None
    if aim.cause == "merge" and _is_older(scene, _mark(live)):
        return Outcome("superseded", "what was merged later is live", live.live)
    if aim.source in {"lock", "older"}:  # a manifest that is served may mean other bytes
        return None
    if not (scene.solve_key.is_among(live.manifests) and _is_signed(scene, live)):
        return None
    return _remember(scene, live, "manifest")


def _is_there(scene: Scene, live: Survey, plan: Plan) -> bool:
    """Tell whether clients see the whole closure already."""
    if scene.update.aim.target == "preview" or scene.update.aim.source == "older":
        return False
    # The metadata must name groups, which may be missing though no RPM is.
    names_groups = any(spec.startswith("@") for spec in scene.manifest.specs)
    return not plan.changes and not names_groups and _is_signed(scene, live)


def _is_signed(scene: Scene, live: Survey) -> bool:
    """Tell whether the key of today signed the live metadata; neither is right as well."""
    before = Publication.parse(live.publication)
    return live.vouched and scene.mirror.signer.signing_key == (before.key if before else "")


def _remember(scene: Scene, live: Survey, what: str) -> Outcome:
    """Note that what is live satisfies the manifest, and see that clients are served it."""
    update, exact = scene.update, scene.update.exact
    key = scene.solve_key
    if update.mark or not key.is_among(live.manifests):
        remember = scene.mirror.publications.remember
        scene.step("remember", remember, live.live, key.digest, update.mark)
    _see(scene, live.repomd)
    which = (
        f"{'exactly ' if exact else ''}{'this' if exact or what == 'manifest' else 'the whole'}"
    )
    return Outcome("unchanged", f"the mirror already serves {which} {what}", live.live)


def _see(scene: Scene, repomd: str) -> None:
    """Wait until clients see it."""
    update = scene.update
    preview = update.number if update.aim.target == "preview" else None
    scene.step("see", scene.world.mirrors.wait_until_visible, update.mirror, repomd, preview)


def _is_older(scene: Scene, newest: str) -> bool:
    """Tell whether a newer merge is live, whatever order they were delivered in.

    GitHub's times are whole seconds, and a merge queue merges several in one.
    """
    update = scene.update
    at, _, commit = newest.partition(" ")
    if at != update.merged_at or not at:
        return bool(update.merged_at) and at > update.merged_at
    if commit == update.merge_sha:
        return False
    return scene.step("compare commits", scene.world.request.contains, update, commit)


def _mark(live: Survey) -> str:
    """Give the mark of the newest merge that is live."""
    before = Publication.parse(live.publication)
    return max(live.mark, before.mark if before else "")


# --- what clients see -----------------------------------------------------------------------


def _publish(scene: Scene, live: Survey, found: Found) -> Shown:
    """Build a candidate on what is live, prove it, switch to it; again if overtaken."""
    update, mirror, step = scene.update, scene.mirror, scene.step
    for attempt in range(1, MAX_REBUILDS + 1):
        publication = _describe(scene, live, found)
        groups = _build(scene, live, found, publication)
        if publication.key:
            known = (update.id, live.live, found.closure, publication)
            satisfied = found.older.manifests if found.older else (publication.manifest,)
            step("sign", mirror.signer.sign, *known, groups=groups, manifests=satisfied)
        step("prove", mirror.package_manager.prove, update.id, found.groups)
        try:
            return Shown(publication, _switch(scene, live, publication))
        except Overtaken:
            if attempt == MAX_REBUILDS:
                raise
            live = step("survey", mirror.survey)
    raise AssertionError("unreachable")


def _build(scene: Scene, live: Survey, found: Found, publication: Publication) -> str | None:
    """Write the candidate's metadata; give the SHA-256 of its groups file."""
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


def _describe(scene: Scene, live: Survey, found: Found) -> Publication:
    """Describe what is made; an older publication as it was, under a number of its own."""
    update, key = scene.update, scene.mirror.signer.signing_key
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
        mark=update.mark or _mark(live),
        groups=found.groups,
        warnings=found.closure.warnings,
        key=key,
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
        restores=older.number,
    )


# --- the end --------------------------------------------------------------------------------


def _outcome(scene: Scene, found: Found, plan: Plan, shown: Shown) -> Outcome:
    update = scene.update
    told = Outcome(
        "published",
        _message(update, found, plan),
        Publication.directory(shown.publication.number),
        added=plan.added,
        size=plan.size,
        changes=plan.changes,
        warnings=found.closure.warnings,
    )
    if update.aim.target == "live":
        return told
    return replace(
        told,
        state="previewed",
        publication="",
        preview=scene.world.mirrors.preview_url(update.mirror, update.number),
    )


def _message(update: Update, found: Found, plan: Plan) -> str:
    if found.older:
        return f"{update.mirror}: publication {found.older.number} again: {plan.summary}"
    if update.aim.target == "preview":
        return f"preview of {update.pull_request} on {update.mirror}: {plan.summary}"
    if update.exact:
        return f"{update.mirror}: {plan.summary}"
    return f"{len(plan.added)} packages added to {update.mirror}"


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
        with suppress(GmError):  # what is left is swept by a later update
            scene.step("sweep", scene.mirror.sweep, scene.update.id)
