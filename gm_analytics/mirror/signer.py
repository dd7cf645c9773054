"""The signer: compares what a candidate says with what the service knows, then signs it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from gm_analytics.errors import (
    MetadataForged,
    Untrusted,
)
from gm_analytics.mirror import (
    checking,
    repository,
    seal,
    signing,
)
from gm_analytics.mirror.addresses import PREFIXES
from gm_analytics.mirror.host import Host
from gm_analytics.mirror.publication import AGAIN, Built, Closure, Publication
from gm_analytics.mirror.publications import Publications
from gm_analytics.mirror.trust import MAX_LIST, Trust
from gm_analytics.rpm.changes import merge
from gm_analytics.rpm.package import Package


def _files(
    packages: Iterable[Package], publication: Publication, manifests: Iterable[str], host: Host
) -> dict[str, str]:
    """Give what lies beside a publication's metadata, as text by file name.

    What cannot be read back is not written: it would be the mirror that fails, not the update.

    Raises:
        Malformed: the publication's description has not the form of one.

    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    described = asdict(publication) | {"published_at": now, "service": host.service}
    described["made_with"] = host.basis
    text = json.dumps(described, indent=2) + "\n"
    Publication.parse(text)
    return {
        seal.PACKAGES: "".join(package.line() + "\n" for package in packages),
        seal.PUBLICATION: text,
        "manifests.txt": "".join(digest + "\n" for digest in manifests),
    }


class Signer:
    """Writes what a candidate is made of, and signs it where the mirror has a key."""

    def __init__(
        self, host: Host, publications: Publications, key: signing.Key | None, trust: Trust | None
    ) -> None:
        self._host = host
        self._publications = publications
        self._key = key
        self._trust = trust

    @property
    def signing_key(self) -> str:
        """The fingerprint of the key that signs metadata, empty if none is configured.

        Raises:
            SigningFailed: the configured one is missing or cannot be used.

        """
        return self._key.fingerprint if self._key else ""

    def sign(
        self,
        update_id: str,
        live: str,
        closure: Closure,
        publication: Publication,
        *,
        built: Built | str | None,
        manifests: tuple[str, ...],
    ) -> None:
        """Compare the candidate with what the service knows, and sign exactly these bytes.

        The list of packages and what else decides later updates are signed as they are written
        here, whatever the mirror made of them meanwhile; the public key goes into the root.

        Raises:
            MetadataForged: the metadata names anything else.
            SigningFailed: the key did not sign.

        """
        assert self._key is not None  # noqa: S101  # as `signing_key` says
        assert self._trust is not None  # noqa: S101  # there is one if there is a key
        key, staging = self._key, self._host.target.staging(update_id)
        candidate = f"{staging}/candidate"
        made = Built.of(built) or Built(self._groups_of(candidate))
        packages = self.contents(live, closure, publication)
        repomd, more = self._checked(candidate, packages, publication, made)
        files = _files(packages, publication, manifests, self._host)
        digests = {name: seal.digest(text.encode()) for name, text in files.items()}
        digests |= {seal.REPOMD: seal.digest(repomd), **more}
        digests |= {seal.GROUPS: made.groups} if made.groups else {}
        digests |= {seal.ADOPTED: made.adopted} if made.adopted else {}
        statement = seal.Statement(
            mirror=self._host.name,
            place="preview" if publication.kind == "preview" else "publication",
            number=publication.number,
            files=digests,
            update=seal.digest(update_id.encode()),
            manifests=manifests,
            mark=publication.mark,
        )
        signed = {
            **files,
            seal.LIST_SIGNATURE: key.sign(files[seal.PACKAGES].encode()),
            f"{seal.REPOMD}.asc": key.sign(repomd),
            seal.FILE: self._trust.sealed(statement),
        }
        self._host.ssh.put_all(candidate, signed)
        beside = {seal.PUBLICATION: files[seal.PUBLICATION], signing.PUBLIC_NAME: key.public}
        self._host.ssh.put_all(staging, beside)
        argv = repository.offer_key(self._host.target, update_id, signing.PUBLIC_NAME)
        self._host.run(argv, "offering the public key")

    def contents(
        self, live: str, closure: Closure, publication: Publication
    ) -> tuple[Package, ...]:
        """Give the packages of a candidate, by what the service holds and trusts."""
        if publication.kind == "rollback" or publication.kind in AGAIN:
            return closure.packages
        base = self._publications.packages(live)
        return tuple(merge(base, closure.packages, exact=publication.exact))

    def _checked(
        self, candidate: str, packages: tuple[Package, ...], publication: Publication, made: Built
    ) -> tuple[bytes, dict[str, str]]:
        """Give the candidate's repomd.xml once it and all that it names was compared.

        Beside it the SHA-256 of its documents beside the lists of packages.
        """
        repomd = self._host.ssh.get(f"{candidate}/{seal.REPOMD}", checking.MAX_REPOMD)
        if repomd is None:
            raise MetadataForged(self._host.name, seal.REPOMD, "no file", "what createrepo wrote")

        def fetch(href: str, most: int) -> bytes:
            return self._host.ssh.get(checking.below(candidate, href), most) or b""

        preview = publication.kind == "preview"
        more = checking.check(
            self._host.name,
            repomd,
            fetch,
            packages,
            prefixes=(f"{repository.PREVIEW_PREFIX}/", *PREFIXES) if preview else PREFIXES,
            groups=made.groups,
            documents=made.documents,
        )
        return repomd, more

    def _groups_of(self, candidate: str) -> str:
        """Give the SHA-256 of the groups that a version built that did not note it."""
        found = self._host.ssh.get(f"{candidate}/{seal.GROUPS}", MAX_LIST)
        return seal.digest(found) if found is not None else ""

    def confirm(self, directory: str, update_id: str, repomd: str) -> str:
        """See that what is served now is what was signed; remember that it was published.

        What a version without statements had signed when it was stopped, the next survey adopts.
        """
        if self._trust and not self._trust.signed_earlier(directory, repomd):
            statement = self._trust.statement(directory)
            if statement.update != seal.digest(update_id.encode()):
                said = "signed for another update, not for this one"
                raise Untrusted(self._host.name, f"{directory}/{seal.FILE}", said)
            if (expected := statement.files[seal.REPOMD]) != repomd:
                raise Untrusted(
                    self._host.name,
                    f"{directory}/{seal.REPOMD}",
                    f"found {repomd}, signed {expected}",
                )
            if statement.place == "publication":
                self._trust.saw(statement.number, repomd)
        return repomd

    def describe(self, update_id: str, publication: Publication) -> None:
        """Have an unsigned candidate say what was found while it was built."""
        text = _files((), publication, (), self._host)[seal.PUBLICATION]
        staging = self._host.target.staging(update_id)
        for directory in (staging, f"{staging}/candidate"):  # `switch` compares the two
            self._host.ssh.put_all(directory, {seal.PUBLICATION: text})

    def write(
        self,
        update_id: str,
        packages: Iterable[Package],
        publication: Publication,
        manifests: Iterable[str],
        documents: Mapping[str, bytes] | None = None,
    ) -> None:
        """Put what a candidate is made of into staging, with the documents of its metadata."""
        files: dict[str, str | bytes] = {**(documents or {})}
        files |= _files(packages, publication, manifests, self._host)
        self._host.ssh.put_all(self._host.target.staging(update_id), files)
