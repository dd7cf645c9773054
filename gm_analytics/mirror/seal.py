"""What the service signs beside repomd.xml, so that it can trust what it reads back. No I/O.

A statement says which files a publication or a preview is made of, by their SHA-256, and which
publication of which mirror it is: what was signed for another place is nothing here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from gm_analytics import stored

FORMAT = 1
PACKAGES, PUBLICATION, GROUPS, REPOMD, ADOPTED = (
    "packages.txt", "publication.json", "comps.xml", "repodata/repomd.xml", "adopted/repomd.xml",
)  # fmt: skip
FILE, LIST_SIGNATURE = "signed.json", "packages.txt.asc"
"""The statement with its signature in one file, so that neither is ever newer than the other."""
Place = Literal["publication", "preview"]


def digest(content: bytes) -> str:
    """Give a content's SHA-256 in hexadecimal digits."""
    return sha256(content).hexdigest()


@dataclass(frozen=True)
class Statement:
    """What a publication or a preview is; unknown fields of a later version are ignored."""

    mirror: str
    """Its name in the configuration."""
    place: Place
    number: int
    """The publication's, or the pull request's of a preview."""
    files: dict[str, str]
    """SHA-256 by the path below the directory."""
    update: str = ""
    """Digest of the id of the update that made it, which may be served."""
    manifests: tuple[str, ...] = ()
    """Digests of the manifests that it satisfies."""
    mark: str = ""
    """Of the newest merge that it contains."""
    format: int = FORMAT

    def text(self) -> str:
        """Give what is signed."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def parse(cls, text: str) -> Statement | None:
        """Read it back; None if it is none.

        Raises:
            NewerFormat: a newer gm-analytics wrote it.

        """
        stored.refuse_newer(FILE, text, FORMAT)
        try:
            return _STATEMENT.validate_json(text)
        except ValidationError:
            return None

    def remembering(self, manifest: str, mark: str) -> Statement:
        """Give the statement with one more manifest that is satisfied, and which merge that is."""
        manifests = tuple(dict.fromkeys((*self.manifests, manifest)))
        return replace(self, manifests=manifests, mark=mark or self.mark)


_STATEMENT = TypeAdapter(Statement)


@dataclass(frozen=True)
class Sealed:
    """A statement's text and its signature, as `FILE` has them."""

    statement: str
    signature: str

    def text(self) -> str:
        """Give the file's text."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def parse(cls, content: bytes) -> Sealed | None:
        """Read it back; None if it is not one."""
        try:
            return _SEALED.validate_json(content)
        except ValidationError:
            return None


_SEALED = TypeAdapter(Sealed)


@dataclass(frozen=True)
class Known:
    """What the service's host remembers of a mirror."""

    key: str
    """Fingerprint of the key that signs it."""
    newest: int = 0
    """The highest number of a publication that was signed and seen."""
    repomd: str = ""
    """SHA-256 of its repomd.xml: another candidate of that number may have been signed too."""
    adopted: dict[str, str] = field(default_factory=dict)
    """SHA-256 by the path of what was there unsigned at the one moment of trust."""
    format: int = FORMAT
