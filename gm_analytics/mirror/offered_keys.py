"""The keys of upstream that a mirror serves to clients: found, compared, and put there.

A repository file on the mirror's host says where a key is, and that host what a package is signed
with. So a key is served only once it was seen here that a package which the service knows by its
SHA-256 has a signature of it.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from gm_analytics.errors import GmError, Malformed
from gm_analytics.mirror import public_keys, repository, seal
from gm_analytics.mirror.checking import MAX_FILE
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.public_keys import Found, PublicKey, Signatures
from gm_analytics.mirror.public_keys import Signer as Signing
from gm_analytics.mirror.publication import Built, Publication
from gm_analytics.mirror.signer import Signer
from gm_analytics.rpm.package import Package

if TYPE_CHECKING:
    from gm_analytics.mirror.keyring import Keyring

log = logging.getLogger(__name__)
_SECONDS = 600
"""For at most fifty keys, some of them fetched."""
_KEY, _FAILED = "key ", "failed "


class OfferedKeys:
    """Finds the keys of those who signed a candidate's packages."""

    def __init__(self, host: Host, signer: Signer) -> None:
        self._host, self._signer = host, signer

    def described(
        self,
        built: Built,
        update_id: str,
        found: Found,
        packages: tuple[Package, ...],
        publication: Publication,
    ) -> Built:
        """Have the candidate say who signed its packages, whose keys are served from now on."""
        before = publication.signatures
        said = self.settle(update_id, found, packages, before.keys if before else ())
        if said != before and not publication.key:  # else it is written as it is signed
            self._signer.describe(update_id, replace(publication, signatures=said))
        return replace(built, signatures=said)

    def settle(
        self,
        update_id: str,
        found: Found,
        packages: Iterable[Package],
        known: Iterable[PublicKey],
    ) -> Signatures:
        """Say who signed, and serve the keys; nothing that goes wrong here fails an update."""
        keys = list(known)
        if unknown := public_keys.missing(found, keys):
            try:
                keys = [*self._fetched(update_id, unknown, packages), *keys]
            except (GmError, OSError) as error:
                log.warning("%s: keys for clients: %s", self._host.name, error)
        said = public_keys.signatures(found, keys)
        if said.lacking:
            ids = ", ".join(said.lacking)
            log.warning("%s: no key for clients of those that sign: %s", self._host.name, ids)
        return said

    def _fetched(
        self, update_id: str, unknown: Iterable[Signing], packages: Iterable[Package]
    ) -> list[PublicKey]:
        # Not before it is needed: GnuPG's module takes a while.
        from gm_analytics.mirror.keyring import Keyring  # noqa: PLC0415

        wanted = {signer.id: signer for signer in unknown}
        listed = {package.file: package for package in packages}
        files, good = {}, []
        with Keyring.of(self._texts()) as ring:
            for key, text in ring.found():
                signers = [wanted[one] for one in key.ids if one in wanted]
                if any(self._is_proven(ring, key, listed.get(one.file)) for one in signers):
                    files[key.file] = text
                    good.append(key)
        self._offer(update_id, files)
        return good

    def _texts(self) -> list[bytes]:
        """Read what upstream's repository files name."""
        doing = "reading upstream's keys"
        printed = self._host.run(repository.keys(self._host.target), doing, _SECONDS)
        lines = printed.splitlines()
        for line in lines:
            if line.startswith(_FAILED):
                log.warning("%s: %s: cannot read %s", self._host.name, doing, line[7:300])
        try:
            found = [line.removeprefix(_KEY) for line in lines if line.startswith(_KEY)]
            return [base64.b64decode(one, validate=True) for one in found]
        except binascii.Error as error:
            raise Malformed("keys in base64", str(error)) from error

    def _is_proven(self, ring: Keyring, key: PublicKey, package: Package | None) -> bool:
        """See that the key has signed a package, by the bytes that the service knows."""
        if package is None or package.size > MAX_FILE:
            return False
        content = self._host.ssh.get(f"{self._host.target.root}/{package.file}", package.size)
        if content is None or seal.digest(content) != package.sha256:
            return False
        return ring.has_signed(key, content)

    def _offer(self, update_id: str, files: Mapping[str, bytes]) -> None:
        if files:
            self._host.ssh.put_all(self._host.target.staging(update_id), files)
            argv = repository.offer_keys(self._host.target, update_id, files)
            self._host.run(argv, "offering upstream's keys")
