"""Whether upstream has anything newer than what is live, for `gm-analytics status`.

It costs at most two runs of yum: one that asks for metadata which were read too long ago, and one
that solves what is live again, if upstream does not look as it did then.
"""

from __future__ import annotations

import uuid

from gm_analytics.errors import GmError
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.session import Session
from gm_analytics.mirror.survey import Asked, Survey, Upstream
from gm_analytics.operations.findings import Finding, Severity, wrong
from gm_analytics.rpm.changes import diff
from gm_analytics.rpm.package import Package

NAMED = 3
"""Packages that a finding names."""


def newer(
    session: Session, name: str, look: Survey, packages: tuple[Package, ...]
) -> Finding | None:
    """Say whether upstream has newer packages for what is live; None if nothing is asked for."""
    if not any(package.wanted for package in packages):
        return None
    aside = f"status-{uuid.uuid4()}"
    try:
        with session.host.aside(aside):
            severity, said = _newer(session, aside, look, packages)
    except GmError as error:
        return wrong(f"mirror {name} upstream", error, "unknown")
    hint = "`gm-analytics apply` publishes it." if severity == "warn" else ""
    return Finding(f"mirror {name} upstream", severity, said, hint)


def _newer(
    session: Session, update_id: str, look: Survey, packages: tuple[Package, ...]
) -> tuple[Severity, str]:
    known, manager = look.upstream or Upstream(), session.package_manager
    asked = Asked(known.state) if known.fresh else manager.ask_upstream(update_id)
    if asked.failed:
        return "unknown", f"it could not be asked: {asked.failed}"
    if _was_solved(look, known, asked.state):
        return "ok", "it looks as it did when what is live was solved"
    specs = tuple(sorted({spec for package in packages for spec in package.wanted}))
    solved = manager.resolve(update_id, specs)
    found = [one for one in diff(packages, solved.rows).changes if one.kind == "upgraded"]
    if not found:
        return "ok", "it has nothing newer than what is live"
    names = ", ".join(change.nevra for change in found[:NAMED])
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    count = f"{len(found):,} package" + ("s" if len(found) > 1 else "")
    return "warn", f"upstream has newer: {count}: {names}{more}"


def _was_solved(look: Survey, known: Upstream, state: str) -> bool:
    """Tell whether all that is live was solved so; of what was added to, a part may be older."""
    made = Publication.parse(look.publication)
    return made is not None and made.exact and known.was_solved(made.manifest, state)
