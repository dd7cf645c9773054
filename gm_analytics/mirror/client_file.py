"""The repository file by which clients take a mirror: one for documents, commands, cookbook.

tests/unit/mirror/test_client_file.py compares the documents and the cookbook with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gm_analytics.mirror.addresses import MIRRORLIST
from gm_analytics.mirror.public_keys import MOST, Signatures
from gm_analytics.mirror.publication import Publication
from gm_analytics.mirror.signing import PUBLIC_NAME

ID = "gm-mirror"
EXPIRE = 1
"""Seconds for which a client believes what it read: with yum's own default it sees a package hours
after it was published."""
NAMED = 5
"""Packages that a comment names."""


@dataclass(frozen=True)
class Trusted:
    """By which keys a client checks: addresses."""

    metadata: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    @classmethod
    def of(cls, publication: Publication | None, base_url: str) -> Trusted:
        """Give those of a publication."""
        if publication is None:
            return cls()
        keys = publication.signatures.keys if publication.signatures else ()
        return cls(
            (f"{base_url}{PUBLIC_NAME}",) if publication.key else (),
            tuple(f"{base_url}{key.path}" for key in keys),
        )


NOBODY = Trusted()


def text(
    base_url: str,
    trusted: Trusted = NOBODY,
    *,
    name: str,
    repo_id: str = ID,
    username: str = "",
    mirrorlist: bool = False,
    more: tuple[str, ...] = (),
) -> str:
    """Give the file.

    Packages keep upstream's signatures, which a client checks by upstream's keys. With
    `mirrorlist` all files of one refresh come from one publication.
    """
    keys = (*trusted.metadata, *trusted.packages)
    lines = [
        f"[{repo_id}]",
        f"name={name}",
        f"mirrorlist={base_url}{MIRRORLIST}" if mirrorlist else f"baseurl={base_url}",
        "enabled=1",
        f"gpgcheck={int(bool(trusted.packages))}",
        f"repo_gpgcheck={int(bool(trusted.metadata))}",
        *([f"gpgkey={' '.join(keys)}"] if keys else []),
        *(["sslverify=1"] if base_url.startswith("https:") else []),
        *([f"username={username}"] if username else []),
        f"metadata_expire={EXPIRE}",
        *more,
    ]
    return "".join(f"{line}\n" for line in lines)


def of_mirror(
    mirror: str,
    base_url: str,
    trusted: Trusted = NOBODY,
    *,
    username: str = "",
    mirrorlist: bool = False,
    more: tuple[str, ...] = (),
) -> str:
    """Give the file for a mirror of the configuration."""
    name = f"Private mirror {mirror}"
    return text(base_url, trusted, name=name, username=username, mirrorlist=mirrorlist, more=more)


# --- what a person should know of it ---------------------------------------------------------


def notes(publication: Publication | None) -> Iterator[str]:
    """Say by whose keys a publication's packages are checked, and which cannot be, a line each."""
    found = publication.signatures if publication else None
    if found is None:
        yield "gpgcheck=0: it is not known who signed the packages; the next publication says it"
        return
    for key in found.keys:
        yield f"packages: {key.fingerprint}{f' ({key.name})' if key.name else ''}"
    if publication and publication.key:
        yield f"metadata: {publication.key}"
    yield from _unchecked(found)
    if publication and not publication.key:
        yield "repo_gpgcheck=0: the mirror does not sign its metadata (mirrors[].signing_home)"


def _unchecked(found: Signatures) -> Iterator[str]:
    if found.lacking:
        yield (
            f"not known: {', '.join(found.lacking)}, which sign packages too; give the upstream "
            "repository its gpgkey= on the mirror's host, and publish"
        )
    if found.unsigned:
        yield f"{unsigned(found)}; {NEEDS if found.keys else 'gpgcheck=0'}"


NEEDS = "a client takes them with `dnf --nogpgcheck install` alone"


def unsigned(found: Signatures) -> str:
    """Name packages that are not signed."""
    names = [file.removesuffix(".rpm") for file in found.unsigned]
    more = len(names) - NAMED
    rest = f" and {more}{' or more' if len(names) == MOST else ''} others" if more > 0 else ""
    return f"not signed: {', '.join(names[:NAMED])}{rest}"
