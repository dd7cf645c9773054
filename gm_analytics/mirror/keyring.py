"""Upstream's public keys as GnuPG reads them, in a directory of their own that goes again.

The mirror's host says which keys its repository files name. Nothing is taken from there as it is:
what is served is what GnuPG read, without anything beside the key and its own signatures.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gnupg

from gm_analytics.mirror.public_keys import KEY_ID, MOST, PublicKey
from gm_analytics.mirror.signing import Key
from gm_analytics.rpm import grammar
from gm_analytics.rpm.signature import signed

_REVOKED = "r"
_DIGITS = 16


class Keyring:
    """Keys that were read; none of them is trusted for that."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._gpg = gnupg.GPG(gnupghome=str(home))

    @classmethod
    @contextmanager
    def of(cls, texts: Iterable[bytes]) -> Iterator[Keyring]:
        """Read key files, armored or not; what is no key in them is left out.

        Raises:
            OSError: there is no GnuPG.

        """
        with tempfile.TemporaryDirectory(prefix="gm-keys-") as directory:
            found = cls(Path(directory))
            for text in texts:
                found._gpg.import_keys(text)
            yield found

    def found(self) -> Iterator[tuple[PublicKey, bytes]]:
        """Give each key, with its file's content; one that was revoked is none."""
        for known in self._gpg.list_keys()[:MOST]:
            fingerprint, ids = str(known["fingerprint"]), [known["keyid"], *_subkeys(known)]
            text = str(self._gpg.export_keys(fingerprint, minimal=True)).encode()
            if known["trust"] == _REVOKED or not text:
                continue
            name = next(iter(known["uids"]), "")
            yield (
                PublicKey(
                    fingerprint,
                    hashlib.sha256(text).hexdigest(),
                    tuple(one for one in ids if KEY_ID.fits(one))[:MOST],
                    name if grammar.TEXT.fits(name) else "",
                ),
                text,
            )

    def has_signed(self, key: PublicKey, package: bytes) -> bool:
        """Tell whether a signature of an RPM is a key's, and good.

        Raises:
            Malformed: it is no RPM.

        """
        here = Key(self._home)
        return any(key.fingerprint in here.signers(data, sig) for sig, data in signed(package))


def _subkeys(known: dict[str, object]) -> list[str]:
    """Give the ids of a key's subkeys that may sign."""
    found = known["subkeys"]
    return [one[0][-_DIGITS:] for one in found] if isinstance(found, list) else []
