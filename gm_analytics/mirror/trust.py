"""What a mirror with a key is believed of what it gives back: what this service signed.

Once, at first contact, what is found there is adopted: there is nothing to compare it with. From
then on an older list counts only with its signature, for the place that it was signed for.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from gm_analytics import settings
from gm_analytics.errors import Malformed, MetadataForged, NewerFormat, Untrusted
from gm_analytics.mirror import checking, seal
from gm_analytics.mirror.addresses import PREFIXES
from gm_analytics.mirror.ledger import Ledger
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.repository import PREVIEW_PREFIX
from gm_analytics.mirror.seal import Known, Place, Sealed, Statement
from gm_analytics.mirror.signing import Key
from gm_analytics.rpm.package import Package

MAX_SMALL, MAX_LIST = 4 * 1024 * 1024, 128 * 1024 * 1024
"""Bytes of a statement or a description, and of a list of packages."""
_PLACE = re.compile(r"\.publications/(?P<publication>\d{6,12})|previews/(?P<preview>\d{1,12})")

log = logging.getLogger(__name__)
Get = Callable[[str, int], "bytes | None"]
"""Reads a file of at most so many bytes, given its path below the root; None if it is missing."""


@dataclass(frozen=True)
class Vouched:
    """A publication or a preview as it may be believed."""

    packages: tuple[Package, ...]
    publication: str
    """Its publication.json."""
    statement: Statement | None = None
    """None of what was adopted unsigned."""


def place_of(directory: str) -> tuple[Place, int] | None:
    """Tell a publication's directory from a preview's, and its number; None if it is neither."""
    match = _PLACE.fullmatch(directory)
    if match is None:
        return None
    number = match["publication"] or match["preview"]
    return ("publication" if match["publication"] else "preview"), int(number)


class Trust:
    """Reads and judges what one mirror holds. Every method may raise `Untrusted`."""

    def __init__(self, mirror: settings.Mirror, key: Key, ledger: Ledger, get: Get) -> None:
        self._name = mirror.name
        self._id = f"{mirror.address}:{mirror.port}{mirror.root}"
        self._key, self._ledger, self._get = key, ledger, get
        self._seen: dict[str, Vouched] = {}

    @property
    def known(self) -> Known | None:
        """What was adopted or signed; None before the first contact under a key of today."""
        found = self._ledger.find(self._id)
        return found if found and found.key in self._key.fingerprints else None

    def of(self, directory: str) -> Vouched:
        """Read the list of a publication or a preview."""
        if directory not in self._seen:
            self._seen[directory] = self._read(directory)
        return self._seen[directory]

    def live(self, directory: str, repomd: str) -> Vouched:
        """Read what is live: no older than what was seen before, and not other metadata."""
        self._seen.clear()
        found, known = self.of(directory), self.known
        _, number = self._place(directory)
        if known and number < known.newest:
            raise self._refuse(directory, f"it is live, and {known.newest} was published later")
        if found.statement and found.statement.files[seal.REPOMD] != repomd:
            raise self._refuse(f"{directory}/{seal.REPOMD}", "not the one that was signed")
        if known and number == known.newest and known.repomd not in {"", repomd}:
            raise self._refuse(f"{directory}/{seal.REPOMD}", "not the one that was published")
        return found

    def statement(self, directory: str) -> Statement:
        """Read what was signed of a publication or a preview, and no more."""
        found = self._sealed(directory)
        if isinstance(found, str):
            raise self._refuse(f"{directory}/{seal.FILE}", found)
        return found

    def signed_earlier(self, directory: str, repomd: str) -> bool:
        """Tell whether a version without statements signed it, and there was no contact since."""
        if self.known or self._get(f"{directory}/{seal.FILE}", MAX_SMALL) is not None:
            return False
        content = self._get(f"{directory}/{seal.REPOMD}", checking.MAX_REPOMD) or b""
        signature = self._get(f"{directory}/{seal.REPOMD}.asc", MAX_SMALL)
        if signature is None or not self._key.has_signed(content, signature):
            return False
        self._seen.clear()
        self.of(directory)  # compares the list with what was signed
        return seal.digest(content) == repomd

    def sealed(self, statement: Statement) -> str:
        """Give a statement with its signature, as `seal.FILE` has them."""
        text = statement.text()
        return Sealed(text, self._key.sign(text.encode())).text()

    def documents(self, directory: str) -> tuple[str, str]:
        """Give the SHA-256 of the repomd.xml files that say what is beside its packages.

        They are its own, and that of the repository which was taken over, as far as it goes on.
        """
        if said := self.of(directory).statement:
            return said.files[seal.REPOMD], said.files.get(seal.ADOPTED, "")
        found = self._adopted(f"{directory}/{seal.REPOMD}")
        return found, found

    def groups(self, directory: str) -> str:
        """Give the SHA-256 of the groups that a version adopted which noted no more."""
        return self._adopted(f"{directory}/{seal.GROUPS}")

    def _adopted(self, path: str) -> str:
        return self.known.adopted.get(path, "") if self.known else ""

    # --- what is remembered ------------------------------------------------------------------

    def refuse_a_new_repository(self) -> None:
        """Refuse to begin at an empty or a plain repository where something was signed."""
        if self.known:
            raise self._refuse("repodata", "nothing that was signed is live there any more")

    def adopt(self, directory: str, sums: Callable[[], dict[str, str]]) -> None:
        """Note what is live: at first contact with all that is there, else that it was seen."""
        if self.known:
            found = self.of(directory).statement
            self.saw(self._place(directory)[1], found.files[seal.REPOMD] if found else "")
        else:
            self.take(directory, sums)

    def take(self, directory: str, sums: Callable[[], dict[str, str]]) -> None:
        """Trust all that is there, whatever it is and whatever was known."""
        _, number = self._place(directory)
        self._seen.clear()
        found = sums()
        for file in (seal.PACKAGES, seal.PUBLICATION):  # what was read, not what was told
            content = self._get(f"{directory}/{file}", MAX_LIST)
            found[f"{directory}/{file}"] = _digest(content) or ""
        known = Known(self._key.fingerprint, number, adopted=found)
        self._ledger.change(self._id, lambda _: known)
        log.warning("mirror %s: what it holds is trusted from now on, as it is", self._name)

    def saw(self, number: int, repomd: str) -> None:
        """Note that a publication was signed and seen; no older one is taken after it."""
        keys, key = self._key.fingerprints, self._key.fingerprint

        def newer(known: Known | None) -> Known:
            found = replace(known, key=key) if known and known.key in keys else Known(key)
            return (
                replace(found, newest=number, repomd=repomd) if number >= found.newest else found
            )

        self._ledger.change(self._id, newer)

    def forget(self) -> None:
        """Take the mirror for one that was never seen."""
        self._ledger.change(self._id, lambda _: None)
        self._seen.clear()

    # --- judging -----------------------------------------------------------------------------

    def _read(self, directory: str) -> Vouched:
        packages = self._get(f"{directory}/{seal.PACKAGES}", MAX_LIST)
        publication = self._get(f"{directory}/{seal.PUBLICATION}", MAX_SMALL) or b""
        if packages is None:
            raise self._refuse(f"{directory}/{seal.PACKAGES}", "it is missing")
        found = self._sealed(directory)
        if isinstance(found, Statement):
            found = self._same(directory, found, packages, publication)
        try:
            vouched = _vouched(packages, publication)
        except Malformed as error:
            raise self._refuse(f"{directory}/{seal.PACKAGES}", str(error)) from error
        if isinstance(found, Statement):
            return replace(vouched, statement=found)
        known = self.known
        if known is None:
            self._as_found(directory, vouched)
        elif not _was_adopted(known, directory, packages, publication):
            raise self._refuse(directory, found)
        return vouched

    def _sealed(self, directory: str) -> Statement | str:
        """Give what was signed for this place, or say why that is nothing."""
        place, number = self._place(directory)
        content = self._get(f"{directory}/{seal.FILE}", MAX_SMALL)
        sealed = Sealed.parse(content) if content is not None else None
        if sealed is None:
            return "it is not signed"
        if not self._key.has_signed(sealed.statement.encode(), sealed.signature.encode()):
            return f"{seal.FILE} is not signed by the key {self._key.names}"
        try:
            found = Statement.parse(sealed.statement)
        except NewerFormat as error:
            return str(error)
        if found is None:
            return f"{seal.FILE} is no statement"
        if (found.mirror, found.place, found.number) != (self._name, place, number):
            return f"it was signed for {found.place} {found.number} of {found.mirror}"
        return found

    def _same(
        self, directory: str, statement: Statement, packages: bytes, publication: bytes
    ) -> Statement | str:
        signature = self._get(f"{directory}/{seal.LIST_SIGNATURE}", MAX_SMALL)
        if signature is None or not self._key.has_signed(packages, signature):
            return f"{seal.PACKAGES} is not signed by the key {self._key.names}"
        for name, content in ((seal.PACKAGES, packages), (seal.PUBLICATION, publication)):
            if seal.digest(content) != statement.files.get(name):
                return f"{name} is not the one that was signed"
        return statement

    def _as_found(self, directory: str, vouched: Vouched) -> None:
        """Look at what is there at first contact: an older release may have signed it."""
        repomd = self._get(f"{directory}/{seal.REPOMD}", checking.MAX_REPOMD) or b""
        signature = self._get(f"{directory}/{seal.REPOMD}.asc", MAX_SMALL)
        made, _ = Publication.read(vouched.publication, there=False)
        if signature is not None and self._key.has_signed(repomd, signature):
            self._compare(directory, repomd, vouched)
        elif made and made.key in self._key.fingerprints:
            raise self._refuse(directory, "it says that this key signed it, which it did not")

    def _compare(self, directory: str, repomd: bytes, vouched: Vouched) -> None:
        place, _ = self._place(directory)
        prefixes = (f"{PREVIEW_PREFIX}/", *PREFIXES) if place == "preview" else PREFIXES

        def fetch(href: str, most: int) -> bytes:
            return self._get(checking.below(directory, href), most) or b""

        try:
            checking.check(self._name, repomd, fetch, vouched.packages, prefixes=prefixes)
        except MetadataForged as error:
            said = f"its signed metadata says otherwise: {error.file}: found {error.found}"
            raise self._refuse(f"{directory}/{seal.PACKAGES}", said) from error

    def _place(self, directory: str) -> tuple[Place, int]:
        if (found := place_of(directory)) is None:
            raise self._refuse(repr(directory[:200]), "neither a publication nor a preview")
        return found

    def _refuse(self, what: str, reason: str) -> Untrusted:
        return Untrusted(self._name, what, reason)


def _was_adopted(known: Known, directory: str, packages: bytes, publication: bytes) -> bool:
    found = {
        seal.PACKAGES: seal.digest(packages),
        seal.PUBLICATION: seal.digest(publication) if publication else "",
    }
    return all(
        known.adopted.get(f"{directory}/{name}", "") == digest for name, digest in found.items()
    )


def _vouched(packages: bytes, publication: bytes) -> Vouched:
    listed = Package.parse(packages.decode(errors="replace"))
    return Vouched(listed, publication.decode(errors="replace"))


def _digest(content: bytes | None) -> str | None:
    return None if content is None else seal.digest(content)
