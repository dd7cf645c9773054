"""Reads the metadata beside packages from a mirror's host, once an update, with one command."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from gm_analytics.errors import BadMetadata, Malformed, Untrusted
from gm_analytics.mirror import carried
from gm_analytics.mirror import records as documents
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.records import Document, Records
from gm_analytics.mirror.survey import REFUSED, Asked
from gm_analytics.mirror.trust import Trust
from gm_analytics.rpm import grammar, open_advisories, strict, updateinfo
from gm_analytics.rpm.advisories import Advice, Advisory, Listing
from gm_analytics.rpm.package import Package
from gm_analytics.rpm.versions import Versioned

log = logging.getLogger(__name__)
SECONDS = 120
"""For what is in one document; libsolv reads RHEL's largest in two."""
_SECONDS = 300
_DOING = "reading groups, advisories and modules"


class Reader:
    """Gives what `records` describes; of what the mirror holds itself only what was signed."""

    def __init__(
        self, host: Host, trust: Trust | None = None, ask: Callable[[str], Asked] | None = None
    ) -> None:
        self._host, self._trust, self._ask = host, trust, ask
        self._known: dict[str, tuple[str, Records]] = {}
        """By the publication, with the update whose staging was looked at."""
        self._own: dict[str, Records] = {}
        self._listings: dict[bytes, tuple[frozenset[str], Listing]] = {}

    def read(self, served: str, update_id: str = "") -> Records:
        """Give the documents of upstream, and those of a publication's directory if it is named.

        They are what yum solved with. An update that has solved nothing asks upstream once more,
        where what is cached is old.

        Raises:
            BadMetadata: a document is none, or too large.

        """
        known = self._known.get(served)
        if known is None or update_id not in {"", known[0]}:
            staged = update_id or self._host.prepared
            known = self._known[served] = staged, self._current(served, staged)
        return known[1]

    def _current(self, served: str, update_id: str) -> Records:
        found = self._read(served, update_id)
        if found.fresh or self._host.has_asked_upstream or not (update_id and self._ask):
            return found
        if failed := self._ask(update_id).failed:
            log.warning("%s: %s: not of now: %s", self._host.name, _DOING, failed)
            return found
        return self._read(served, update_id)

    def of_publication(self, directory: str) -> Records:
        """Give what a publication itself has. Raises as `read`."""
        if directory not in self._own:
            found = self._run(directory, "", upstream=False)
            self._own[directory] = self._believed(found, directory)
        return self._own[directory]

    def advisories(
        self, records: Records, packages: Iterable[Versioned], *, exact: bool
    ) -> tuple[Advisory, ...]:
        """Give the advisories of what serves these packages, or some of them.

        Raises:
            BadMetadata: one of the documents is no updateinfo.xml.

        """
        known = tuple(packages)
        names = frozenset(package.name for package in known)
        with self.judging():
            return carried.advisories(records, known, partial(self._listing, names), exact=exact)

    def unfixed(self, served: str, packages: Iterable[Package]) -> list[Advice] | None:
        """Give upstream's advisories that what is served does not fix; None if it is not cached.

        Raises as `advisories`.
        """
        known = tuple(packages)
        names = frozenset(package.name for package in known)
        records = self.read(served)
        if not records.upstream:
            return None
        with self.judging():
            listings = [self._listing(names, one) for one in records.upstreams("updateinfo")]
            return open_advisories.unfixed(listings, known)

    def served(self, directory: str, packages: Iterable[Versioned]) -> tuple[Advisory, ...]:
        """Give the advisories of a publication itself. Raises as `advisories`."""
        found = self.of_publication(directory).of("served")
        only = Records((replace(found, origin="upstream"),))
        return self.advisories(only, packages, exact=True)

    @contextmanager
    def judging(self) -> Iterator[None]:
        """Have an error say that a document of upstream's is none."""
        try:
            yield
        except (Malformed, strict.Malformed) as error:
            raise BadMetadata(self._host.name, str(error)) from error

    def _listing(self, names: frozenset[str], document: Document) -> Listing:
        """Read a document, for these names or more; each once."""
        digest = hashlib.sha256(document.content).digest()
        there, found = self._listings.get(digest, (frozenset(), None))
        if found is None or not names <= there:
            found = updateinfo.read(in_time(document.pieces(), SECONDS), names)
            self._listings[digest] = names, found
        return found

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
        with self.judging():
            return Records.parse(printed)

    def _believed(self, found: Records, served: str) -> Records:
        """Leave out what the mirror holds and this service did not sign."""
        if self._trust is None or not served:
            return found
        try:
            expected, groups = self._trust.documents(served), self._trust.groups(served)
        except Untrusted:
            return found.without("served", "adopted")
        if not any(expected) and groups:
            with self.judging():
                return found.only_groups(groups)
        for origin, digest in zip(("served", "adopted"), expected, strict=True):
            if found.of(origin).digest != digest:  # type: ignore[arg-type]  # both are origins
                found = found.without(origin)  # type: ignore[arg-type]
        return found


def in_time(pieces: Iterable[bytes], seconds: float) -> Iterator[bytes]:
    """Give what comes of a document, or raise `Malformed` when its time is over."""
    until = time.monotonic() + seconds
    for piece in pieces:
        if time.monotonic() > until:
            raise Malformed(f"a document that is read in {seconds:g} seconds", "a longer one")
        yield piece
