"""The keys with which upstream signed the packages of a publication, as values. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from gm_analytics.rpm import grammar
from gm_analytics.rpm.grammar import Grammar, optional

DIRECTORY = "keys"
"""Below a mirror's address."""
MOST = 50
"""Keys of one publication, and packages without a signature that it names."""
KEY_ID = Grammar("a key's id", "[0-9A-F]{16}", 16)
_PREFIX = "RPM-GPG-KEY-"
KEY_FILE = Grammar("a key's file", rf"{_PREFIX}[0-9A-F]{{40,64}}-[0-9a-f]{{12}}", 100)
_KEY, _SIGNER, _UNSIGNED, _UNKNOWN = "key ", "signer ", "unsigned ", "unknown "
WORDS = (_KEY, _SIGNER, _UNSIGNED, _UNKNOWN)
"""How the lines that `Found.parse` reads begin."""
Id = Annotated[str, KEY_ID.field]


@dataclass(frozen=True)
class PublicKey:
    """A key of upstream's that is served."""

    fingerprint: Annotated[str, grammar.FINGERPRINT.field]
    sha256: Annotated[str, optional(grammar.SHA256).field] = ""
    """Of its file, whose name has the beginning: the file is never another one."""
    ids: Annotated[tuple[Id, ...], Field(max_length=MOST)] = ()
    """Of the key and its subkeys, by which packages name who signed them."""
    name: Annotated[str, grammar.TEXT.field] = ""
    """Whose it says that it is."""

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{_PREFIX}{self.fingerprint}-{self.sha256[:12]}"

    @property
    def path(self) -> str:
        """Where it is served, below the mirror's address."""
        return f"{DIRECTORY}/{self.file}"


@dataclass(frozen=True)
class Signer:
    """A key by which packages of a candidate are signed, and the smallest of them."""

    id: str
    packages: int
    file: str


@dataclass(frozen=True)
class Found:
    """What a mirror says of the signatures of a candidate's packages, and which keys it serves."""

    signers: tuple[Signer, ...] = ()
    unsigned: tuple[str, ...] = ()
    """Files; of more than `MOST` the first."""
    served: frozenset[str] = frozenset()
    """Names of keys' files."""
    unknown: int = 0
    """How many packages have a signature that rpm cannot name a key of."""

    @classmethod
    def parse(cls, said: Iterable[str]) -> Found:
        """Read what build.sh prints.

        Raises:
            Malformed: a line is not what it should be.

        """
        signers, unsigned, served, unknown = [], [], [], 0
        for line in said:
            if line.startswith(_KEY):
                served.append(line.removeprefix(_KEY))
            elif line.startswith(_SIGNER):
                signers.append(_signer(line.removeprefix(_SIGNER)))
            elif line.startswith(_UNSIGNED):
                unsigned.append(grammar.FILE.check(line.removeprefix(_UNSIGNED)))
            elif line.startswith(_UNKNOWN):
                unknown = grammar.number(grammar.NUMBER, line.removeprefix(_UNKNOWN))
        names = frozenset(filter(KEY_FILE.fits, served))  # what else lies there is not ours
        return cls(tuple(signers[:MOST]), tuple(unsigned[:MOST]), names, unknown)

    @property
    def ids(self) -> tuple[str, ...]:
        """Those of the keys, in order."""
        return tuple(sorted(signer.id for signer in self.signers))


def _signer(line: str) -> Signer:
    key, _, rest = line.partition(" ")
    count, _, file = rest.partition(" ")
    return Signer(
        KEY_ID.check(key), grammar.number(grammar.NUMBER, count), grammar.FILE.check(file)
    )


@dataclass(frozen=True)
class Signatures:
    """Who signed a publication's packages, as clients are told."""

    keys: tuple[PublicKey, ...] = ()
    unsigned: Annotated[
        tuple[Annotated[str, grammar.FILE.field], ...], Field(max_length=MOST)
    ] = ()
    """Packages without a signature, which a client that checks refuses; `MOST` or more if full."""
    lacking: Annotated[tuple[Id, ...], Field(max_length=MOST)] = ()
    """Ids of keys that sign packages, and that no repository file of upstream's names."""


def missing(found: Found, keys: Iterable[PublicKey]) -> list[Signer]:
    """Give those who signed and whose key is not among these, or not served."""
    known = {one for key in keys if key.file in found.served for one in key.ids}
    return [signer for signer in found.signers if signer.id not in known]


def signatures(found: Found, keys: Iterable[PublicKey]) -> Signatures:
    """Say who signed, by the keys that are known: those alone that signed a package."""
    by_id = {one: key for key in keys for one in key.ids}
    needed = {by_id[one] for one in found.ids if one in by_id}
    chosen = tuple(sorted(needed, key=lambda key: key.fingerprint))
    return Signatures(chosen, found.unsigned, tuple(one for one in found.ids if one not in by_id))
