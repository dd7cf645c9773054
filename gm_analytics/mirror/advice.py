"""What a change means for whoever reviews it: the advisories that it brings, what it drops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gm_analytics.mirror.reading import Reader
from gm_analytics.mirror.records import Source
from gm_analytics.rpm import advisories
from gm_analytics.rpm.advisories import Advisory, Named
from gm_analytics.rpm.changes import Plan
from gm_analytics.rpm.grammar import DATA_TYPE
from gm_analytics.rpm.package import Package

MOST = 300
"""Advisories that are kept of a change; the gravest."""


class Adviser:
    """Adds to plans what `carried` says."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def of_update(
        self,
        plan: Plan,
        live: str,
        before: Sequence[Package],
        after: Sequence[Named],
        *,
        exact: bool,
    ) -> Plan:
        """Complete the plan of what would follow a publication, by upstream's advisories.

        Raises:
            BadMetadata: upstream's documents cannot be read.

        """
        if not plan.changes:
            return plan
        records = self._reader.read(live)
        chosen = self._reader.advisories(records, (*before, *after), exact=exact)
        dropped = records.of("adopted") if exact else Source("adopted")
        return replace(
            _with(plan, chosen, before, after),
            warnings=(*plan.warnings, *_dropping(dropped)),
        )

    def of_publication(
        self, plan: Plan, directory: str, before: Sequence[Package], after: Sequence[Package]
    ) -> Plan:
        """Complete the plan of going to a publication that is there, by its own advisories."""
        if not plan.changes:
            return plan
        return _with(plan, self._reader.served(directory, after), before, after)


def _with(
    plan: Plan, chosen: Iterable[Advisory], before: Sequence[Package], after: Iterable[Named]
) -> Plan:
    old = {package.nevra: package.evr for package in before}
    new = {package.nevra: package for package in after}
    brings = [
        (new[change.nevra], old.get(change.before or "", ""))
        for change in plan.changes
        if change.kind in {"added", "upgraded"} and change.nevra in new
    ]
    return replace(plan, advisories=advisories.brought(chosen, brings)[:MOST])


_WORDS = {"group": "groups", "updateinfo": "advisories"}


def _dropping(adopted: Source) -> tuple[str, ...]:
    if not adopted.documents:
        return ()
    kinds = sorted(_WORDS.get(one.kind, one.kind) for one in adopted.documents)
    named = ", ".join(kind for kind in kinds if DATA_TYPE.fits(kind))
    return (f"what the repository that was taken over had beside packages is dropped: {named}",)
