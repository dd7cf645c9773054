"""Reads the metadata beside packages from a mirror's host, once an update, with one command."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from gm_analytics.errors import BadMetadata, Malformed, Untrusted
from gm_analytics.mirror import records as documents
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.records import Records
from gm_analytics.mirror.survey import REFUSED, Asked
from gm_analytics.mirror.trust import Trust
from gm_analytics.rpm import grammar, strict

log = logging.getLogger(__name__)
_SECONDS = 300
_DOING = "reading groups, advisories and modules"


class Reader:
    """Gives what `records` describes; of what the mirror holds itself only what was signed."""

    def __init__(
        self, host: Host, trust: Trust | None = None, ask: Callable[[str], Asked] | None = None
    ) -> None:
        self._host, self._trust, self._ask = host, trust, ask
        self._known: dict[tuple[str, str], Records] = {}

    def read(self, served: str, update_id: str = "") -> Records:
        """Give the documents of upstream, and those of a publication's directory if it is named.

        They are what yum solved with. An update that has solved nothing asks upstream once more,
        where what is cached is old.

        Raises:
            BadMetadata: a document is none, or too large.

        """
        if (served, update_id) not in self._known:
            found = self._read(served, update_id)
            if update_id and self._ask and not (found.fresh or self._host.has_asked_upstream):
                if failed := self._ask(update_id).failed:
                    log.warning("%s: %s: not of now: %s", self._host.name, _DOING, failed)
                else:
                    found = replace(self._read(served, update_id), fresh=True)
            self._known[served, update_id] = found
        return self._known[served, update_id]

    def of_publication(self, directory: str) -> Records:
        """Give what a publication itself has. Raises as `read`."""
        return self._believed(self._run(directory, "", upstream=False), directory)

    def _read(self, served: str, update_id: str) -> Records:
        found = self._believed(self._run(served, update_id), served)
        for source in found.upstream:
            if absent := ", ".join(kind for kind in source.absent if kind != "group"):
                said = "%s: yum has not fetched %s of the repository %s"
                log.warning(said, self._host.name, absent, source.repository)
        return found

    def _run(self, served: str, update_id: str, *, upstream: bool = True) -> Records:
        argv = documents.records(self._host.target, served, update_id, upstream=upstream)
        result = self._host.ssh.run(argv, _DOING, _SECONDS)
        if result.exited == REFUSED:
            lines = [line for line in result.stdout.split("\n") if line.startswith("f ")]
            raise self._host.refused(replace(result, stdout="\n".join(lines)), grammar.DOCUMENT)
        printed = self._host.check(result, argv, _DOING)
        try:
            return Records.parse(printed)
        except (Malformed, strict.Malformed) as error:
            raise BadMetadata(self._host.name, str(error)) from error

    def _believed(self, found: Records, served: str) -> Records:
        """Leave out what the mirror holds and this service did not sign."""
        if self._trust is None or not served:
            return found
        try:
            expected = self._trust.documents(served)
        except Untrusted:
            return found.without("served", "adopted")
        for origin, digest in zip(("served", "adopted"), expected, strict=True):
            if found.of(origin).digest != digest:  # type: ignore[arg-type]  # both are origins
                found = found.without(origin)  # type: ignore[arg-type]
        return found
