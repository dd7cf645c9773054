"""Where the closure of an update comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from gm_analytics.errors import Obsoleted, UnknownPackages, Unresolvable
from gm_analytics.manifest import Manifest
from gm_analytics.mirror.publication import Download, Preview
from gm_analytics.mirror.survey import Survey
from gm_analytics.updates.model import Source
from gm_analytics.updates.scene import Found, Scene


def find(scene: Scene, live: Survey) -> Found:
    """Get the closure from where the update's aim says.

    Raises:
        GmError: why it cannot be had.

    """
    return _SOURCES[scene.update.aim.source](scene, live)


def _solve(scene: Scene, live: Survey) -> Found:
    """Have yum solve the manifest, and download and check what the pool lacks."""
    update, mirror, specs = scene.update, scene.mirror, scene.manifest.specs
    asked = (update.id, specs, live.free, update.number)
    with placed(scene.manifest):
        download = scene.step(
            "download",
            mirror.package_manager.download,
            *asked,
            live=live.live,
            exact=update.exact,
        )
    closure = scene.step(
        "inspect", mirror.publisher.inspect, update.id, live.live, download, update.number
    )
    warnings = (*warnings_of(download), *closure.warnings)
    return Found(replace(closure, warnings=warnings), download.groups)


def _take_reviewed(scene: Scene, live: Survey) -> Found:
    """Take what the preview showed if merging means that still; else solve again."""
    update, publications = scene.update, scene.mirror.publications
    shown = true_preview(scene, live)
    if shown is None:
        return _solve(scene, live)
    made = shown.publication
    closure = scene.step("take preview", publications.take_preview, update.id, update.number)
    return Found(replace(closure, warnings=made.warnings), made.groups)


def true_preview(scene: Scene, live: Survey) -> Preview | None:
    """Look at the pull request's preview, and give it if merging means what it shows."""
    look, number = scene.mirror.publications.preview, scene.update.number
    shown = scene.step("look at preview", look, number)
    made = shown.publication if shown else None
    if made is None or made.base != live.live or not scene.solve_key.is_among({made.manifest}):
        return None
    return shown


def _take_locked(scene: Scene, live: Survey) -> Found:
    """Find the lock file's RPMs in the pool or upstream, bit for bit."""
    lock = scene.world.request.lock(scene.update)
    assert lock is not None  # noqa: S101  # an update of this source has one
    packages = tuple(locked.package for locked in lock.packages)
    obtain = scene.mirror.publications.obtain
    asked = (scene.update.id, live.live, packages, live.free)
    return Found(scene.step("obtain", obtain, *asked), lock.groups)


def _recall(scene: Scene, live: Survey) -> Found:  # noqa: ARG001  # as the other sources
    """Take an older publication's packages; all of them are in the pool."""
    publications = scene.mirror.publications
    # What a person means by "the one before" stays so, though somebody publishes meanwhile.
    wanted = scene.back_to.number if scene.back_to else scene.world.request.older(scene.update)
    older = scene.step("look back", publications.look_back, wanted)
    closure = scene.step("recall", publications.recall, older)
    made = older.publication
    groups = made.groups or ((made.specs,) if made.specs else ()) if made else ()
    return Found(closure, groups, older)


_SOURCES: dict[Source, Callable[[Scene, Survey], Found]] = {
    "solved": _solve,
    "reviewed": _take_reviewed,
    "lock": _take_locked,
    "older": _recall,
}


@contextmanager
def placed(manifest: Manifest) -> Iterator[None]:
    """Have an error say where in the manifest the specs are that it names."""
    try:
        yield
    except (UnknownPackages, Unresolvable, Obsoleted) as error:
        error.places = manifest.places(error.specs)
        raise


def warnings_of(download: Download) -> tuple[str, ...]:
    """Give what a reviewer should know of how specs were solved."""
    gone = tuple(f"{nevra} is live, but upstream has withdrawn it" for nevra in download.withdrawn)
    return (*_conflict(download), *gone)


def _conflict(download: Download) -> tuple[str, ...]:
    if len(download.groups) <= 1:
        return ()
    groups = len(download.groups)
    return (f"the packages conflict with each other, so they were solved in {groups} groups",)
