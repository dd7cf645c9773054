"""The update of a pull request that leaves the manifest as it was where its branch began."""

from __future__ import annotations

from gm_analytics.updates.model import Outcome, Update
from gm_analytics.updates.ports import Step, World

UNTOUCHED = "the manifest is not changed here"


def end(update: Update, world: World, step: Step) -> Outcome:
    """End well, and without a comment; the preview of an earlier push goes."""
    may_have = world.request.may_have_preview
    if update.aim.target == "preview" and step("look for preview", may_have, update):
        with world.mirrors.open(update.mirror) as mirror:
            if step("drop preview", mirror.publications.drop_preview, update.number):
                return Outcome("closed", f"{UNTOUCHED}; the preview is removed")
    return Outcome("unchanged", UNTOUCHED, quiet=True)
