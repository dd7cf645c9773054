"""What is live, published again as a person changed it."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, replace

from gm_analytics.errors import GmError, NotVisible
from gm_analytics.mirror.access import Mirrors
from gm_analytics.mirror.publication import FORMAT, Built, Closure, Publication
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.survey import Survey
from gm_analytics.operations import person
from gm_analytics.rpm.changes import Plan
from gm_analytics.rpm.package import Package
from gm_analytics.updates.model import ROLLBACK, Outcome, Update
from gm_analytics.updates.ports import Step

NO_CHANGE = Plan(())


@dataclass(frozen=True)
class Again:
    """What follows what is live."""

    kind: str
    """One of `publication.AGAIN`."""
    packages: tuple[Package, ...]
    manifests: tuple[str, ...]
    """Digests of the manifests that it satisfies."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Specs that can be installed together, which is proven."""


@dataclass(frozen=True)
class Made:
    """What was published."""

    directory: str
    unseen: str = ""
    """Why it is not known whether clients see it."""

    def outcome(self, message: str, plan: Plan = NO_CHANGE) -> Outcome:
        """Give it as how an update ended."""
        warnings = (self.unseen,) if self.unseen else ()
        return Outcome(
            "published", message, self.directory, warnings=warnings, changes=plan.changes
        )

    def __str__(self) -> str:
        """Say it to the person who asked for it."""
        warning = f"\nwarning: {self.unseen}" if self.unseen else ""
        return f"published as {self.directory}{warning}"


def update_of(word: str, mirror: str) -> Update:
    """Give the update that it is: like a rollback's, its packages are given."""
    return Update(f"{word}-{uuid.uuid4()}", mirror, aim=ROLLBACK, author=person.name())


def publish(
    mirrors: Mirrors, session: Session, update_id: str, live: Survey, again: Again, *, step: Step
) -> Made:
    """Publish it. What clients see changes by one rename, or not at all."""
    held = session.publications.publication()
    before = held.publication or Publication(held.number)
    made = replace(
        before,
        format=FORMAT,
        number=Publication.number_of(live.live) + 1,
        update_id=update_id,
        kind=again.kind,
        base=live.live,
        mark=max(live.mark, before.mark),
        groups=again.groups or before.groups,
        manifest=before.manifest if before.manifest in again.manifests else "",
        key=session.signer.signing_key,
        restores=0,
    )
    older, closure = replace(held, manifests=again.manifests), Closure.of_pool(again.packages)
    publisher = session.publisher
    try:
        built = step("createrepo", publisher.rebuild, update_id, live.live, older, closure, made)
        made = Built.described(built, made)
        if made.key:
            known = (update_id, live.live, closure, made)
            step("sign", session.signer.sign, *known, built=built, manifests=again.manifests)
        if again.groups:
            step("prove", session.package_manager.prove, update_id, again.groups)
        repomd = step("switch", publisher.switch, update_id, live.live, made)
    finally:
        with suppress(GmError):  # what is left is swept by a later update
            session.sweep(update_id)
    directory = Publication.directory(made.number)
    try:
        step("see", mirrors.wait_until_visible, session.host.name, repomd, None)
    except NotVisible as error:  # it is published all the same
        return Made(directory, str(error))
    return Made(directory)
